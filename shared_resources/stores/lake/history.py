"""What a lake table's snapshots say about the product's versions.

Belongs here: versions from snapshot summaries, the version of a batch. All of it is read from the
table's metadata. A version that was compacted has several snapshots of the same rows: the newest is
the version, the others are superseded.
Does not belong here: making versions (`store.py`), reading rows (`snapshot.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime

from shared_resources.evidence.keys import BATCH_ID, NUMBER, PREFIX
from shared_resources.stores.lake.table_facts import AnyTable, SnapshotFacts, SnapshotT, TableFacts
from shared_resources.stores.protocol import NotPublished, Version
from shared_resources.stores.versions import version_of

STORE = "lake"
HIGHEST = "mesh.highest-number"  # of the table's properties
_MOST_PRODUCTS = 8
# Of each product those that were asked for last, with the metadata that they are of.
_VERSIONS: dict[str, tuple[object, list[Version]]] = {}


def number_of(snapshot: SnapshotFacts) -> int | None:
    """The version's number; None for a snapshot that another tool made: no reader sees that."""
    number = _said(snapshot, NUMBER)
    return int(number) if number else None


def numbered(table: TableFacts[SnapshotT] | None) -> dict[int, SnapshotT]:
    """The snapshot of each version, by its number."""
    newest: dict[int, SnapshotT] = {}
    for snapshot in sorted(table.metadata.snapshots, key=_order) if table else ():
        if (number := number_of(snapshot)) is not None:
            newest[number] = snapshot
    return newest


def superseded(table: TableFacts[SnapshotT]) -> list[tuple[SnapshotT, datetime]]:
    """Snapshots whose version has a newer one, and since when."""
    newest = numbered(table)
    return [
        (snapshot, datetime.fromtimestamp(newest[number].timestamp_ms / 1000, UTC))
        for snapshot in table.metadata.snapshots
        if (number := number_of(snapshot)) is not None
        and snapshot.snapshot_id != newest[number].snapshot_id
    ]


def last_snapshot(table: TableFacts[SnapshotT] | None) -> SnapshotT | None:
    """The snapshot of the highest version, which is what readers see."""
    newest = numbered(table)
    return newest[max(newest)] if newest else None


def highest_number(table: AnyTable | None) -> int:
    """The highest number that a version ever had, one among them that a repair could not bring back."""
    if table is None:
        return 0
    last = last_snapshot(table)
    number = number_of(last) if last is not None else None
    return max(number or 0, int(table.metadata.properties.get(HIGHEST, 0)))


def snapshot_of(table: TableFacts[SnapshotT], product: str, number: int) -> SnapshotT:
    snapshot = numbered(table).get(number)
    if snapshot is None:
        raise NotPublished(f"{product} has no version {number} in the {STORE} any more")
    return snapshot


def versions_of(table: AnyTable | None, product: str) -> list[Version]:
    """All versions, oldest first."""
    if table is None:
        return []
    # A commit asks for them a dozen times, of the very same metadata.
    found = _VERSIONS.get(product)
    if found is None or found[0] is not table.metadata:
        made = [to_version(product, snapshot) for _, snapshot in sorted(numbered(table).items())]
        found = _VERSIONS[product] = table.metadata, made
        for other in list(_VERSIONS)[:-_MOST_PRODUCTS]:  # a copy: other threads add theirs
            _VERSIONS.pop(other, None)
    return [*found[1]]


def to_version(product: str, snapshot: SnapshotFacts) -> Version:
    assert snapshot.summary is not None
    summary = snapshot.summary.additional_properties
    properties = {key: value for key, value in summary.items() if key.startswith(PREFIX)}
    return version_of(product, STORE, str(snapshot.snapshot_id), properties)


def version_of_batch(table: AnyTable | None, product: str, batch_id: str) -> Version | None:
    for snapshot in numbered(table).values():
        if _said(snapshot, BATCH_ID) == batch_id:
            return to_version(product, snapshot)
    return None


def tag_of(number: int) -> str:
    return f"v{number}"


def untagged(table: AnyTable | None) -> dict[str, int]:
    """The snapshots of versions whose tags are gone, by the tag that they should have."""
    if table is None:
        return {}
    refs = table.metadata.refs
    wanted = {tag_of(number): s.snapshot_id for number, s in numbered(table).items()}
    return {tag: found for tag, found in wanted.items() if tag not in refs}


def _said(snapshot: SnapshotFacts, key: str) -> str | None:
    return snapshot.summary.additional_properties.get(key) if snapshot.summary else None


def _order(snapshot: SnapshotFacts) -> int:
    return snapshot.sequence_number or 0


def may_have_published(
    table: AnyTable | None, product: str, batch_id: str, staged: datetime
) -> bool:
    """Whether a version of the batch, staged at that time, is there or may have expired."""
    versions = versions_of(table, product)
    if not versions:
        return False
    if any(version.batch_id == batch_id for version in versions):
        return True
    current = versions[-1]
    return staged <= current.published_at and len(versions) < current.number
