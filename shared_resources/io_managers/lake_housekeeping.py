"""The lake's housekeeping: fewer files, expired versions, files that nobody needs any more.

Belongs here: compaction, expiry and orphans of a product's Iceberg table.
Does not belong here: publishing (`lake.py`), what a commit consists of (`lake_commit.py`), when and
how long something is kept (`shared_resources/housekeeping/`).

A compaction is one more snapshot of the same version, number and evidence; the one that it
supersedes stays readable until `remove_orphans` is told that it was so for long enough. Files are
deleted only after the commit that stopped needing them, and only those that no snapshot of the
table as it then is needs: who dies in between leaves files that the next `remove_orphans` finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from pyiceberg.table.update import AssertRefSnapshotId, RemoveSnapshotsUpdate

from shared_resources.contracts.model import Contract
from shared_resources.io_managers import staging_area
from shared_resources.io_managers.attempts import Attempts
from shared_resources.io_managers.compacting import SMALL_BYTES, write_compacted
from shared_resources.io_managers.duck import in_memory
from shared_resources.io_managers.footers import read_footers
from shared_resources.io_managers.lake_catalog import TableCatalog
from shared_resources.io_managers.lake_commit import (
    LakeTransaction,
    data_files,
    is_conflict,
    live_entries,
    partition_of,
    stage_snapshot,
)
from shared_resources.io_managers.lake_files import LakeFiles
from shared_resources.io_managers.lake_history import (
    last_snapshot,
    may_have_published,
    number_of,
    superseded,
    tag_of,
    to_version,
    untagged,
    versions_of,
)
from shared_resources.io_managers.lake_schema import use_schema
from shared_resources.io_managers.lake_snapshot import LakeSnapshot, schema_of
from shared_resources.io_managers.levelling import as_published
from shared_resources.io_managers.protocol import (
    Compaction,
    Overtaken,
    PublishError,
    StagedBatch,
    Version,
)
from shared_resources.io_managers.same_rows import checksums
from shared_resources.io_managers.versions import expirable

# A publish leaves up to two files a partition: fewer than these are not worth rewriting.
COMPACT_FROM = 4
READERS = 8
SWEPT = "_swept"  # when the files were last looked through; engines leave out such names
MAIN = "main"


@dataclass(frozen=True)
class LakeTable:
    """What housekeeping needs to know of a product in the lake.

    `files` knows where its files are, `area` is where its batches are staged, `staging` makes a new
    staged attempt, `lock` holds off publishers as long as everybody is well.
    """

    product: str
    catalog: TableCatalog
    files: LakeFiles
    area: Path
    staging: Callable[[Contract, str], Path]
    lock: Callable[[], AbstractContextManager[None]]

    def load(self) -> Table | None:
        return self.catalog.load(self.product)


# -- compaction ----------------------------------------------------------------------------------


def compact(at: LakeTable, contract: Contract) -> Compaction | None:
    """Rewrite small files of the current version, each partition's as few of a good size.

    Raises `Overtaken` when someone published meanwhile, and `PublishError` when the new files do not
    hold the very rows of the old ones; either way nothing has changed.
    """
    table = at.load()
    last = last_snapshot(table)
    if table is None or last is None or table.current_snapshot() != last:
        return None  # never published, or another tool has committed since: not ours to rewrite
    version = to_version(at.product, last)
    snapshot = LakeSnapshot(table, last, version, at.files)
    chosen = _worth_rewriting(snapshot.files)
    if not chosen:
        return None
    then = as_published(contract, snapshot)
    attempt = at.staging(then, f"compaction-v{version.number}")
    try:
        written = [
            file
            for partition, files in sorted(chosen.items())
            for file in write_compacted(snapshot.of(files).batches(), attempt, partition)
        ]
        transaction = LakeTransaction(table)
        use_schema(transaction, schema_of(table, last))
        staged = StagedBatch(at.product, attempt.parent.name, attempt, tuple(written))
        locations = at.files.place(at.product, staged, [file.path for file in written])
        add = data_files(read_footers(written, then), transaction.table_metadata, locations)
        remove = [file for files in chosen.values() for file in files]
        _check_same_rows(snapshot, remove, add)
        with at.lock():
            stage_snapshot(
                transaction,
                live=live_entries(table, last),
                add=add,
                remove=[file.file_path for file in remove],
                properties=version.properties,
                tag=tag_of(version.number),
                missing_tags=untagged(table),
                operation=Operation.REPLACE,
            )
            transaction.commit_transaction()
    except Exception as problem:
        # An unknown outcome may have adopted the files: then they are left for `remove_orphans`.
        if isinstance(problem, PublishError | CommitFailedException):
            staging_area.remove_attempt(attempt)
        if is_conflict(problem):
            raise Overtaken(at.product, version.number) from problem
        raise
    return Compaction(len(snapshot.files), len(snapshot.files) - len(remove) + len(add))


def _worth_rewriting(files: Iterable[DataFile]) -> Mapping[str, Sequence[DataFile]]:
    """By partition, the small files where there are many of them."""
    small: dict[str, list[DataFile]] = {}
    for file in files:
        if file.file_size_in_bytes < SMALL_BYTES:
            small.setdefault(partition_of(file), []).append(file)
    return {partition: found for partition, found in small.items() if len(found) >= COMPACT_FROM}


def _check_same_rows(
    snapshot: LakeSnapshot, old: Sequence[DataFile], new: Sequence[DataFile]
) -> None:
    names = snapshot.schema.names
    with in_memory() as connection:
        expected = checksums(connection, snapshot.of(old).select(names), names)
        found = checksums(connection, snapshot.of(new).select(names), names)
    if expected != found:
        version = snapshot.version
        raise PublishError(
            f"{version.product}: compacting version {version.number} in the lake gave other rows "
            f"({found} instead of {expected}); nothing was changed. Look for a damaged file among "
            f"those of snapshot {version.snapshot}, and keep what there is."
        )


# -- expiry --------------------------------------------------------------------------------------


def expire(at: LakeTable, before: datetime) -> list[Version]:
    """Remove versions that were published before, then the files that only they needed.

    A version stays whose snapshot has another name than its own tag: somebody else needs it.
    """

    def choose(table: Table) -> tuple[list[Version], list[IcebergSnapshot]]:
        expired = expirable(versions_of(table, at.product), before)
        numbers = {version.number for version in expired} - _named_by_others(table)
        return (
            [version for version in expired if version.number in numbers],
            [s for s in table.metadata.snapshots if number_of(s) in numbers],
        )

    return _drop(at, choose)


def _drop_superseded(at: LakeTable, since: datetime) -> list[str]:
    """Remove snapshots that compactions superseded before; the names of those removed."""

    def choose(table: Table) -> tuple[list[str], list[IcebergSnapshot]]:
        named = {ref.snapshot_id for ref in table.metadata.refs.values()}
        ripe = [
            snapshot
            for snapshot, superseded_at in superseded(table)
            if superseded_at <= since and snapshot.snapshot_id not in named
        ]
        return [f"snapshot {snapshot.snapshot_id}" for snapshot in ripe], ripe

    return _drop(at, choose)


def _named_by_others(table: Table) -> set[int | None]:
    """The numbers of versions that a tag or branch other than their own holds."""
    metadata = table.metadata
    return {
        number
        for name, ref in metadata.refs.items()
        if (snapshot := metadata.snapshot_by_id(ref.snapshot_id)) is not None
        and (number := number_of(snapshot)) is not None
        and name != tag_of(number)
    }


_Chosen = TypeVar("_Chosen")


def _drop(
    at: LakeTable, choose: Callable[[Table], tuple[list[_Chosen], list[IcebergSnapshot]]]
) -> list[_Chosen]:
    """Remove the chosen snapshots and their tags in one commit, then what only they needed."""
    attempts = Attempts(f"expiring versions of {at.product} in the lake")
    for _ in attempts:
        table = at.load()
        if table is None:
            return []
        chosen, snapshots = choose(table)
        if not snapshots:
            return []
        lost = needed_files(table, snapshots)
        transaction = LakeTransaction(table)
        # Main must be what it was: else a rollback to one of them may have been published.
        main = AssertRefSnapshotId.model_validate(
            {"ref": MAIN, "snapshot-id": table.metadata.refs[MAIN].snapshot_id}
        )
        ids = [snapshot.snapshot_id for snapshot in snapshots]
        removal = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": ids})
        try:
            with at.lock():
                transaction._stage((removal,), (main,))
                left = transaction.commit_transaction()
        except Exception as problem:
            if not is_conflict(problem):
                raise
            attempts.failed(problem)
            continue
        at.files.delete(sorted(lost - needed_files(left)))
        return chosen
    raise attempts.exhausted()


# -- orphans -------------------------------------------------------------------------------------


def remove_orphans(at: LakeTable, older_than: timedelta) -> list[str]:
    """Remove superseded snapshots, and files that no process and no snapshot needs any more.

    Looking through all files takes long where there are many of them: it is not done again before
    `older_than` is over, in which little more can have become so old.
    """
    removed = _drop_superseded(at, datetime.now(UTC) - older_than)
    removed += staging_area.remove_orphans(at.area, _Needed(at), older_than)
    return removed + (_sweep(at, older_than) if _is_due(at, older_than) else [])


def _sweep(at: LakeTable, older_than: timedelta) -> list[str]:
    since = datetime.now(UTC) - older_than
    removed: list[str] = []
    found: list[str] = []
    # Looked for before it is asked what is needed: a file that is old now will not be adopted.
    for below in at.files.sweepable(at.product):
        removed += at.files.abort_uploads(below, since)
        found += [file.location for file in at.files.listing(below) if file.modified <= since]
    table = at.load()
    if table is not None:
        needed = needed_files(table) | _metadata_files(table)
    elif at.files.adopts:
        return removed  # staged batches, whose processes are alive
    else:
        needed = set()
    unneeded = sorted(set(found) - needed)
    at.files.delete(unneeded)
    if table is not None:
        at.files.write(_marker(at), datetime.now(UTC).isoformat().encode())
    return removed + unneeded


def _is_due(at: LakeTable, older_than: timedelta) -> bool:
    try:
        swept = datetime.fromisoformat(at.files.read(_marker(at)).decode())
    except (FileNotFoundError, ValueError):
        return True
    return datetime.now(UTC) - swept >= older_than


def _marker(at: LakeTable) -> str:
    return f"{at.files.location(at.product)}/{SWEPT}"


def unneeded(at: LakeTable, batch_id: str, attempts: Sequence[Path]) -> list[Path]:
    """The batch's attempts of which no snapshot holds a file."""
    if not at.files.adopts:
        return list(attempts)
    needed, table = _Needed(at), at.load() if attempts else None
    found = []
    for attempt in attempts:
        staged = datetime.fromtimestamp(attempt.stat().st_mtime, UTC)
        if not (may_have_published(table, at.product, batch_id, staged) and needed(attempt)):
            found.append(attempt)
    return found


class _Needed:
    """Whether a staged attempt holds files of a snapshot; the table is read at the first question."""

    def __init__(self, at: LakeTable) -> None:
        self._at = at

    def __call__(self, attempt: Path) -> bool:
        return attempt in self._attempts

    @cached_property
    def _attempts(self) -> set[Path]:
        table, area = self._at.load() if self._at.files.adopts else None, self._at.area
        paths = (Path(path) for path in needed_files(table)) if table is not None else ()
        inside = (path.relative_to(area).parts for path in paths if path.is_relative_to(area))
        return {area.joinpath(*parts[:2]) for parts in inside}


def needed_files(table: Table, snapshots: Iterable[IcebergSnapshot] | None = None) -> set[str]:
    """The manifest lists, manifests and data files of these snapshots, by default of all."""
    chosen = table.metadata.snapshots if snapshots is None else list(snapshots)
    with ThreadPoolExecutor(READERS) as pool:
        listed = pool.map(lambda snapshot: snapshot.manifests(table.io), chosen)
        manifests = {one.manifest_path: one for several in listed for one in several}
        entries = pool.map(
            lambda manifest: manifest.fetch_manifest_entry(table.io, discard_deleted=True),
            manifests.values(),
        )
        files = {entry.data_file.file_path for several in entries for entry in several}
    return files | manifests.keys() | {snapshot.manifest_list for snapshot in chosen}


def _metadata_files(table: Table) -> set[str]:
    """What the table's own metadata names beside its snapshots."""
    metadata = table.metadata
    return {
        table.metadata_location,
        *(entry.metadata_file for entry in metadata.metadata_log),
        *(file.statistics_path for file in metadata.statistics),
        *(file.statistics_path for file in metadata.partition_statistics),
    }
