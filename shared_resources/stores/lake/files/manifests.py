"""Iceberg's lists of a version's files: the manifest list of a snapshot, and the manifests in it.

Belongs here: reading them, and saying which of them is gone, broken or not what was committed.
Does not belong here: writing them (`stores/lake/commit.py`), which snapshots are asked for.

Avro has no checksum. What a list says of its manifests, and a manifest of its rows, was written into
two places: they are compared, so that no file is left out in silence.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyiceberg.manifest import ManifestEntry, ManifestEntryStatus, ManifestFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from shared_resources.stores.protocol import Damaged


def manifests_of(table: Table, snapshot: Snapshot) -> list[ManifestFile]:
    """Raises `Damaged` when the snapshot's list cannot be read, and `OSError` without an answer."""
    with _understood(table, snapshot.manifest_list):
        return snapshot.manifests(table.io)


def live_entries_of(table: Table, manifest: ManifestFile) -> list[ManifestEntry]:
    """The files that the manifest lists and that were not deleted. Raises as `manifests_of`."""
    with _understood(table, manifest.manifest_path):
        entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
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
def _understood(table: Table, location: str) -> Iterator[None]:
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


def _damaged(table: Table, location: str, problem: str) -> Damaged:
    product = "/".join(table.location().rstrip("/").split("/")[-2:])
    return Damaged(
        product,
        location,
        f"{problem}: it lists files of a published version, and is not what was committed",
        f"Restore it from a copy, go back to a whole version with `mesh rollback {product}`, or, where "
        "one run makes the whole product, make it again with `mesh run`",
    )
