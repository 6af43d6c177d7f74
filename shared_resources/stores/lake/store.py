"""The lake: products as Apache Iceberg tables that any engine reads, published in single commits.

Belongs here: the publish protocol on Iceberg (namespace = domain, table = product).
Does not belong here: what a commit consists of (`commit.py`), schemas (`schema.py`),
versions (`history.py`), reading (`snapshot.py`), Dagster.

Every version is one snapshot on main whose summary carries its number, its batch and its evidence,
and which a tag `v<number>` keeps. In the local lake a staged batch lies below the table's own data
location, so that publishing it is nothing but that commit: the very files are adopted. Elsewhere
they are uploaded first (`stores/lake/files/local.py`), and made visible by the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from pyiceberg.table import Table, Transaction
from pyiceberg.types import NestedField

from shared_resources.contracts.compiling.iceberg_schema import (
    iceberg_partition_spec,
    iceberg_schema,
)
from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence, RolledBack
from shared_resources.stores.cleared import check_cleared, check_not_overtaken
from shared_resources.stores.commit_attempts import Attempts, advisory_lock
from shared_resources.stores.lake import housekeeping as lake_housekeeping
from shared_resources.stores.lake.catalog.sqlite import LakeCatalog, TableCatalog
from shared_resources.stores.lake.commit import (
    TABLE_PROPERTIES,
    LakeTransaction,
    data_files,
    is_conflict,
    live_files,
    partition_of,
    unbounded,
    without_bounds,
)
from shared_resources.stores.lake.files.local import LakeFiles, LocalFiles, Placed
from shared_resources.stores.lake.history import (
    STORE,
    highest_number,
    snapshot_of,
    tag_of,
    to_version,
    version_of_batch,
    versions_of,
)
from shared_resources.stores.lake.leftovers import stored_bytes, unneeded
from shared_resources.stores.lake.metadata_files import load_in_step
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.planning import Base, Files, evolve_table, stage_version
from shared_resources.stores.lake.repair import repair
from shared_resources.stores.lake.schema import (
    name_mapping,
    use_schema,
)
from shared_resources.stores.lake.snapshot import LakeSnapshot, schema_of
from shared_resources.stores.protocol import (
    ORPHAN_AGE,
    Cleared,
    Compaction,
    OutOfStep,
    PublishError,
    Snapshot,
    StagedBatch,
    Version,
)
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.footers import read_footers
from shared_resources.stores.versions import choose, readable, restored, stamp


class LakeStore:
    """`protocol.ProductStore` on Iceberg: by default a SQLite catalog and files below `root`.

    `files_s3.s3_lake` gives the same on S3 and Glue; `root` is where batches are staged then.
    """

    name = STORE

    def __init__(self, where: Path | LakeFiles, catalog: TableCatalog | None = None) -> None:
        self._files = LocalFiles(where) if isinstance(where, Path) else where
        self.root = self._files.root
        self._catalog = catalog or LakeCatalog(self.root)

    # -- staging ---------------------------------------------------------------------------------

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        """A new folder on every call; in the local lake it lies below the table's data location."""
        return staging_area.new_attempt(self._area(contract.key), batch_id)

    def release(self, staged: StagedBatch) -> None:
        """On S3 the uploaded files; in the local lake they are the version's own."""
        if not self._files.adopts:
            staging_area.remove_attempt(staged.folder)

    def discard(self, contract: Contract, batch_id: str) -> None:
        attempts = staging_area.attempts_of(self._area(contract.key), batch_id)
        for attempt in unneeded(self._at(contract.key), batch_id, attempts):
            staging_area.remove_attempt(attempt)

    def remove_orphans(self, product: str, older_than: timedelta = ORPHAN_AGE) -> list[str]:
        """Remove what dead processes left, and what expired or was compacted so long ago."""
        return lake_housekeeping.remove_orphans(self._at(product), older_than)

    # -- housekeeping ----------------------------------------------------------------------------

    def compact(self, contract: Contract) -> Compaction | None:
        return lake_housekeeping.compact(self._at(contract.key), contract)

    def would_compact(self, contract: Contract) -> Compaction | None:
        """What `compact` would do now."""
        return lake_housekeeping.would_compact(self._at(contract.key))

    def orphans(self, product: str) -> list[str]:
        """What `remove_orphans` would remove now."""
        return lake_housekeeping.orphans(self._at(product), ORPHAN_AGE)

    def stored_bytes(self, product: str) -> int:
        return stored_bytes(self._at(product))

    def expire(self, contract: Contract, before: datetime) -> list[Version]:
        return lake_housekeeping.expire(self._at(contract.key), before)

    def _at(self, product: str) -> LakeTable:
        def lock() -> AbstractContextManager[None]:
            return advisory_lock(self._lock_file(product))

        area, staging = self._area(product), self.staging_folder
        return LakeTable(product, self._catalog, self._files, area, staging, lock)

    # -- publishing ------------------------------------------------------------------------------

    def publish(
        self,
        contract: Contract,
        cleared: Cleared,
        *,
        append: bool = False,
    ) -> Version:
        check_cleared(contract, cleared)
        staged = cleared.staged
        footers = read_footers(staged.files, contract)

        @cache  # files are brought to their place once, however often the same commit is tried
        def placed(fields: tuple[NestedField, ...]) -> Mapping[Path, Placed]:
            paths = [file.path for file, _ in footers]
            return self._files.place(contract.key, staged, paths, fields)

        def plan(base: Base, transaction: Transaction) -> Files:
            if not append:
                check_not_overtaken(contract, cleared, versions_of(base.table, contract.key))
            everything = staged.replaces_all or contract.partitioning is None
            if base.lost and (append or not everything):
                raise base.lost
            kept = {
                path: file
                for path, file in base.held.items()
                if append or not (staged.replaces_all or partition_of(file) in staged.partitions)
            }
            if base.last is not None:
                evolve_table(contract, base, transaction, rows_stay=bool(kept))
            metadata = transaction.table_metadata
            add = data_files(
                footers, metadata, placed(metadata.schema().fields), unbounded(contract)
            )
            return kept | {file.file_path: file for file in add}

        return self._commit(contract, staged.batch_id, cleared.evidence, plan)

    def rollback(self, contract: Contract, to: int, why: RolledBack, *, batch_id: str) -> Version:
        def plan(base: Base, transaction: Transaction) -> Files:
            assert base.table is not None and isinstance(transaction, LakeTransaction)
            target = snapshot_of(base.table, contract.key, to)
            if tag_of(to) in base.table.metadata.refs:  # else this commit tags it again
                transaction.keep_ref(tag_of(to))  # it may expire meanwhile, files and all
            use_schema(transaction, schema_of(base.table, target))
            return live_files(base.table, target)

        versions = self.versions(contract.key)
        choose(versions, contract.key, self.name, to)
        proof = restored(versions, to, why)
        return self._commit(contract, batch_id, proof, plan, rollback_of=to)

    def _commit(
        self,
        contract: Contract,
        batch_id: str,
        evidence: Evidence,
        plan: Callable[[Base, Transaction], Files],
        rollback_of: int | None = None,
    ) -> Version:
        """Commit what `plan` wants on top of whatever is published by then; once per batch id."""
        attempts = Attempts(f"publishing {contract.key} in the {self.name}")
        with advisory_lock(self._lock_file(contract.key)):
            for attempt in attempts:
                if attempt:
                    table = self._load(contract.key)
                else:
                    table = load_in_step(self._at(contract.key), publishing=True)
                if published := version_of_batch(table, contract.key, batch_id):
                    return published
                try:
                    base = Base.of(table)
                    transaction = self._begin(contract, table)
                    files = plan(base, transaction)
                    number = 1 + highest_number(table)
                    rows = sum(file.record_count for file in files.values())
                    stage_version(
                        transaction,
                        base,
                        files,
                        stamp(evidence, number, batch_id, rows, rollback_of),
                    )
                    committed = transaction.commit_transaction().current_snapshot()
                    assert committed is not None
                    return to_version(contract.key, committed)
                except Exception as problem:
                    # Even when the outcome is unknown the next look at the table knows it.
                    if self._catalog.outcome_is_unknown(problem):
                        return self._look_again(contract, batch_id, problem)
                    if not is_conflict(problem):
                        raise
                    attempts.failed(problem)
        if published := self.published_batch(contract.key, batch_id):
            return published
        raise attempts.exhausted()

    def _look_again(self, contract: Contract, batch_id: str, problem: Exception) -> Version:
        """The version, if it was committed although its commit failed."""
        if published := self.published_batch(contract.key, batch_id):
            return published
        raise PublishError(
            f"{contract.key}: publishing batch {batch_id} in the {self.name} failed: {problem}. "
            "The table does not have it. Run it again: a batch is published once, whatever is heard "
            "of this attempt later."
        ) from problem

    def _begin(self, contract: Contract, table: Table | None) -> Transaction:
        """A transaction on the table; the first one creates it together with its first version."""
        if table is not None:
            return LakeTransaction(table)
        schema = iceberg_schema(contract)
        return self._catalog.begin_table(
            contract.key,
            schema,
            self._files.location(contract.key),
            iceberg_partition_spec(contract, schema),
            TABLE_PROPERTIES | name_mapping(schema) | without_bounds(unbounded(contract)),
        )

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """The keys of all published products."""
        return self._catalog.products()

    def versions(self, product: str) -> list[Version]:
        return versions_of(self._load(product), product)

    def open(self, product: str, number: int | None = None) -> Snapshot:
        table = self._load(product)
        version = readable(versions_of(table, product), product, self.name, number)
        assert table is not None
        snapshot = snapshot_of(table, product, version.number)
        opened = LakeSnapshot(table, snapshot, version, self._files)
        opened.check()
        return opened

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        return version_of_batch(self._load(product), product, batch_id)

    def check_in_step(self, product: str) -> None:
        load_in_step(self._at(product))

    def repair(self, product: str, *, dry_run: bool = False) -> str | None:
        with advisory_lock(self._lock_file(product)):
            return repair(self._at(product), dry_run=dry_run)

    def _load(self, product: str) -> Table | None:
        """A product that a catalog does not know is new only where nothing of it lies."""
        if table := self._catalog.load(product):
            return table
        try:
            return load_in_step(self._at(product))
        except OutOfStep:
            raise
        except PublishError:  # the lake is another mesh's: nothing of this one lies there
            return None

    def _lock_file(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / ".publish.lock"

    def _area(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / "data"
