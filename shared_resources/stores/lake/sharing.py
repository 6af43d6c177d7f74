"""How two tables of the lake share a version: metadata of their own over the same rows.

Belongs here: `VersionSharing` on Iceberg.
Does not belong here: when a version is shared (`stores/branched/`), what a commit consists of
(`commit.py`).

In a local lake each table has names of its own for the files. On S3 a file has one name: there a tag
of the branch keeps production's snapshot from every expiry, and what was promoted stays where the
branch wrote it when the branch goes.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyiceberg.manifest import DataFile
from pyiceberg.schema import Schema, assign_fresh_schema_ids
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table, Transaction
from pyiceberg.table.refs import SnapshotRefType
from pyiceberg.table.snapshots import Snapshot
from pyiceberg.table.update import RemoveSnapshotRefUpdate, SetSnapshotRefUpdate

from shared_resources.contracts.compiling.iceberg_schema import iceberg_schema
from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence
from shared_resources.stores.commit_attempts import Attempts
from shared_resources.stores.lake.catalog.commit_marks import mark_committed
from shared_resources.stores.lake.committing import publishing
from shared_resources.stores.lake.committing.commit import (
    LakeTransaction,
    is_conflict,
    stage_snapshot,
)
from shared_resources.stores.lake.committing.evolving import use_schema
from shared_resources.stores.lake.committing.planning import Base, Files, check_table
from shared_resources.stores.lake.files.manifests import live_files
from shared_resources.stores.lake.history import (
    HIGHEST,
    number_of,
    numbered,
    snapshot_of,
    tag_of,
    to_version,
)
from shared_resources.stores.lake.leftovers import needed_files, unneeded
from shared_resources.stores.lake.metadata_files import known, load_in_step
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.schema import schema_of
from shared_resources.stores.protocol import NotPublished, PublishError, Version
from shared_resources.stores.staging import staging_area
from shared_resources.stores.versions import check_on_top_of

if TYPE_CHECKING:
    from shared_resources.stores.lake.store import LakeStore


class LakeSharing:
    """`VersionSharing` between tables of this lake."""

    def __init__(self, store: LakeStore) -> None:
        self._store = store

    def fork(self, contract: Contract, source: str, number: int) -> None:
        at, origin = self._store.at(contract.key), self._store.at(source)
        with at.lock():
            if numbered(known(at, at.described)):
                return
            table, snapshot = _version(origin, number)
            if not at.files.adopts:
                _change_refs(origin, _tag(contract.domain, snapshot.snapshot_id))
            batch_id = to_version(source, snapshot).batch_id
            attempt = at.staging(contract, batch_id)
            try:
                theirs = live_files(table, snapshot)
                names = at.files.share(theirs, (), attempt)
                add = [_renamed(file, names[path]) for path, file in theirs.items()]
                _create(at, table, snapshot, add)
            finally:
                _clear_up(at, batch_id)

    def check(self, contract: Contract, source: str, number: int, on_top_of: int) -> None:
        table, snapshot = _version(self._store.at(source), number)
        if self._store.published_batch(contract.key, to_version(source, snapshot).batch_id):
            return
        base = Base.of(load_in_step(self._store.at(contract.key)))
        fresh = assign_fresh_schema_ids(iceberg_schema(contract))
        _check(contract, base, on_top_of, schema_of(table, snapshot), fresh)

    def take(
        self, contract: Contract, source: str, number: int, evidence: Evidence, on_top_of: int
    ) -> Version:
        at, origin = self._store.at(contract.key), self._store.at(source)
        table, snapshot = _version(origin, number)
        batch_id = to_version(source, snapshot).batch_id
        theirs = live_files(table, snapshot)
        attempt = at.staging(contract, batch_id)

        def plan(base: Base, transaction: Transaction) -> Files:
            schema = schema_of(table, snapshot)
            _check(contract, base, on_top_of, schema, transaction.table_metadata.schema())
            if base.last is not None:
                use_schema(transaction, schema)
            names = at.files.share(theirs, base.held, attempt)
            return {names[path]: _renamed(file, names[path]) for path, file in theirs.items()}

        try:
            return publishing.commit(at, contract, batch_id, evidence, plan)
        finally:
            _clear_up(at, batch_id)

    def forget(self, product: str, origin: str) -> None:
        """Files first, the table last: who dies in between is found by the next one."""
        at, theirs = self._store.at(product), self._store.at(origin)
        folder = at.area.parent
        if not at.files.adopts:
            table = theirs.load()
            needed = needed_files(table) if table is not None else set[str]()
            listed = at.files.listing(f"{at.files.location(product)}/")
            at.files.delete([one.location for one in listed if one.location not in needed])
            if table is not None:
                _change_refs(theirs, _untag(product.partition("/")[0]))
        shutil.rmtree(folder, ignore_errors=True)
        at.catalog.drop(product)
        at.attestor.forget(product, self._store.name)
        with suppress(OSError):  # another product of the branch is there, or nothing ever was
            folder.parent.rmdir()

    def products(self) -> list[str]:
        found = (path for path in self._store.root.glob("*/*") if path.is_dir())
        staged = {f"{folder.parent.name}/{folder.name}" for folder in found}
        return sorted({*staged, *self._store.all_products()})


def _version(at: LakeTable, number: int) -> tuple[Table, Snapshot]:
    table = load_in_step(at)
    if table is None:
        raise NotPublished(f"{at.product} is not published in the lake any more")
    return table, snapshot_of(table, at.product, number)


def _check(
    contract: Contract, base: Base, on_top_of: int, schema: Schema, of_new_table: Schema
) -> None:
    """Raises `MovedOn` or `PublishError` unless a version of this schema may follow on `base`."""
    current = number_of(base.last) if base.last is not None else None
    check_on_top_of(contract, current or 0, on_top_of)
    if base.last is not None:
        check_table(contract, base, rows_stay=False)
    elif of_new_table.fields != schema.fields:
        raise PublishError(
            f"{contract.key}: its columns were changed while it was new in the branch, and a new table "
            "gives them other ids. Nothing was published; drop the branch's product, make it again, "
            "and promote that."
        )


def _create(at: LakeTable, source: Table, snapshot: Snapshot, files: Sequence[DataFile]) -> None:
    """A table of this one version, unless there is one. It is there when the catalog is told."""
    metadata = source.metadata.model_copy(
        update={
            "location": at.files.location(at.product),
            "table_uuid": uuid.uuid4(),
            "last_updated_ms": int(datetime.now(UTC).timestamp() * 1000),
            "current_schema_id": schema_of(source, snapshot).schema_id,
            "properties": {k: v for k, v in source.metadata.properties.items() if k != HIGHEST},
            "current_snapshot_id": None,
            **{name: [] for name in ("snapshots", "snapshot_log", "metadata_log")},
            **{name: [] for name in ("statistics", "partition_statistics")},
            "refs": {},
        }
    )
    location = f"{metadata.location}/metadata/00000-{uuid.uuid4()}.metadata.json"
    domain, _, name = at.product.partition("/")
    blank = Table((domain, name), metadata, location, source.io, source.catalog)
    transaction, version = LakeTransaction(blank), to_version(at.product, snapshot)
    stage_snapshot(
        transaction,
        live={},
        add=files,
        remove=(),
        properties=version.properties,
        tag=tag_of(version.number),
        missing_tags={},
    )
    ToOutputFile.table_metadata(transaction.table_metadata, source.io.new_output(location))
    if at.catalog.begin(at.product, location):  # else another machine has just begun it
        mark_committed(source.io, location)


def _renamed(file: DataFile, location: str) -> DataFile:
    """The same file by another name."""
    if file.file_path == location:
        return file
    content, _, *rest = file._data
    renamed = DataFile(content, location, *rest)
    renamed.spec_id = file.spec_id
    return renamed


def _tag(branch: str, snapshot_id: int) -> SetSnapshotRefUpdate:
    return SetSnapshotRefUpdate.model_validate(
        {"snapshot-id": snapshot_id, "ref-name": branch, "type": SnapshotRefType.TAG}
    )


def _untag(branch: str) -> RemoveSnapshotRefUpdate:
    return RemoveSnapshotRefUpdate.model_validate({"ref-name": branch})


def _change_refs(at: LakeTable, update: SetSnapshotRefUpdate | RemoveSnapshotRefUpdate) -> None:
    """Tag a snapshot that must stay, or take the tag away. Raises `NotPublished` when it is gone."""
    attempts = Attempts(f"tagging a version of {at.product} in the lake", "nothing was changed")
    for _ in attempts:
        table = load_in_step(at)
        if table is None:
            return
        if isinstance(update, SetSnapshotRefUpdate):
            if table.metadata.snapshot_by_id(update.snapshot_id) is None:
                raise NotPublished(f"a version of {at.product} expired just now")
        elif update.ref_name not in table.metadata.refs:
            return
        transaction = LakeTransaction(table)
        transaction._stage((update,))
        try:
            with at.lock():
                transaction.commit_transaction()
            return
        except Exception as problem:
            if not is_conflict(problem):
                raise
            attempts.failed(problem)
    raise attempts.exhausted()


def _clear_up(at: LakeTable, batch_id: str) -> None:
    """Remove the second names of a fork or a promotion that was not made, or was made before."""
    for attempt in unneeded(at, batch_id, staging_area.attempts_of(at.area, batch_id)):
        staging_area.remove_attempt(attempt)
