"""A catalog that was lost, or put back from an older copy, is told again what lies in the lake.

Belongs here: the newest metadata file whose files are all there, and pointing the catalog at it.
Does not belong here: noticing that it is needed (`metadata_files.py`), the catalog's own words
(`stores/lake/catalog/sqlite.py`, `stores/lake/catalog/glue.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from pyiceberg.table import Table

from shared_resources.stores.lake.catalog.commit_marks import mark_committed, mark_of
from shared_resources.stores.lake.catalog.table_catalog import BrokenCatalog
from shared_resources.stores.lake.committing.commit import LakeTransaction
from shared_resources.stores.lake.history import (
    HIGHEST,
    highest_number,
    last_snapshot,
    versions_of,
)
from shared_resources.stores.lake.leftovers import needed_files
from shared_resources.stores.lake.metadata_files import (
    ASIDE,
    is_broken,
    metadata_of,
    number_of_file,
    unknown_commits,
    unknown_to,
)
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.protocol import Unreadable
from shared_resources.stores.versions import number_ranges


def repair(at: LakeTable, *, dry_run: bool) -> str | None:
    """Point the catalog at the newest metadata that is whole; say so. None: it knows everything."""
    names = at.files.metadata_names(at.product, 0)
    table, broken = _current(at)
    unknown = unknown_to(at, names, table)
    if not unknown and not broken:
        return None
    lying = _Lying.of(at)
    current = table.metadata_location.rpartition("/")[2] if table is not None else None
    if current is not None:
        names |= {current, mark_of(current)}
    chosen = lying.newest_whole(names & {*unknown, current})
    if chosen is None:
        raise Unreadable(
            at.product,
            lying.folder,
            "holds no metadata file whose last version's files are all there",
            "Put the product's folder back from a backup, metadata and data together, and run "
            "`mesh repair` again",
        )
    name = chosen.metadata_location.rpartition("/")[2]
    left = unknown_commits(names | {mark_of(name)}, chosen)
    later = [one for one in names if number_of_file(one) > number_of_file(name)]
    if not dry_run:
        at.catalog.point(at.product, chosen.metadata_location)
        mark_committed(chosen.io, chosen.metadata_location)
        if later:
            _give_no_number_again(at, highest_number(chosen) + len(later))
        for one in left:
            lying.set_aside(one)
    return _said(at, chosen, left, name == current)


def _give_no_number_again(at: LakeTable, highest: int) -> None:
    """Each later metadata file may have been of a version, which somebody may have read."""
    table = at.load()
    assert table is not None
    transaction = LakeTransaction(table)
    transaction.set_properties({HIGHEST: str(highest)})
    transaction.commit_transaction()


def _current(at: LakeTable) -> tuple[Table | None, Unreadable | None]:
    try:
        return at.load(), None
    except BrokenCatalog:
        raise
    except Unreadable as problem:
        return None, problem


@dataclass(frozen=True)
class _Lying:
    """What lies in the product's folders."""

    at: LakeTable
    folder: str
    files: frozenset[str]

    @classmethod
    def of(cls, at: LakeTable) -> _Lying:
        listed = (
            file for below in at.files.sweepable(at.product) for file in at.files.listing(below)
        )
        folder = f"{at.files.location(at.product)}/metadata"
        return cls(at, folder, frozenset(file.location for file in listed))

    def newest_whole(self, names: Collection[str]) -> Table | None:
        """The table of the newest of these files that can be read, and whose last version can.

        Those first that are marked: another may be of a commit that failed.
        """

        def rank(name: str) -> tuple[bool, int]:
            return f"{self.folder}/{mark_of(name)}" in self.files, number_of_file(name)

        for name in sorted(names, key=rank, reverse=True):
            table = metadata_of(self.at, name)
            if table is not None and self._has_last_version(table):
                return table
        return None

    def set_aside(self, name: str) -> None:
        location = f"{self.folder}/{name}"
        self.at.files.set_aside(location, name + ASIDE)
        self.at.files.delete([mark_of(location)])

    def _has_last_version(self, table: Table) -> bool:
        last = last_snapshot(table)
        if last is None:
            return False
        try:
            return needed_files(table, [last]) <= self.files
        except Exception as problem:
            if not is_broken(self.at, problem):
                raise
            return False


def _said(at: LakeTable, chosen: Table, left: Sequence[str], same: bool) -> str:
    versions = versions_of(chosen, at.product)
    name = chosen.metadata_location.rpartition("/")[2]
    said = "" if same else f"{at.catalog.name} → {name}, "
    said += f"versions {number_ranges(versions)}"
    if left:
        said += (
            f"; {', '.join(left)} belong to no version that can be reached so, and are kept as "
            f"*{ASIDE}"
        )
    return said
