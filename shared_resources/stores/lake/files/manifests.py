"""Iceberg's lists of a version's files: the manifest list of a snapshot, and the manifests in it.

Belongs here: saying which of them is gone, broken or not what was committed.
Does not belong here: their format (`avro.py`), writing them (`stores/lake/committing/commit.py`), which
snapshots are asked for.

Avro has no checksum. What a list says of its manifests, and a manifest of its rows, was written into
two places: they are compared, so that no file is left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pyiceberg.manifest import (
    DataFile,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
)

from shared_resources.evidence.statement import AttestedFile
from shared_resources.stores.lake.files.avro import read_list, read_live_entries
from shared_resources.stores.lake.schema import partition_key
from shared_resources.stores.lake.table_facts import AnyTable, SnapshotFacts
from shared_resources.stores.protocol import UNPARTITIONED, Damaged
from shared_resources.stores.staging.fingerprints import digest_in


def live_entries(table: AnyTable, snapshot: SnapshotFacts | None) -> dict[str, list[ManifestEntry]]:
    """The entries of the snapshot's files, by the path of the manifest that lists them."""
    if snapshot is None:
        return {}
    return {
        manifest.manifest_path: live_entries_of(table, manifest)
        for manifest in manifests_of(table, snapshot)
        if manifest.content is ManifestContent.DATA
    }


def live_files(table: AnyTable, snapshot: SnapshotFacts | None) -> dict[str, DataFile]:
    """The snapshot's data files by path."""
    return files_of(live_entries(table, snapshot))


def files_of(live: Mapping[str, list[ManifestEntry]]) -> dict[str, DataFile]:
    return {e.data_file.file_path: e.data_file for listed in live.values() for e in listed}


def partition_of(file: DataFile) -> str:
    return partition_key(file.partition[0]) if len(file.partition) else UNPARTITIONED


def attested_files(files: Iterable[DataFile]) -> tuple[AttestedFile, ...]:
    """By what a file's name says: an earlier release's says nothing."""
    return tuple(
        AttestedFile(
            name=file.file_path,
            sha256=digest_in(file.file_path),
            size=file.file_size_in_bytes,
            partitions={partition_of(file): file.record_count},
        )
        for file in sorted(files, key=lambda file: file.file_path)
    )


def manifests_of(table: AnyTable, snapshot: SnapshotFacts) -> list[ManifestFile]:
    """Raises `Damaged` when the snapshot's list cannot be read, and `OSError` without an answer."""
    with _understood(table, snapshot.manifest_list):
        return read_list(table.io, snapshot.manifest_list)


def live_entries_of(table: AnyTable, manifest: ManifestFile) -> list[ManifestEntry]:
    """The files that the manifest lists and that were not deleted. Raises as `manifests_of`."""
    with _understood(table, manifest.manifest_path):
        entries = read_live_entries(table.io, manifest)
    added = [entry for entry in entries if entry.status is ManifestEntryStatus.ADDED]
    for what, found, listed in (
        ("files added", len(added), manifest.added_files_count),
        ("files kept", len(entries) - len(added), manifest.existing_files_count),
        ("rows", sum(entry.data_file.record_count for entry in entries), _rows(manifest)),
    ):
        if listed is not None and found != listed:
            raise _damaged(
                table, manifest.manifest_path, f"lists {found:,} {what} instead of {listed:,}"
            )
    return entries


def _rows(manifest: ManifestFile) -> int | None:
    if manifest.added_rows_count is None or manifest.existing_rows_count is None:
        return None
    return manifest.added_rows_count + manifest.existing_rows_count


@contextmanager
def _understood(table: AnyTable, location: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise _damaged(table, location, "is not there") from None
    except (OSError, MemoryError) as problem:
        if Path(location).is_dir():
            raise _damaged(table, location, "is a folder") from problem
        raise
    except Exception as problem:
        # Broken bytes make pyiceberg's reader raise whatever its next step stumbles over.
        said = " ".join(str(problem).split())[:120] or "it is no whole Avro file"
        raise _damaged(
            table, location, f"cannot be read ({type(problem).__name__}: {said})"
        ) from problem


def _damaged(table: AnyTable, location: str, problem: str) -> Damaged:
    product = "/".join(table.location().rstrip("/").split("/")[-2:])
    return Damaged(
        product,
        location,
        f"{problem}: it lists files of a published version, and is not what was committed",
        f"Restore it from a copy, go back to a whole version with `mesh rollback {product}`, or, where "
        "one run makes the whole product, make it again with `mesh run`",
    )
