"""The warehouse: products as DuckDB files that never change, made visible by an atomic pointer.

Belongs here: the publish protocol on DuckDB files and manifests.
Does not belong here: the files' SQL (`files.py`), the manifests' form
(`manifest.py`), reading (`snapshot.py`), Dagster.

DuckDB lets nobody read a file that somebody writes. So a publish writes a file of its own, and then
the manifest that names it and the files that stay: a reader attaches what a manifest names, read
only, for as long as it likes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.confinement.guard import refuse
from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence, RolledBack
from shared_resources.stores.attested.attestor import NOT_ATTESTING, Attestor
from shared_resources.stores.branched.names import without_branches
from shared_resources.stores.cleared import check_cleared, check_not_overtaken
from shared_resources.stores.commit_attempts import Attempts, advisory_lock
from shared_resources.stores.embedded_warehouse import housekeeping as warehouse_housekeeping
from shared_resources.stores.embedded_warehouse.files import build, merge, parquet_query
from shared_resources.stores.embedded_warehouse.manifest import DataFile, Manifest
from shared_resources.stores.embedded_warehouse.manifests import Manifests
from shared_resources.stores.embedded_warehouse.planning import check_schema, columns, kept_files
from shared_resources.stores.embedded_warehouse.snapshot import WarehouseSnapshot
from shared_resources.stores.erased import Rewritten, Without
from shared_resources.stores.evolution import columns_of
from shared_resources.stores.expiring.thinning import Expiry
from shared_resources.stores.protocol import (
    ORPHAN_AGE,
    Cleared,
    Compaction,
    Snapshot,
    StagedBatch,
    Version,
)
from shared_resources.stores.sql_door import connect
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.fingerprints import sha256_of
from shared_resources.stores.staging.footers import Footers, read_footers
from shared_resources.stores.versions import choose, readable, restored, stamp

if TYPE_CHECKING:
    import duckdb

# Each file that a reader attaches costs it a third of a millisecond and an open file.
MERGE_FILES_FROM = 100
MERGE_ROWS_BELOW = 1_000_000
DATA_FILE = "data.duckdb"


class WarehouseStore:
    """`protocol.ProductStore` on DuckDB files below `root`."""

    name = "warehouse"

    def __init__(self, root: Path, attestor: Attestor = NOT_ATTESTING) -> None:
        refuse("opens the warehouse")
        self.attestor = attestor
        self.root = root.absolute()
        self._known: dict[str, Manifests] = {}

    # -- staging ---------------------------------------------------------------------------------

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        """A new folder on every call."""
        return staging_area.new_attempt(self._area(contract.key), batch_id)

    def release(self, staged: StagedBatch) -> None:
        staging_area.remove_attempt(staged.folder)  # a version's rows are in database files

    def discard(self, contract: Contract, batch_id: str) -> None:
        manifests = self.manifests(contract.key)
        if not manifests.is_in_step():
            return  # what no manifest names may be a version's all the same
        # A version that took over its files may outlive the batch's own.
        needed = manifests.files() if manifests.intended(batch_id) else set()
        for attempt in staging_area.attempts_of(self._area(contract.key), batch_id):
            if attempt not in {path.parent for path in needed}:
                staging_area.remove_attempt(attempt)

    def remove_orphans(self, product: str, older_than: timedelta = ORPHAN_AGE) -> list[str]:
        """Remove what dead processes left, and what expired or was compacted so long ago."""
        return warehouse_housekeeping.remove_orphans(
            self._area(product), self.manifests(product), older_than
        )

    # -- housekeeping ----------------------------------------------------------------------------

    def compact(self, contract: Contract) -> Compaction | None:
        manifests = self.manifests(contract.key)
        return warehouse_housekeeping.compact(self, manifests, contract, self.attestor)

    def would_compact(self, contract: Contract) -> Compaction | None:
        """What `compact` would do now."""
        return warehouse_housekeeping.would_compact(self.manifests(contract.key))

    def orphans(self, product: str) -> list[str]:
        """What `remove_orphans` would remove now."""
        found = warehouse_housekeeping.orphans(
            self._area(product), self.manifests(product), ORPHAN_AGE
        )
        return [str(path) for paths in found for path in paths]

    def stored_bytes(self, product: str) -> int:
        return staging_area.stored_bytes(self.folder(product))

    def expire(self, contract: Contract, before: Expiry) -> list[Version]:
        return warehouse_housekeeping.expire(self.manifests(contract.key), before, self.attestor)

    def erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        from shared_resources.stores.embedded_warehouse import erasing

        return erasing.erase(self, self.manifests(contract.key), contract, without)

    def would_erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        from shared_resources.stores.embedded_warehouse import erasing

        return erasing.count(self.manifests(contract.key), without)

    # -- publishing ------------------------------------------------------------------------------

    def publish(
        self,
        contract: Contract,
        cleared: Cleared,
        *,
        append: bool = False,
    ) -> Version:
        check_cleared(contract, cleared, append=append)
        staged = cleared.staged
        if published := self.published_batch(contract.key, staged.batch_id):
            return published
        replaced = frozenset() if append else frozenset(staged.partitions)
        footers = read_footers(staged.files, contract)

        def kept(last: Manifest | None) -> tuple[DataFile, ...]:
            if last is not None:
                versions = self.versions(contract.key)
                check_not_overtaken(contract, cleared, versions, append=append)
            everything = staged.replaces_all and not append
            files = kept_files(contract, last, replaced, everything=everything)
            check_schema(contract, last, rows_stay=bool(files))
            return files

        self.check_in_step(contract.key)
        kept(self.manifests(contract.key).last())  # a refusal comes before the work of loading
        added = self._load(contract, staged.batch_id, footers)
        built = [*added]

        def plan(last: Manifest | None, first_try: bool) -> Manifest:
            files = (*kept(last), *added)
            if first_try and len(files) > MERGE_FILES_FROM:
                merged = self._merged(contract, staged.batch_id, files)
                built.extend(file for file in merged if file not in files)
                files = merged
            return Manifest(
                product=contract.key,
                number=0,
                columns=columns(contract),
                partition_column=contract.partitioning.column if contract.partitioning else None,
                files=files,
            )

        try:
            return self.commit(contract, staged.batch_id, cleared.evidence, plan)
        finally:
            self._clear_up(contract, staged.batch_id, built)

    def rollback(self, contract: Contract, to: int, why: RolledBack, *, batch_id: str) -> Version:
        manifests = self.manifests(contract.key)
        versions = self.versions(contract.key)
        choose(versions, contract.key, self.name, to)
        target, proof = manifests.get(to), restored(versions, to, why)
        return self.commit(contract, batch_id, proof, lambda *_: target, rollback_of=to)

    def commit(
        self,
        contract: Contract,
        batch_id: str,
        evidence: Evidence,
        plan: Callable[[Manifest | None, bool], Manifest],
        rollback_of: int | None = None,
    ) -> Version:
        """Link what `plan` wants as the version after whatever is published by then."""
        manifests = self.manifests(contract.key)
        attempts = Attempts(f"publishing {contract.key} in the {self.name}")
        with advisory_lock(self.folder(contract.key) / ".publish.lock"):
            manifests.check_in_step()
            manifests.intend(batch_id)
            for attempt in attempts:
                if published := manifests.of_batch(batch_id):
                    return published
                # In this order: the number of a version that is published meanwhile is taken.
                number = manifests.highest() + 1
                last = manifests.last()
                planned = plan(last, attempt == 0)
                rows, before = sum(f.rows for f in planned.files), last.properties if last else None
                own = stamp(evidence, number, batch_id, rows, rollback_of)
                own = self.attestor.attest(contract.key, self.name, own, planned.attested, before)
                if manifests.publish(replace(planned, number=number, properties=own)):
                    return self.attestor.committed(manifests.version(number))
        if published := self.published_batch(contract.key, batch_id):
            return published
        raise attempts.exhausted()

    def _load(self, contract: Contract, batch_id: str, footers: Footers) -> tuple[DataFile, ...]:
        """The batch's rows as one database file in a folder of its own; none for an empty batch."""
        if not footers:
            return ()
        partitions: dict[str, int] = {}
        for file, footer in footers:
            partitions[file.partition] = partitions.get(file.partition, 0) + footer.num_rows
        query = parquet_query(
            [file.path for file, _ in footers], [column.name for column in contract.columns]
        )
        target = self.staging_folder(contract, batch_id) / DATA_FILE
        build(target, query, sum(partitions.values()))
        loaded = DataFile(
            path=str(target.relative_to(self.folder(contract.key))),
            columns=columns(contract),
            partitions=partitions,
            partitions_held=len(partitions),
            size=target.stat().st_size,
            sha256=sha256_of(target),
        )
        return (loaded,)

    def _clear_up(self, contract: Contract, batch_id: str, built: Sequence[DataFile]) -> None:
        """Remove what was built and the batch's version does not need: a merge made in vain."""
        version = self.published_batch(contract.key, batch_id)
        if version is None:
            return  # it failed; the batch stays staged, and `discard` removes it with all of this
        folder = self.folder(contract.key)
        needed = self.manifests(contract.key).files(version.number)
        attempts = {(folder / file.path).parent for file in built}
        for attempt in attempts - {path.parent for path in needed}:
            staging_area.remove_attempt(attempt)

    def _merged(
        self, contract: Contract, batch_id: str, files: Sequence[DataFile]
    ) -> tuple[DataFile, ...]:
        """The small files as one, so that reading a product of many publishes stays fast."""
        small = [file for file in files if file.rows < MERGE_ROWS_BELOW]
        target = self.staging_folder(contract, batch_id) / DATA_FILE
        column = contract.partitioning.column if contract.partitioning else None
        merged = merge(self.folder(contract.key), target, small, columns_of(contract), column)
        return (*(file for file in files if file not in small), merged)

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """The keys of all published products."""
        found = (path.parent.parent for path in self.root.glob("*/*/versions/v*.json"))
        keys = sorted({f"{folder.parent.name}/{folder.name}" for folder in found})
        return without_branches(keys)

    def versions(self, product: str) -> list[Version]:
        return self.manifests(product).versions()

    def open(self, product: str, number: int | None = None) -> Snapshot:
        manifests = self.manifests(product)
        numbers = manifests.numbers()
        wanted = numbers[-1] if number is None and numbers else number
        if wanted not in numbers:
            wanted = readable(self.versions(product), product, self.name, number).number
        manifest = manifests.get(wanted)  # alone: another version's may be broken
        version = manifest.version(self.name)
        _ = version.evidence
        opened = WarehouseSnapshot(self.folder(product), manifest, version)
        opened.check()
        return opened

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        return self.manifests(product).of_batch(batch_id)

    def check_in_step(self, product: str) -> None:
        self.manifests(product).check_in_step()

    def repair(self, product: str, *, dry_run: bool = False) -> str | None:
        folder = self.folder(product)
        with advisory_lock(folder / ".publish.lock"):
            return self.manifests(product).spares.repair(product, folder, dry_run=dry_run)

    def forget(self, product: str) -> None:
        """Nothing of it lies here any more."""
        self._known.pop(product, None)

    def connect(self, products: Sequence[str] | None = None) -> duckdb.DuckDBPyConnection:
        """A connection with a view `domain.product` over the current version of each product."""
        return connect(self, self.products() if products is None else products)

    # -- internals -------------------------------------------------------------------------------

    def folder(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product)

    def _area(self, product: str) -> Path:
        return self.folder(product) / "data"

    def manifests(self, product: str) -> Manifests:
        if product not in self._known:
            self._known[product] = Manifests(product, self.name, self.folder(product))
        return self._known[product]
