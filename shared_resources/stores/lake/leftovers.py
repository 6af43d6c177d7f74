"""What a product's lake table leaves behind: files that no process and no snapshot needs any more.

Belongs here: which files the table's snapshots need, and finding and removing all the others.
Does not belong here: removing snapshots (`housekeeping.py`), publishing (`store.py`).

Files are deleted only after the commit that stopped needing them, and only those that no snapshot of
the table as it then is needs: who dies in between leaves files that the next look finds.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.stores.branched.names import is_of_a_branch
from shared_resources.stores.lake.catalog.commit_marks import mark_of
from shared_resources.stores.lake.files.manifests import live_entries_of, manifests_of
from shared_resources.stores.lake.history import may_have_published
from shared_resources.stores.lake.metadata_files import (
    ASIDE,
    is_in_step,
    load_in_step,
    mark_known,
)
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.table_facts import AnyTable, SnapshotFacts
from shared_resources.stores.staging import staging_area

if TYPE_CHECKING:
    from pyiceberg.table import Table

READERS = 8


def remove_leftovers(at: LakeTable, older_than: timedelta) -> list[str]:
    """Remove abandoned attempts, and files that no snapshot names; name what was removed.

    Looking through all files takes long where there are many of them: a machine does not do it again
    before half of `older_than` is over, so that a nightly job does it every night. To
    be called when the catalog is in step: else what it does not name may be a version's.
    """
    removed = staging_area.remove_orphans(at.area, _Needed(at), older_than)
    if not _is_due(at, older_than) or not at.catalog.owns_files(at.product):
        return removed
    if table := at.load():
        mark_known(at, table)
    since = datetime.now(UTC) - older_than
    for below in at.files.sweepable(at.product):
        removed += at.files.abort_uploads(below, since)
    unnamed = _unnamed(at, since)
    at.files.delete(unnamed)
    _marker(at).parent.mkdir(parents=True, exist_ok=True)
    _marker(at).touch()
    return removed + unnamed


def remove_unneeded(at: LakeTable, under_way: timedelta) -> list[str]:
    """Remove at once what no snapshot names, but what a living process of this machine has staged and,
    where others send files, what was sent since `under_way`; name it."""
    removed = staging_area.remove_orphans(at.area, _Needed(at))
    if not at.catalog.owns_files(at.product):
        return removed
    with at.lock():  # who commits has written lists that nothing names before it is done
        kept = {str(attempt) for attempt in staging_area.in_use(at.area)}
        since = datetime.now(UTC) - (timedelta(0) if at.files.adopts else under_way)
        unnamed = [
            one for one in _unnamed(at, since) if not kept & set(map(str, Path(one).parents))
        ]
        at.files.delete(unnamed)
    return removed + unnamed


def leftovers(at: LakeTable, older_than: timedelta) -> list[str]:
    """What `remove_leftovers` would remove, but for uploads that were never finished."""
    load_in_step(at)
    attempts = staging_area.orphans(at.area, _Needed(at), older_than)
    owned = at.catalog.owns_files(at.product)
    unnamed = _unnamed(at, datetime.now(UTC) - older_than) if owned else []
    return [*map(str, attempts), *unnamed]


def stored_bytes(at: LakeTable) -> int:
    """Of all files of the product, needed or not."""
    below = at.files.sweepable(at.product)
    return sum(file.size for one in below for file in at.files.listing(one))


def _unnamed(at: LakeTable, since: datetime) -> list[str]:
    if not at.files.adopts and is_of_a_branch(at.product):
        # What was promoted is production's and lies here still: `LakeSharing.forget` tells them apart.
        return []
    # Looked for before it is asked what is needed: a file that is old now will not be adopted.
    found = {
        file.location
        for below in at.files.sweepable(at.product)
        for file in at.files.listing(below)
        if file.modified <= since
    }
    table = load_in_step(at)
    if table is None:
        # Where batches are staged elsewhere, what was sent ahead is nobody's.
        return [] if at.files.adopts else sorted(found)
    unneeded = found - needed_files(table) - _metadata_files(table)
    return sorted(location for location in unneeded if not location.endswith(ASIDE))


def _is_due(at: LakeTable, older_than: timedelta) -> bool:
    try:
        return time.time() - _marker(at).stat().st_mtime >= older_than.total_seconds() / 2
    except FileNotFoundError:
        return True


def _marker(at: LakeTable) -> Path:
    """When this machine looked through the product's files."""
    return at.area.parent / ".swept"


def unneeded(at: LakeTable, batch_id: str, attempts: Sequence[Path]) -> list[Path]:
    """The batch's attempts of which no snapshot holds a file."""
    if not at.files.adopts:
        return list(attempts)
    if not attempts or not is_in_step(at):
        return []
    needed, table = _Needed(at), at.load()
    found = []
    for attempt in attempts:
        staged = staging_area.staged_at(attempt)
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


def needed_files(table: AnyTable, snapshots: Iterable[SnapshotFacts] | None = None) -> set[str]:
    """The manifest lists, manifests and data files of these snapshots, by default of all."""
    chosen = table.metadata.snapshots if snapshots is None else list(snapshots)
    with ThreadPoolExecutor(READERS) as pool:
        listed = pool.map(partial(manifests_of, table), chosen)
        manifests = {one.manifest_path: one for several in listed for one in several}
        entries = pool.map(partial(live_entries_of, table), manifests.values())
        files = {entry.data_file.file_path for several in entries for entry in several}
    return files | manifests.keys() | {snapshot.manifest_list for snapshot in chosen}


def _metadata_files(table: Table) -> set[str]:
    """What the table's own metadata names beside its snapshots."""
    metadata = table.metadata
    files = {table.metadata_location, *(entry.metadata_file for entry in metadata.metadata_log)}
    statistics = (*metadata.statistics, *metadata.partition_statistics)
    return files | {mark_of(file) for file in files} | {s.statistics_path for s in statistics}
