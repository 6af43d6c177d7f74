"""The lake's commit: adopting Parquet files as they are, and one snapshot with an exact file set.

Belongs here: what Iceberg is told about a file, and the snapshot that replaces files by files.
Does not belong here: which files a version has (`store.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import starmap
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow.parquet as pq
from pyiceberg.exceptions import CommitFailedException, TableAlreadyExistsError, ValidationException
from pyiceberg.io.pyarrow import (
    compute_statistics_plan,
    data_file_statistics_from_parquet_metadata,
    parquet_path_to_id_mapping,
)
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
)
from pyiceberg.table import Table, TableProperties, Transaction
from pyiceberg.table.metadata import TableMetadata
from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRefType
from pyiceberg.table.snapshots import Operation, Summary
from pyiceberg.table.update import (
    AssertRefSnapshotId,
    AssertTableUUID,
    SetSnapshotRefUpdate,
    TableUpdate,
    update_table_metadata,
)
from pyiceberg.table.update.snapshot import _ManifestMergeManager, _OverwriteFiles
from sqlalchemy.exc import OperationalError

from shared_resources.contracts.model import Contract
from shared_resources.stores.lake.files.local import Placed
from shared_resources.stores.lake.files.manifests import manifests_of
from shared_resources.stores.staging.footers import Footers

MERGE_MANIFESTS_FROM = 16
TABLE_PROPERTIES = {
    # Our own loop tries again: pyiceberg's would keep the old version number and drop the tag.
    TableProperties.COMMIT_NUM_RETRIES: "0",
    TableProperties.METADATA_DELETE_AFTER_COMMIT_ENABLED: "true",
    TableProperties.METADATA_PREVIOUS_VERSIONS_MAX: "50",
    TableProperties.MANIFEST_MERGE_ENABLED: "true",
    TableProperties.MANIFEST_MIN_MERGE_COUNT: str(MERGE_MANIFESTS_FROM),
}


# What pyiceberg says of a snapshot that was added, or expired, since the table was loaded.
_TOTAL, _ADDED = "total-", "added-"
_OVERTAKEN = ("sequence number", "unknown snapshot", "does not exist")


def data_files(
    footers: Footers,
    metadata: TableMetadata,
    placed: Mapping[Path, Placed],
    unbounded: Collection[str],
) -> list[DataFile]:
    """What Iceberg records of each file: location, partition, row and null counts, bounds.

    Bounds hold values in clear, so there are none of `unbounded` columns.
    """
    schema, spec = metadata.schema(), metadata.spec()
    plan = compute_statistics_plan(schema, metadata.properties | without_bounds(unbounded))
    ids = parquet_path_to_id_mapping(schema)
    adopted = []
    for file, footer in footers:
        statistics = data_file_statistics_from_parquet_metadata(footer, plan, ids)
        adopted.append(
            DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=placed[file.path].location,
                file_format=FileFormat.PARQUET,
                partition=statistics.partition(spec, schema),
                file_size_in_bytes=placed[file.path].size,
                sort_order_id=None,
                spec_id=metadata.default_spec_id,
                equality_ids=None,
                key_metadata=None,
                **_of_all_groups(statistics.to_serialized_dict(), footer, ids),
            )
        )
    return adopted


def _of_all_groups(
    recorded: dict[str, Any], footer: pq.FileMetaData, ids: Mapping[str, int]
) -> dict[str, Any]:
    """The same without what some row groups say and others do not: the bounds of the ones are not the
    file's, and engines leave the file out by them. Long texts have none."""
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    for place in range(footer.num_columns) if len(groups) > 1 else ():
        field = ids[footer.schema.column(place).path]
        chunks = [group.column(place) for group in groups]
        if not all(one.statistics and one.statistics.has_null_count for one in chunks):
            recorded["null_value_counts"].pop(field, None)
        if not all(map(_is_bounded, chunks)):
            recorded["lower_bounds"].pop(field, None)
            recorded["upper_bounds"].pop(field, None)
    return recorded


def _is_bounded(chunk: pq.ColumnChunkMetaData) -> bool:
    """Whether the footer bounds all values of the column in a row group, of which there may be none."""
    said = chunk.statistics
    if said is None:
        return False
    return bool(said.has_min_max or (said.has_null_count and said.null_count == chunk.num_values))


def unbounded(contract: Contract) -> frozenset[str]:
    """The columns of which nothing but counts is recorded. Partitions are named by their value anyway."""
    named = {contract.partitioning.column} if contract.partitioning else set()
    return contract.classified_columns - named


def without_bounds(columns: Collection[str]) -> dict[str, str]:
    """The table's properties that keep every writer from recording values of the columns."""
    prefix = TableProperties.METRICS_MODE_COLUMN_CONF_PREFIX
    return {f"{prefix}.{column}": "counts" for column in sorted(columns)}


class LakeTransaction(Transaction):
    """A transaction that is tried once.

    pyiceberg applies all updates to a deep copy of the metadata whenever somebody looks at it, some
    twenty times a commit, which costs more with every version that the product has. And its own
    retries drop the tag and keep a version number that another writer took meanwhile.
    """

    _seen: tuple[tuple[TableUpdate, ...], TableMetadata] | None = None
    _kept: tuple[AssertRefSnapshotId, ...] = ()

    def keep_ref(self, name: str) -> None:
        """Commit only if the branch or tag still names the snapshot that it names now."""
        # Not staged: of one kind pyiceberg keeps the first requirement, and a snapshot brings main's.
        snapshot_id = self._table.metadata.refs[name].snapshot_id
        ref = AssertRefSnapshotId.model_validate({"ref": name, "snapshot-id": snapshot_id})
        self._kept = (*self._kept, ref)

    @property
    def table_metadata(self) -> TableMetadata:
        if not self._updates:
            return self._table.metadata
        if self._seen is None or self._seen[0] is not self._updates:
            self._seen = self._updates, update_table_metadata(self._table.metadata, self._updates)
        return self._seen[1]

    def commit_transaction(self) -> Table:
        same_table = AssertTableUUID(uuid=self._table.metadata.table_uuid)
        try:
            self._table._do_commit(self._updates, (*self._requirements, *self._kept, same_table))
        except (CommitFailedException, ValidationException) as problem:
            # Only these say for certain that nothing was committed; and not when a server said so,
            # perhaps to the second try of a request whose first had been done.
            for producer in self._snapshot_producers if problem.__cause__ is None else ():
                producer._clean_all_uncommitted()
            raise
        return self._table


def stage_snapshot(
    transaction: Transaction,
    *,
    live: Mapping[str, list[ManifestEntry]] | None,
    add: Sequence[DataFile],
    remove: Iterable[str],
    properties: Mapping[str, str],
    tag: str,
    missing_tags: Mapping[str, int],
    operation: Operation | None = None,
    branch: str | None = MAIN_BRANCH,
) -> None:
    """Stage one snapshot on main that adds and removes exactly these files, and its tag.

    `live` are the entries of main's current snapshot, None when they cannot be read: then the
    snapshot has the added files alone. `missing_tags` are snapshot ids whose tags somebody removed. It
    is visible when the transaction is committed, all at once. `operation` is what engines are told: by
    default whether files were removed. With `branch` None it is on none, and its tag alone keeps it.
    """
    io, said = transaction._table.io, dict(properties)
    producer = _ExactFiles(
        Operation.APPEND, transaction, io, snapshot_properties=said, branch=branch
    )
    producer.plan(live, set(remove))
    producer.told = operation
    for data_file in add:
        producer.append_data_file(data_file)
    updates, requirements = producer._commit()
    transaction._register_snapshot_producer(producer)
    tags = {**missing_tags, tag: producer.snapshot_id}
    transaction._stage((*updates, *starmap(_tag, tags.items())), requirements)


def _tag(name: str, snapshot_id: int) -> SetSnapshotRefUpdate:
    """A tag keeps its snapshot from every engine's snapshot expiry."""
    return SetSnapshotRefUpdate.model_validate(
        {"snapshot-id": snapshot_id, "ref-name": name, "type": SnapshotRefType.TAG}
    )


class _ExactFiles(_OverwriteFiles):
    """Adds and removes named files; keeps manifests few, so that publishing stays fast.

    pyiceberg's own overwrite keeps every manifest for ever, those that list nothing but deleted
    files too, and never merges.
    """

    told: Operation | None = None

    def plan(self, live: Mapping[str, list[ManifestEntry]] | None, remove: set[str]) -> None:
        self._anew = live is None
        self._live = live or {}
        self._remove = remove
        for listed in self._live.values():
            for entry in listed:
                if entry.data_file.file_path in remove:
                    self.delete_data_file(entry.data_file)
        if self._deleted_data_files or self._anew:
            self._operation = Operation.OVERWRITE

    def _summary(self, snapshot_properties: Mapping[str, str] = MappingProxyType({})) -> Summary:
        summary = super()._summary(dict(snapshot_properties))
        if self._anew:  # pyiceberg counts from what was there
            for total in [key for key in summary.additional_properties if key.startswith(_TOTAL)]:
                summary[total] = summary.get(_ADDED + total.removeprefix(_TOTAL)) or "0"
        if self.told is None:
            return summary
        # pyiceberg counts for appends, overwrites and deletes alone.
        return Summary(operation=self.told, **summary.additional_properties)

    def _build_delete_files_partition_predicate(self) -> None:
        """The files are named: there is nothing to look for by partition."""

    def _parent_manifests(self) -> list[ManifestFile]:
        if self._anew:
            return []
        parent = self._transaction.table_metadata.snapshot_by_name(self._target_branch)
        return manifests_of(self._transaction._table, parent) if parent else []

    def _deleted_entries(self) -> list[ManifestEntry]:
        return [
            _with_status(entry, ManifestEntryStatus.DELETED, self._snapshot_id)
            for listed in self._live.values()
            for entry in listed
            if entry.data_file.file_path in self._remove
        ]

    def _existing_manifests(self) -> list[ManifestFile]:
        kept = []
        for manifest in self._parent_manifests():
            listed = self._live.get(manifest.manifest_path)
            if listed is None:  # delete files of another tool: not ours to drop
                kept.append(manifest)
                continue
            stay = [entry for entry in listed if entry.data_file.file_path not in self._remove]
            if not stay:
                continue
            if len(stay) == len(listed):
                kept.append(manifest)
                continue
            with self.new_manifest_writer(self.spec(manifest.partition_spec_id)) as writer:
                for entry in stay:
                    writer.add_entry(
                        _with_status(entry, ManifestEntryStatus.EXISTING, entry.snapshot_id)
                    )
            kept.append(writer.to_manifest_file())
        return kept

    def _process_manifests(self, manifests: list[ManifestFile]) -> list[ManifestFile]:
        properties = self._transaction.table_metadata.properties
        merger = _ManifestMergeManager(
            target_size_bytes=TableProperties.MANIFEST_TARGET_SIZE_BYTES_DEFAULT,
            min_count_to_merge=int(
                properties.get(TableProperties.MANIFEST_MIN_MERGE_COUNT, MERGE_MANIFESTS_FROM)
            ),
            merge_enabled=True,
            snapshot_producer=self,
        )
        return merger.merge_manifests(manifests)


def _with_status(
    entry: ManifestEntry, status: ManifestEntryStatus, snapshot_id: int | None
) -> ManifestEntry:
    return ManifestEntry.from_args(
        status=status,
        snapshot_id=snapshot_id,
        sequence_number=entry.sequence_number,
        file_sequence_number=entry.file_sequence_number,
        data_file=entry.data_file,
    )


def is_conflict(problem: Exception) -> bool:
    """Whether another writer was first, in any of the ways in which that shows."""
    match problem:
        case CommitFailedException() | ValidationException() | TableAlreadyExistsError():
            return True
        case OperationalError():
            return "locked" in str(problem)
        case FileNotFoundError():
            return "metadata.json" in str(problem)  # cleaned up by commits made meanwhile
        case ValueError():
            return any(sign in str(problem) for sign in _OVERTAKEN)
        case _:
            return False
