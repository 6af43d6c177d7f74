"""The lake's housekeeping: fewer files, expired versions, files that nobody needs any more.

Belongs here: compaction, and removing snapshots: of expired versions, and superseded ones.
Does not belong here: publishing (`store.py`), what a commit consists of (`commit.py`), files
that nobody needs (`leftovers.py`), how long something is kept (`shared_resources/housekeeping/`).

A compaction is one more snapshot of the same version, number and evidence; the one that it
supersedes stays readable until `remove_orphans` is told that it was so for long enough.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from pyiceberg.exceptions import CommitFailedException
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from pyiceberg.table.update import RemoveSnapshotsUpdate

from shared_resources.contracts.model import Contract
from shared_resources.stores.commit_attempts import Attempts
from shared_resources.stores.expiring.thinning import Expiry, Thinning
from shared_resources.stores.lake.committing.commit import (
    LakeTransaction,
    data_files,
    is_conflict,
    stage_snapshot,
    unbounded,
)
from shared_resources.stores.lake.committing.evolving import use_schema
from shared_resources.stores.lake.files.manifests import attested_files, live_entries, partition_of
from shared_resources.stores.lake.history import (
    STORE,
    last_snapshot,
    number_of,
    superseded,
    tag_of,
    to_version,
    untagged,
    versions_of,
)
from shared_resources.stores.lake.leftovers import (
    leftovers,
    needed_files,
    remove_leftovers,
)
from shared_resources.stores.lake.metadata_files import load_in_step
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.schema import schema_of
from shared_resources.stores.lake.snapshot import LakeSnapshot
from shared_resources.stores.levelling import as_published
from shared_resources.stores.protocol import (
    Compaction,
    Damaged,
    Overtaken,
    PublishError,
    StagedBatch,
    Version,
)
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.reading.same_rows import checksums
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.compacting import SMALL_BYTES, TARGET_BYTES, write_compacted
from shared_resources.stores.staging.fingerprints import fingerprints, name_by_digest
from shared_resources.stores.staging.footers import read_footers
from shared_resources.stores.versions import expirable

# A publish leaves up to two files a partition: fewer than these are not worth rewriting.
COMPACT_FROM = 4
READERS = 8
MAIN = "main"


# -- compaction ----------------------------------------------------------------------------------


def compact(at: LakeTable, contract: Contract) -> Compaction | None:
    """Rewrite small files of the current version, each partition's as few of a good size.

    Raises `Overtaken` when someone published meanwhile, and `PublishError` when the new files do not
    hold the very rows of the old ones; either way nothing has changed.
    """
    table = load_in_step(at)
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
        written = [*name_by_digest(written, fingerprints(written))]
        transaction = LakeTransaction(table)
        use_schema(transaction, schema_of(table, last))
        staged = StagedBatch(at.product, attempt.parent.name, attempt, tuple(written))
        metadata, paths = transaction.table_metadata, [file.path for file in written]
        placed = at.files.place(at.product, staged, paths, metadata.schema().fields)
        add = data_files(read_footers(written, then), metadata, placed, unbounded(then))
        remove = [file for files in chosen.values() for file in files]
        same = _check_same_rows(snapshot, remove, add)
        kept = [file for file in snapshot.files if file not in remove]
        with at.lock():
            stage_snapshot(
                transaction,
                live=live_entries(table, last),
                add=add,
                remove=[file.file_path for file in remove],
                properties=_attested(at, version, [*kept, *add], same),
                tag=tag_of(version.number),
                missing_tags=untagged(table),
                operation=Operation.REPLACE,
            )
            made = transaction.commit_transaction().current_snapshot()
        if made is not None:
            at.attestor.committed(to_version(at.product, made))
        if not at.files.adopts:
            staging_area.remove_attempt(attempt)
    except Exception as problem:
        # An unknown outcome may have adopted the files: then they are left for `remove_orphans`.
        if isinstance(problem, PublishError | CommitFailedException):
            staging_area.remove_attempt(attempt)
        if is_conflict(problem):
            raise Overtaken(at.product, version.number) from problem
        raise
    return Compaction(len(snapshot.files), len(snapshot.files) - len(remove) + len(add))


def _attested(
    at: LakeTable, version: Version, files: Sequence[DataFile], same_rows: Mapping[str, int]
) -> Mapping[str, str]:
    return at.attestor.attest_compaction(
        at.product, STORE, version.properties, lambda: attested_files(files), same_rows
    )


def would_compact(at: LakeTable) -> Compaction | None:
    """What `compact` would do now, as far as sizes tell."""
    table = load_in_step(at)
    last = last_snapshot(table)
    if table is None or last is None or table.current_snapshot() != last:
        return None
    files = LakeSnapshot(table, last, to_version(at.product, last), at.files).files
    chosen = _worth_rewriting(files).values()
    if not chosen:
        return None
    removed = sum(len(some) for some in chosen)
    added = sum(-(-sum(f.file_size_in_bytes for f in some) // TARGET_BYTES) for some in chosen)
    return Compaction(len(files), len(files) - removed + added)


def _worth_rewriting(files: Iterable[DataFile]) -> Mapping[str, Sequence[DataFile]]:
    """By partition, the small files where there are many of them."""
    small: dict[str, list[DataFile]] = {}
    for file in files:
        if file.file_size_in_bytes < SMALL_BYTES:
            small.setdefault(partition_of(file), []).append(file)
    return {partition: found for partition, found in small.items() if len(found) >= COMPACT_FROM}


def _check_same_rows(
    snapshot: LakeSnapshot, old: Sequence[DataFile], new: Sequence[DataFile]
) -> Mapping[str, int]:
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
    return found


# -- expiry --------------------------------------------------------------------------------------


def expire(at: LakeTable, before: Expiry) -> list[Version]:
    """Remove the versions that `expirable` says, then the files that only they needed.

    A version stays whose snapshot has another name than its own tag: somebody else needs it.
    """

    def choose(table: Table) -> tuple[list[Version], list[IcebergSnapshot]]:
        expired = expirable(versions_of(table, at.product), before)
        numbers = {version.number for version in expired} - _named_by_others(table)
        chosen = [version for version in expired if version.number in numbers]
        at.attestor.expiring(at.product, STORE, chosen, in_runs=isinstance(before, Thinning))
        return (
            chosen,
            [s for s in table.metadata.snapshots if number_of(s) in numbers],
        )

    gone = _drop(at, choose)
    at.attestor.expired(at.product, STORE, gone)
    return gone


def _drop_superseded(at: LakeTable, since: datetime) -> list[str]:
    """Remove snapshots that compactions superseded before; the names of those removed."""

    def choose(table: Table) -> tuple[list[str], list[IcebergSnapshot]]:
        ripe = _ripe(table, since)
        return _names(ripe), ripe

    return _drop(at, choose)


def _ripe(table: Table, since: datetime) -> list[IcebergSnapshot]:
    """The snapshots that were superseded before, and that nothing names."""
    named = {ref.snapshot_id for ref in table.metadata.refs.values()}
    return [
        snapshot
        for snapshot, superseded_at in superseded(table)
        if superseded_at <= since and snapshot.snapshot_id not in named
    ]


def _names(snapshots: Iterable[IcebergSnapshot]) -> list[str]:
    return [f"snapshot {snapshot.snapshot_id}" for snapshot in snapshots]


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
    attempts = Attempts(f"expiring versions of {at.product} in the lake", "nothing was removed")
    for _ in attempts:
        table = load_in_step(at)
        if table is None:
            return []
        chosen, snapshots = choose(table)
        if not snapshots:
            return []
        lost = _readable_files(table, snapshots)
        transaction = LakeTransaction(table)
        transaction.keep_ref(MAIN)  # else a rollback to one of them may have been published
        ids = [snapshot.snapshot_id for snapshot in snapshots]
        removal = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": ids})
        try:
            with at.lock():
                transaction._stage((removal,))
                left = transaction.commit_transaction()
        except Exception as problem:
            if not is_conflict(problem):
                raise
            attempts.failed(problem)
            continue
        at.files.delete(sorted(lost - needed_files(left)))
        return chosen
    raise attempts.exhausted()


def _readable_files(table: Table, snapshots: Sequence[IcebergSnapshot]) -> set[str]:
    """What the snapshots need; of one whose lists are broken `remove_leftovers` finds it later."""
    try:
        return needed_files(table, snapshots)
    except Damaged:
        found = set[str]()
        for snapshot in snapshots:
            with suppress(Damaged):
                found |= needed_files(table, [snapshot])
        return found


def remove_orphans(at: LakeTable, older_than: timedelta) -> list[str]:
    """Remove superseded snapshots, then what no process and no snapshot needs any more."""
    dropped = _drop_superseded(at, datetime.now(UTC) - older_than)
    return dropped + remove_leftovers(at, older_than)


def orphans(at: LakeTable, older_than: timedelta) -> list[str]:
    """What `remove_orphans` would remove now."""
    table = load_in_step(at)
    ripe = _ripe(table, datetime.now(UTC) - older_than) if table is not None else []
    return _names(ripe) + leftovers(at, older_than)
