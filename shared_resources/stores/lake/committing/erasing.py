"""Taking subjects' rows from every kept version of a product in the lake.

Belongs here: which data files hold such rows, each version's files without them, the one commit that
makes them the versions, and removing what is superseded then.
Does not belong here: which products hold a subject (`shared_resources/erasing/`), publishing.

Each version stays: its number, batch and tag are what they were, its files are others. All of them change
in one commit that fails when somebody published meanwhile; then it is looked again. Earlier snapshots go
with that commit, and then their files: who has pinned one reads it until the next file that he opens.

Manifests hold bounds of columns, in clear, also of files that a version took out. So each changed
snapshot lists its files anew, and one that took out such a file does, too.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
from pyiceberg.manifest import DataFile, ManifestEntryStatus
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH
from pyiceberg.table.snapshots import Operation
from pyiceberg.table.snapshots import Snapshot as IcebergSnapshot
from pyiceberg.table.update import RemoveSnapshotsUpdate

from shared_resources.contracts.model import Contract
from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.state.whole_file import write_whole
from shared_resources.stores.branched.names import is_of_a_branch
from shared_resources.stores.commit_attempts import Attempts
from shared_resources.stores.erased import Rewritten, Without, condition, redacted, tell
from shared_resources.stores.lake.committing.commit import (
    LakeTransaction,
    data_files,
    is_conflict,
    stage_snapshot,
    unbounded,
)
from shared_resources.stores.lake.committing.evolving import use_schema
from shared_resources.stores.lake.files.manifests import attested_files, manifests_of, partition_of
from shared_resources.stores.lake.history import (
    STORE,
    numbered,
    superseded,
    tag_of,
    to_version,
)
from shared_resources.stores.lake.leftovers import needed_files, remove_unneeded
from shared_resources.stores.lake.metadata_files import load_in_step
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.schema import schema_of
from shared_resources.stores.lake.snapshot import LakeSnapshot
from shared_resources.stores.levelling import as_published
from shared_resources.stores.protocol import Damaged, PublishError, StagedBatch
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.reading.sql_snapshot import ROWS_PER_BATCH
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.compacting import write_compacted
from shared_resources.stores.staging.fingerprints import fingerprints, name_by_digest
from shared_resources.stores.staging.footers import read_footers

# What another machine sends before its commit must not be taken for what nobody needs.
UNDER_WAY = timedelta(hours=1)


def erase(at: LakeTable, contract: Contract, without: Without) -> list[Rewritten]:
    """`protocol.ProductStore.erase`."""
    attempts = Attempts(f"erasing rows of {at.product} in the {STORE}", "no version was changed")
    for _ in attempts:
        table = load_in_step(at)
        if table is None:
            return []
        _finish(at, table)
        found = _Found.of(at, table, without)
        if not found.to_restage and not found.superseded:
            remove_unneeded(at, UNDER_WAY)
            return found.rewritten()
        attempt = at.staging(contract, without.erasure)
        _note(at, found.lost)
        try:
            left = _commit(at, contract, without, found, attempt)
        except Exception as problem:
            if not is_conflict(problem):
                raise
            attempts.failed(problem)
            continue
        finally:
            if not at.files.adopts:
                staging_area.remove_attempt(attempt)
        _finish(at, left)
        remove_unneeded(at, UNDER_WAY)
        return found.rewritten()
    raise attempts.exhausted()


def _note(at: LakeTable, lost: frozenset[str]) -> None:
    """Write down what the commit is about to need no more: whoever dies after it, the next one removes
    that, also what a process has staged that lives on."""
    _noted(at).parent.mkdir(parents=True, exist_ok=True)
    write_whole(_noted(at), json.dumps(sorted(lost)).encode())


def _finish(at: LakeTable, table: Table) -> None:
    """Remove what was noted and no snapshot needs. In a bucket a branch's files may be production's."""
    try:
        lost = set(json.loads(_noted(at).read_bytes()))
    except FileNotFoundError:
        return
    if at.files.adopts or not is_of_a_branch(at.product):
        at.files.delete(sorted(lost - needed_files(table)))
    _noted(at).unlink()


def _noted(at: LakeTable) -> Path:
    return at.area.parent / ".erasing"


def count(at: LakeTable, without: Without) -> list[Rewritten]:
    """What `erase` would take from which version."""
    table = load_in_step(at)
    return _Found.of(at, table, without).rewritten() if table is not None else []


@dataclass(frozen=True)
class _Found:
    """`hits` are the rows to go by data file, `rows` by version; `broken` are the files that cannot be
    read, which stay as they are. `to_restage` are the versions whose
    files or lists are others afterwards, `superseded` the snapshots that nobody needs any more.
    """

    table: Table
    versions: Mapping[int, LakeSnapshot]
    hits: Mapping[str, int]
    rows: Mapping[int, int]
    to_restage: frozenset[int]
    superseded: tuple[IcebergSnapshot, ...]
    lost: frozenset[str] = field(default_factory=frozenset)
    broken: Mapping[str, str] = field(default_factory=dict)

    def rewritten(self) -> list[Rewritten]:
        """What leaves which version, and what cannot be told."""
        found = []
        for number, version in self.versions.items():
            broken = [self.broken[f.file_path] for f in version.files if f.file_path in self.broken]
            if self.rows[number] or broken:
                found.append(Rewritten(number, self.rows[number], "; ".join(broken)))
        return found

    @classmethod
    def of(cls, at: LakeTable, table: Table, without: Without) -> _Found:
        snapshots = numbered(table)
        versions = {
            number: LakeSnapshot(table, snapshot, to_version(at.product, snapshot), at.files)
            for number, snapshot in sorted(snapshots.items())
        }
        hits, broken = _hits(versions.values(), without)
        rows = {n: sum(hits[f.file_path] for f in v.files) for n, v in versions.items()}
        clean = {path for path, found in hits.items() if not found and path not in broken}
        stale = {
            number
            for number, snapshot in snapshots.items()
            if rows[number] or not _removed(table, snapshot) <= clean
        }
        gone = [snapshot for snapshot, _ in superseded(table)]
        gone += [snapshots[number] for number in stale]
        _check_nobody_needs(table, gone, at.product)
        lost = needed_files(table, gone)
        return cls(
            table, versions, hits, rows, frozenset(stale), tuple(gone), frozenset(lost), broken
        )


def _hits(
    versions: Iterable[LakeSnapshot], without: Without
) -> tuple[dict[str, int], dict[str, str]]:
    """The rows to go, by data file; and by those that cannot be read why."""
    hits: dict[str, int] = {}
    broken: dict[str, str] = {}
    with in_memory() as connection:
        tell(connection, without)
        for version in versions:
            names = version.schema.names
            wanted = condition(without.among(names))
            for file in version.files:
                path = file.file_path
                if path in hits:
                    continue
                hits[path] = 0
                try:
                    query = version.of([file]).select(names)
                    (row,) = connection.execute(
                        f"SELECT count(*) FROM ({query}) WHERE {wanted}"  # noqa: S608
                    ).fetchall()
                    hits[path] = int(row[0])
                except (duckdb.Error, OSError, Damaged) as problem:
                    broken[path] = (
                        f"{path} cannot be read ({type(problem).__name__}), and may hold them: put the "
                        "file back from a copy, or let its versions expire, and erase again"
                    )
    return hits, broken


def _removed(table: Table, snapshot: IcebergSnapshot) -> set[str]:
    """The files that the snapshot's lists name as taken out, with the bounds of their columns."""
    return {
        entry.data_file.file_path
        for manifest in manifests_of(table, snapshot)
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=False)
        if entry.status is ManifestEntryStatus.DELETED
    }


def _check_nobody_needs(table: Table, gone: Sequence[IcebergSnapshot], product: str) -> None:
    """Raise `PublishError` where a branch in a bucket holds a snapshot under the name of a tag."""
    ids = {snapshot.snapshot_id for snapshot in gone}
    own = {tag_of(number) for number in numbered(table)} | {MAIN_BRANCH}
    others = [name for name, ref in table.metadata.refs.items() if ref.snapshot_id in ids]
    if strangers := sorted(set(others) - own):
        raise PublishError(
            f"{product}: {', '.join(strangers)} still names a version in the {STORE} that holds "
            "rows to erase; nothing was changed. Drop the branch (`mesh branch drop`) or the tag, "
            "and erase again."
        )


def _commit(
    at: LakeTable, contract: Contract, without: Without, found: _Found, attempt: Path
) -> Table:
    transaction, current = LakeTransaction(found.table), found.table.schema()
    last = max(found.versions)
    written: dict[str, list[DataFile]] = {}
    for number in sorted(found.to_restage):
        version = found.versions[number]
        use_schema(transaction, schema_of(found.table, numbered(found.table)[number]))
        for file in version.files:
            path = file.file_path
            if found.hits[path] and path not in written:
                part = version.of([file])
                written[path] = _rewritten(at, contract, part, without, attempt, transaction)
        files = [kept for f in version.files for kept in written.get(f.file_path, [f])]
        stage_snapshot(
            transaction,
            live=None,
            add=files,
            remove=(),
            properties=_properties(at, version, files, without, found.rows[number]),
            tag=tag_of(number),
            missing_tags={},
            operation=Operation.OVERWRITE,
            branch=MAIN_BRANCH if number == last else None,
        )
    use_schema(transaction, current)
    transaction.keep_ref(MAIN_BRANCH)
    ids = [snapshot.snapshot_id for snapshot in found.superseded]
    removal = RemoveSnapshotsUpdate.model_validate({"snapshot-ids": ids})
    with at.lock():
        transaction._stage((removal,))
        left = transaction.commit_transaction()
    if last in found.to_restage:
        at.attestor.committed(to_version(at.product, numbered(left)[last]))
    return left


def _rewritten(
    at: LakeTable,
    contract: Contract,
    part: LakeSnapshot,
    without: Without,
    attempt: Path,
    transaction: LakeTransaction,
) -> list[DataFile]:
    """The one file of `part` without the rows: brought to its place, and named by no snapshot yet."""
    then = as_published(contract, part)
    written = write_compacted(_rest(part, without), attempt, partition_of(part.files[0]))
    written = [*name_by_digest(written, fingerprints(written))]
    staged = StagedBatch(at.product, attempt.parent.name, attempt, tuple(written))
    metadata = transaction.table_metadata
    fields = metadata.schema().fields
    placed = at.files.place(at.product, staged, [file.path for file in written], fields)
    return data_files(read_footers(written, then), metadata, placed, unbounded(then))


def _rest(part: LakeSnapshot, without: Without) -> pa.RecordBatchReader:
    schema = part.schema
    gone = condition(without.among(schema.names))

    def stream() -> Iterator[pa.RecordBatch]:
        with in_memory() as connection:
            tell(connection, without)
            query = f"SELECT * FROM ({part.select(schema.names)}) WHERE NOT ({gone})"  # noqa: S608
            for batch in arrow_batches(connection.sql(query), ROWS_PER_BATCH):
                yield batch if batch.schema == schema else batch.cast(schema)

    return pa.RecordBatchReader.from_batches(schema, stream())


def _properties(
    at: LakeTable, version: LakeSnapshot, files: Sequence[DataFile], without: Without, rows: int
) -> Mapping[str, str]:
    was = version.version.properties
    if not rows:
        return was
    return at.attestor.attest_erasure(
        at.product,
        STORE,
        redacted(was, without, rows),
        lambda: attested_files(files),
        was.get(ATTESTATION),
        {"erasure": without.erasure, "rows": rows},
    )
