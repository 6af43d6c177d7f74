"""The lake: products as Apache Iceberg tables that any engine reads, published in single commits.

Belongs here: the publish protocol on Iceberg (namespace = domain, table = product).
Does not belong here: what a commit consists of (`commit.py`), schemas (`schema.py`),
versions (`history.py`), reading (`snapshot.py`), Dagster.

Every version is one snapshot on main whose summary carries its number, its batch and its evidence,
and which a tag `v<number>` keeps. In the local lake a staged batch lies below the table's own data
location, so that publishing it is nothing but that commit: the very files are adopted. Elsewhere
they are uploaded first (`files.py`), and made visible by the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from pyiceberg.manifest import DataFile, ManifestEntry
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from pyiceberg.types import NestedField

from shared_resources.contracts.iceberg_schema import iceberg_partition_spec, iceberg_schema
from shared_resources.contracts.model import Contract
from shared_resources.evidence.keys import NUMBER
from shared_resources.io_managers import staging_area
from shared_resources.io_managers.attempts import Attempts, advisory_lock
from shared_resources.io_managers.evolution import check_evolution
from shared_resources.io_managers.footers import read_footers
from shared_resources.io_managers.lake import housekeeping as lake_housekeeping
from shared_resources.io_managers.lake.catalog import LakeCatalog, TableCatalog
from shared_resources.io_managers.lake.commit import (
    TABLE_PROPERTIES,
    LakeTransaction,
    data_files,
    files_of,
    is_conflict,
    live_entries,
    live_files,
    partition_of,
    stage_snapshot,
)
from shared_resources.io_managers.lake.files import LakeFiles, LocalFiles
from shared_resources.io_managers.lake.history import (
    STORE,
    last_snapshot,
    number_of,
    snapshot_of,
    tag_of,
    to_version,
    untagged,
    version_of_batch,
    versions_of,
)
from shared_resources.io_managers.lake.leftovers import LakeTable, stored_bytes, unneeded
from shared_resources.io_managers.lake.schema import (
    check_partitioning,
    columns_of_schema,
    evolve,
    name_mapping,
    use_schema,
)
from shared_resources.io_managers.lake.snapshot import LakeSnapshot, schema_of
from shared_resources.io_managers.protocol import (
    ORPHAN_AGE,
    Compaction,
    PublishError,
    Snapshot,
    StagedBatch,
    Version,
)
from shared_resources.io_managers.versions import check_batch, choose, stamp


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
        staged: StagedBatch,
        properties: Mapping[str, str],
        *,
        append: bool = False,
    ) -> Version:
        check_batch(contract, staged)
        footers = read_footers(staged.files, contract)

        @cache  # files are brought to their place once, however often the same commit is tried
        def locations(fields: tuple[NestedField, ...]) -> Mapping[Path, str]:
            paths = [file.path for file, _ in footers]
            return self._files.place(contract.key, staged, paths, fields)

        def plan(base: _Base, transaction: Transaction) -> _Files:
            kept = {
                path: file
                for path, file in base.held.items()
                if append or not (staged.replaces_all or partition_of(file) in staged.partitions)
            }
            if base.last is not None:
                _evolve(contract, base, transaction, rows_stay=bool(kept))
            metadata = transaction.table_metadata
            add = data_files(footers, metadata, locations(metadata.schema().fields))
            return kept | {file.file_path: file for file in add}

        return self._commit(contract, staged.batch_id, properties, plan)

    def rollback(
        self, contract: Contract, to: int, properties: Mapping[str, str], *, batch_id: str
    ) -> Version:
        def plan(base: _Base, transaction: Transaction) -> _Files:
            assert base.table is not None and isinstance(transaction, LakeTransaction)
            target = snapshot_of(base.table, contract.key, to)
            if tag_of(to) in base.table.metadata.refs:  # else this commit tags it again
                transaction.keep_ref(tag_of(to))  # it may expire meanwhile, files and all
            use_schema(transaction, schema_of(base.table, target))
            return live_files(base.table, target)

        choose(self.versions(contract.key), contract.key, self.name, to)
        return self._commit(contract, batch_id, properties, plan, rollback_of=to)

    def _commit(
        self,
        contract: Contract,
        batch_id: str,
        properties: Mapping[str, str],
        plan: Callable[[_Base, Transaction], _Files],
        rollback_of: int | None = None,
    ) -> Version:
        """Commit what `plan` wants on top of whatever is published by then; once per batch id."""
        attempts = Attempts(f"publishing {contract.key} in the {self.name}")
        with advisory_lock(self._lock_file(contract.key)):
            for _ in attempts:
                table = self._catalog.load(contract.key)
                if published := version_of_batch(table, contract.key, batch_id):
                    return published
                try:
                    base = _Base.of(table)
                    transaction = self._begin(contract, table)
                    files = plan(base, transaction)
                    number = 1 + ((number_of(base.last) or 0) if base.last else 0)
                    rows = sum(file.record_count for file in files.values())
                    evidence = stamp(properties, number, batch_id, rows, rollback_of)
                    _stage(transaction, base, files, evidence)
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
            TABLE_PROPERTIES | name_mapping(schema),
        )

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """The keys of all published products."""
        return self._catalog.products()

    def versions(self, product: str) -> list[Version]:
        return versions_of(self._catalog.load(product), product)

    def open(self, product: str, number: int | None = None) -> Snapshot:
        table = self._catalog.load(product)
        version = choose(versions_of(table, product), product, self.name, number)
        assert table is not None
        snapshot = snapshot_of(table, product, version.number)
        return LakeSnapshot(table, snapshot, version, self._files)

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        return version_of_batch(self._catalog.load(product), product, batch_id)

    def _lock_file(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / ".publish.lock"

    def _area(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / "data"


_Files = dict[str, DataFile]


@dataclass(frozen=True)
class _Base:
    """What a commit is made on: `live` is what main lists, `held` what the last version holds.

    They differ only after another tool has committed to main; our next commit drops what it did.
    """

    table: Table | None
    last: IcebergSnapshot | None
    live: Mapping[str, list[ManifestEntry]]
    held: _Files

    @classmethod
    def of(cls, table: Table | None) -> _Base:
        if table is None:
            return cls(None, None, {}, {})
        main, last = table.current_snapshot(), last_snapshot(table)
        live = live_entries(table, main)
        held = files_of(live) if last == main else live_files(table, last)
        return cls(table, last, live, held)


def _evolve(contract: Contract, base: _Base, transaction: Transaction, *, rows_stay: bool) -> None:
    assert base.table is not None and base.last is not None
    check_partitioning(contract, base.table.schema(), base.table.spec())
    check_evolution(
        contract,
        columns_of_schema(schema_of(base.table, base.last)),
        to_version(contract.key, base.last).properties,
        replaces_everything=not rows_stay,
    )
    evolve(transaction, contract)


def _stage(
    transaction: Transaction, base: _Base, files: _Files, evidence: Mapping[str, str]
) -> None:
    paths = files_of(base.live).keys()
    stage_snapshot(
        transaction,
        live=base.live,
        add=[file for path, file in files.items() if path not in paths],
        remove=paths - files.keys(),
        properties=evidence,
        tag=tag_of(int(evidence[NUMBER])),
        missing_tags=untagged(base.table),
    )
