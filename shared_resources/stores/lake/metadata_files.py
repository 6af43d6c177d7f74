"""The metadata files of a lake table as they lie there, and which of them its catalog must know.

Belongs here: their names and numbers, the mark of a commit, and what a catalog that was lost, or put
back from an older copy, does not know.
Does not belong here: which files a snapshot needs (`leftovers.py`), mending the catalog (`repair.py`).

A commit writes `00007-<uuid>.metadata.json` and then points the catalog at it. Who dies in between
leaves a file that nobody ever saw, and which must not stop anything. So a commit that is done leaves
a mark beside the file, `00007-<uuid>.committed`: a marked file was a version, whatever the catalog
says. So was one that others were made on top of.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, TypeVar

from shared_resources.stores.lake.catalog.commit_marks import METADATA, mark_committed, mark_of
from shared_resources.stores.lake.history import last_snapshot, number_of
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.table_facts import AnyTable
from shared_resources.stores.protocol import OutOfStep, PublishError

if TYPE_CHECKING:
    from pyiceberg.table import Table

ASIDE = ".aside"  # what a repair could not use, or the other of two lines of versions
_MISSING = frozenset({None, errno.ENOENT, errno.ENOTDIR, errno.EISDIR})
_Loaded = TypeVar("_Loaded", bound=AnyTable)
_NUMBERED = re.compile(rf"(\d{{5,}})-.*{re.escape(METADATA)}")


def number_of_file(name: str) -> int:
    """-1 for a file that is no metadata, or was named by another tool."""
    match = _NUMBERED.fullmatch(name)
    return int(match[1]) if match else -1


def known_files(table: AnyTable) -> set[str]:
    """The names of the metadata files that the table's own names: itself and those before it."""
    metadata_log = (entry.metadata_file for entry in table.metadata.metadata_log)
    return {location.rpartition("/")[2] for location in (table.metadata_location, *metadata_log)}


def unknown_commits(names: Collection[str], table: AnyTable | None) -> list[str]:
    """Of the names in the metadata folder, those of commits that the table knows nothing of; sorted.

    `names` must have been listed before the table was loaded: what was committed by then is known.
    """
    known = known_files(table) if table is not None else set[str]()
    numbers = [number for name in known if (number := number_of_file(name)) >= 0]
    oldest, newest = min(numbers, default=0), max(numbers, default=-1)
    return sorted(
        name
        for name in names
        if (number := number_of_file(name)) >= oldest
        and name not in known
        and (mark_of(name) in names or number > newest + 1)
    )


def load_in_step(at: LakeTable, *, publishing: bool = False) -> Table | None:
    """The table as it is now, to change it, if its catalog knows every commit. Raises `OutOfStep`.

    Raises `PublishError` for a lake that is another mesh's, or, for publishing, looks so.
    """
    return in_step(at, at.load, publishing=publishing)


def in_step(
    at: LakeTable, load: Callable[[], _Loaded | None], *, publishing: bool = False
) -> _Loaded | None:
    """What `load` gives, to change the table or to read it, as `load_in_step` says."""
    table = load()
    names = at.files.metadata_names(at.product, _oldest_number(table))
    if not unknown_commits(names, table):
        return table
    table = load()  # somebody has perhaps committed since the first look
    unknown = unknown_to(at, names, table)
    if not unknown:
        return table
    if publishing:
        at.catalog.claim(at.product)
    elif not at.catalog.owns_files(at.product):
        return table  # nobody says that these tables are this catalog's
    raise _out_of_step(at, table, unknown)


def known(at: LakeTable, load: Callable[[], _Loaded | None]) -> _Loaded | None:
    """What `load` gives. A product that a catalog does not know is new only where nothing of it lies.

    Raises `OutOfStep`.
    """
    if table := load():
        return table
    try:
        return in_step(at, load)
    except OutOfStep:
        raise
    except PublishError:  # the lake is another mesh's: nothing of this one lies there
        return None


def unknown_to(at: LakeTable, names: Collection[str], table: AnyTable | None) -> list[str]:
    """The unknown commits; what has a metadata file's name, no mark, and other content is none."""
    return [
        name
        for name in unknown_commits(names, table)
        if mark_of(name) in names or metadata_of(at, name) is not None
    ]


def metadata_of(at: LakeTable, name: str) -> Table | None:
    """The table as this file of its metadata folder describes it; None when it is gone or broken.

    Raises what the place says when it cannot be asked.
    """
    try:
        return at.catalog.at(at.product, f"{at.files.location(at.product)}/metadata/{name}")
    except Exception as problem:
        if not is_broken(at, problem):
            raise
        return None


def is_broken(at: LakeTable, problem: Exception) -> bool:
    """Whether it says that a file is gone or broken, rather than that nothing can be read now.

    Broken bytes make a reader say anything.
    """
    if isinstance(problem, OSError):
        return not isinstance(problem, PermissionError) and problem.errno in _MISSING
    return not at.catalog.outcome_is_unknown(problem)


def mark_known(at: LakeTable, table: Table) -> None:
    """Leave the marks that lack: their process died, or was of an earlier release or another tool."""
    names = at.files.metadata_names(at.product, _oldest_number(table))
    folder = f"{at.files.location(at.product)}/metadata"
    for name in known_files(table) & names:
        if mark_of(name) not in names:
            mark_committed(table.io, f"{folder}/{name}")


def is_in_step(at: LakeTable) -> bool:
    """Whether what lies there may be judged by what the catalog says."""
    try:
        in_step(at, at.described)
    except OutOfStep:
        return False
    return True


def _oldest_number(table: AnyTable | None) -> int:
    known: Iterable[str] = known_files(table) if table is not None else ()
    return max(0, min((number_of_file(name) for name in known), default=0))


def _out_of_step(at: LakeTable, table: AnyTable | None, unknown: list[str]) -> OutOfStep:
    last = last_snapshot(table)
    knows = f"version {number_of(last)}" if last is not None else "nothing of this product"
    return OutOfStep(
        at.product,
        f"{at.files.location(at.product)}/metadata/{unknown[-1]}",
        f"was committed, and {at.catalog.name} does not know it: it knows {knows}. It was lost, or "
        "an older copy of it was put back",
        "Nothing is published and nothing removed before it knows every version again: "
        f"`mesh repair {at.product} --dry-run` says what it would be told, and without the option "
        "it is.",
    )
