"""What a lake table's snapshots say about the product's versions.

Belongs here: versions from snapshot summaries, the version of a batch, which staged files a version
adopted. All of it is read from the table's metadata.
Does not belong here: making versions (`lake.py`), reading rows (`lake_snapshot.py`).
"""

from __future__ import annotations

from pathlib import Path

from pyiceberg.table import Table
from pyiceberg.table.snapshots import Snapshot

from shared_resources.io_managers.lake_commit import live_files
from shared_resources.io_managers.protocol import NotPublished, Version
from shared_resources.io_managers.versions import BATCH_ID, NUMBER, version_of

STORE = "lake"


def number_of(snapshot: Snapshot) -> int | None:
    """The version's number; None for a snapshot that another tool made: no reader sees that."""
    number = snapshot.summary.get(NUMBER) if snapshot.summary else None
    return int(number) if number else None


def last_snapshot(table: Table | None) -> Snapshot | None:
    """The snapshot of the highest version, which is what readers see."""
    numbered = [s for s in table.metadata.snapshots if number_of(s) is not None] if table else []
    return max(numbered, key=lambda snapshot: number_of(snapshot) or 0, default=None)


def snapshot_of(table: Table, product: str, number: int) -> Snapshot:
    for snapshot in table.metadata.snapshots:
        if number_of(snapshot) == number:
            return snapshot
    raise NotPublished(f"{product} has no version {number} in the {STORE}")


def versions_of(table: Table | None, product: str) -> list[Version]:
    """All versions, oldest first."""
    snapshots = table.metadata.snapshots if table else []
    versions = [to_version(product, s) for s in snapshots if number_of(s) is not None]
    return sorted(versions, key=lambda version: version.number)


def to_version(product: str, snapshot: Snapshot) -> Version:
    assert snapshot.summary is not None
    summary = snapshot.summary.additional_properties
    properties = {key: value for key, value in summary.items() if key.startswith("mesh.")}
    return version_of(product, STORE, str(snapshot.snapshot_id), properties)


def version_of_batch(table: Table | None, product: str, batch_id: str) -> Version | None:
    for snapshot in table.metadata.snapshots if table else []:
        if snapshot.summary and snapshot.summary.get(BATCH_ID) == batch_id:
            return to_version(product, snapshot)
    return None


def tag_of(number: int) -> str:
    return f"v{number}"


def untagged(table: Table | None) -> dict[str, int]:
    """The snapshots of versions whose tags are gone, by the tag that they should have."""
    if table is None:
        return {}
    refs = table.metadata.refs
    wanted = {
        tag_of(number): snapshot.snapshot_id
        for snapshot in table.metadata.snapshots
        if (number := number_of(snapshot)) is not None
    }
    return {tag: found for tag, found in wanted.items() if tag not in refs}


def is_adopted(table: Table | None, product: str, attempt: Path) -> bool:
    """Whether a version holds files of this attempt; only its own batch's version can."""
    version = version_of_batch(table, product, attempt.parent.name)
    if table is None or version is None:
        return False
    files = live_files(table, table.metadata.snapshot_by_id(int(version.snapshot)))
    return any(Path(path).is_relative_to(attempt) for path in files)
