"""The lake: products as Apache Iceberg tables that any engine reads, published in single commits.

Belongs here: the publish protocol on Iceberg (namespace = domain, table = product).
Does not belong here: what a commit consists of (`lake_commit.py`), schemas (`lake_schema.py`),
reading (`lake_snapshot.py`), Dagster.

Every version is one snapshot on main whose summary carries its number, its batch and its evidence,
and which a tag `v<number>` keeps. A staged batch lies below the table's own data location, so that
publishing it is nothing but that commit: the very files are adopted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError, ValidationException
from pyiceberg.manifest import DataFile, ManifestEntryStatus
from pyiceberg.table import Table, Transaction
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from sqlalchemy.exc import OperationalError

from shared_resources.contracts.model import Contract
from shared_resources.io_managers import staging_area
from shared_resources.io_managers.attempts import advisory_lock, attempts
from shared_resources.io_managers.evolution import check_evolution
from shared_resources.io_managers.footers import read_footers
from shared_resources.io_managers.lake_catalog import LakeCatalog, identifier
from shared_resources.io_managers.lake_commit import (
    TABLE_PROPERTIES,
    data_files,
    live_entries,
    live_files,
    stage_snapshot,
    stage_tag,
)
from shared_resources.io_managers.lake_schema import (
    check_partitioning,
    columns_of_schema,
    evolve,
    first_schema,
    name_mapping,
    partition_key,
    partition_spec,
    use_schema,
)
from shared_resources.io_managers.lake_snapshot import LakeSnapshot, schema_of
from shared_resources.io_managers.protocol import (
    UNPARTITIONED,
    NotPublished,
    Snapshot,
    StagedBatch,
    StagedFile,
    Version,
)
from shared_resources.io_managers.versions import (
    BATCH_ID,
    NUMBER,
    check_batch,
    choose,
    stamp,
    version_of,
)

_CONFLICTS = (CommitFailedException, ValidationException, TableAlreadyExistsError, OperationalError)


class LakeStore:
    """`protocol.ProductStore` on Iceberg: a SQL catalog in SQLite and files below `root`."""

    name = "lake"

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()
        self._catalog = LakeCatalog(self.root)

    # -- staging ---------------------------------------------------------------------------------

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        """A new folder on every call, below the table's data location."""
        return staging_area.new_attempt(self._area(contract.key), batch_id)

    def discard(self, contract: Contract, batch_id: str) -> None:
        table = self._catalog.load(contract.key)
        for attempt in staging_area.attempts_of(self._area(contract.key), batch_id):
            if not _adopted(table, attempt):
                staging_area.remove_attempt(attempt)

    def remove_orphans(
        self, product: str, older_than: timedelta = staging_area.ORPHAN_AGE
    ) -> list[Path]:
        """Remove what dead processes staged and never published; returns what was removed."""

        def published(attempt: Path) -> bool:
            return _adopted(self._catalog.load(product), attempt)

        return staging_area.remove_orphans(self._area(product), published, older_than)

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

        def plan(table: Table, transaction: Transaction, last: IcebergSnapshot | None) -> _Files:
            held = live_files(table, last)
            kept = {p: f for p, f in held.items() if append or not _replaced(f, staged)}
            if last is not None:
                self._evolve(contract, table, transaction, last, bool(held) and bool(kept))
            add = data_files(footers, transaction.table_metadata, contract.key)
            return kept | {file.file_path: file for file in add}

        return self._commit(contract, staged.batch_id, properties, plan)

    def rollback(
        self, contract: Contract, to: int, properties: Mapping[str, str], *, batch_id: str
    ) -> Version:
        def plan(table: Table, transaction: Transaction, last: IcebergSnapshot | None) -> _Files:
            target = self._snapshot(table, contract.key, to)
            use_schema(transaction, schema_of(table, target))
            return live_files(table, target)

        self.open(contract.key, to)  # says which versions there are, before anything is tried
        return self._commit(contract, batch_id, properties, plan, rollback_of=to)

    def _evolve(
        self,
        contract: Contract,
        table: Table,
        transaction: Transaction,
        last: IcebergSnapshot,
        rows_stay: bool,
    ) -> None:
        check_partitioning(contract, table.schema(), table.spec())
        check_evolution(
            contract,
            columns_of_schema(schema_of(table, last)),
            _version(contract.key, last).properties,
            replaces_everything=not rows_stay,
        )
        evolve(transaction, contract)

    def _commit(
        self,
        contract: Contract,
        batch_id: str,
        properties: Mapping[str, str],
        plan: _Plan,
        rollback_of: int | None = None,
    ) -> Version:
        """Commit what `plan` wants on top of whatever is published by then; once per batch id."""
        domain, _ = identifier(contract.key)
        with advisory_lock(staging_area.product_folder(self.root, contract.key) / ".publish.lock"):
            for _ in attempts(f"publishing {contract.key}"):
                table = self._catalog.load(contract.key)
                if published := _published(table, contract.key, batch_id):
                    return published
                with suppress(*_CONFLICTS):
                    if table is None:
                        self._catalog.ensure_namespace(domain)
                    transaction = self._begin(contract, table)
                    files = plan(transaction._table, transaction, _last(table))
                    number = 1 + max((v.number for v in _versions(table, contract.key)), default=0)
                    rows = sum(file.record_count for file in files.values())
                    self._stage(
                        transaction, files, stamp(properties, number, batch_id, rows, rollback_of)
                    )
                    transaction.commit_transaction()
        raise AssertionError("attempts() ends by raising")

    def _begin(self, contract: Contract, table: Table | None) -> Transaction:
        """A transaction on the table; the first one creates it together with its first version."""
        if table is not None:
            return table.transaction()
        schema = first_schema(contract)
        return self._catalog.catalog().create_table_transaction(
            identifier(contract.key),
            schema=schema,
            location=str(staging_area.product_folder(self.root, contract.key)),
            partition_spec=partition_spec(contract, schema),
            properties=TABLE_PROPERTIES | name_mapping(schema),
        )

    def _stage(
        self, transaction: Transaction, files: _Files, properties: Mapping[str, str]
    ) -> None:
        metadata = transaction.table_metadata
        tagged = {ref.snapshot_id for name, ref in metadata.refs.items() if name.startswith("v")}
        live = live_entries(transaction._table, metadata.current_snapshot())
        paths = {entry.data_file.file_path for listed in live.values() for entry in listed}
        stage_snapshot(
            transaction,
            live=live,
            add=[file for path, file in files.items() if path not in paths],
            remove=paths - files.keys(),
            properties=properties,
            tag=f"v{properties[NUMBER]}",
        )
        for snapshot in metadata.snapshots:
            number = _number(snapshot)
            if number is not None and snapshot.snapshot_id not in tagged:
                stage_tag(transaction, snapshot.snapshot_id, f"v{number}")

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """The keys of all published products."""
        return self._catalog.products()

    def versions(self, product: str) -> list[Version]:
        return _versions(self._catalog.load(product), product)

    def open(self, product: str, number: int | None = None) -> Snapshot:
        table = self._catalog.load(product)
        version = choose(_versions(table, product), product, self.name, number)
        assert table is not None
        return LakeSnapshot(table, self._snapshot(table, product, version.number), version)

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        return _published(self._catalog.load(product), product, batch_id)

    def published_files(self, product: str, batch_id: str) -> tuple[StagedFile, ...]:
        """The files that the batch's version added: what another store still has to publish."""
        table = self._catalog.load(product)
        version = _published(table, product, batch_id)
        if table is None or version is None:
            raise NotPublished(f"batch {batch_id} of {product} is not published in the lake")
        snapshot = self._snapshot(table, product, version.number)
        return tuple(
            StagedFile(
                Path(entry.data_file.file_path), _key(entry.data_file), _rows(entry.data_file)
            )
            for listed in live_entries(table, snapshot).values()
            for entry in listed
            if entry.status is ManifestEntryStatus.ADDED
            and entry.snapshot_id == snapshot.snapshot_id
        )

    # -- internals -------------------------------------------------------------------------------

    def _area(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / "data"

    def _snapshot(self, table: Table, product: str, number: int) -> IcebergSnapshot:
        for snapshot in table.metadata.snapshots:
            if _number(snapshot) == number:
                return snapshot
        raise NotPublished(f"{product} has no version {number} in the lake")


_Files = dict[str, DataFile]
_Plan = Callable[[Table, Transaction, IcebergSnapshot | None], _Files]


def _number(snapshot: IcebergSnapshot) -> int | None:
    """The version's number; None for a snapshot that another tool made: no reader sees that."""
    number = snapshot.summary.get(NUMBER) if snapshot.summary else None
    return int(number) if number else None


def _last(table: Table | None) -> IcebergSnapshot | None:
    """The snapshot of the highest version, which is what readers see."""
    numbered = [s for s in table.metadata.snapshots if _number(s) is not None] if table else []
    return max(numbered, key=lambda snapshot: _number(snapshot) or 0, default=None)


def _versions(table: Table | None, product: str) -> list[Version]:
    snapshots = table.metadata.snapshots if table else []
    versions = [_version(product, s) for s in snapshots if _number(s) is not None]
    return sorted(versions, key=lambda version: version.number)


def _version(product: str, snapshot: IcebergSnapshot) -> Version:
    summary = snapshot.summary
    assert summary is not None
    properties = {k: v for k, v in summary.additional_properties.items() if k.startswith("mesh.")}
    return version_of(product, LakeStore.name, str(snapshot.snapshot_id), properties)


def _published(table: Table | None, product: str, batch_id: str) -> Version | None:
    for snapshot in table.metadata.snapshots if table else []:
        if snapshot.summary and snapshot.summary.get(BATCH_ID) == batch_id:
            return _version(product, snapshot)
    return None


def _adopted(table: Table | None, attempt: Path) -> bool:
    """Whether any kept version holds a file of this attempt. The batch's folder is its batch id."""
    version = _published(table, "", attempt.parent.name)
    if table is None or version is None:
        return False
    files = live_files(table, table.metadata.snapshot_by_id(int(version.snapshot)))
    return any(Path(path).is_relative_to(attempt) for path in files)


def _replaced(file: DataFile, staged: StagedBatch) -> bool:
    return staged.replaces_all or _key(file) in staged.partitions


def _key(file: DataFile) -> str:
    return partition_key(file.partition[0]) if len(file.partition) else UNPARTITIONED


def _rows(file: DataFile) -> int:
    return int(file.record_count)
