"""What other distributions add to the platform: objects found by their entry points.

Belongs here: finding and loading them, and saying which distribution's cannot be used.
Does not belong here: what may be added: each registry names its group (`contracts/rules/registry.py`,
`governance/catalogue.py`).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

T = TypeVar("T")

_GROUPS = "dagster_data_mesh."


class UnusableExtension(MeshProblem):
    """What another distribution adds cannot be used; the message names it and the distribution."""


def extensions(group: str, *wanted: type[T]) -> Iterator[tuple[str, T]]:
    """What the entry points of the group lead to, each of one of the types, with words for it.

    Raises `UnusableExtension` for one that cannot be loaded or leads to something else.
    """
    for point in points(group):
        yield _described(point), _loaded(point, wanted)


def points(group: str) -> list[EntryPoint]:
    """The entry points of the group, which is one of the platform's, in the order of their names."""
    if not any(_may_add(place, _changed(place)) for place in sys.path) and not _other_finders():
        return []
    # Its import takes longer than looking, and hardly any mesh is extended.
    from importlib.metadata import entry_points

    return sorted(entry_points(group=group), key=lambda point: point.name)


def _changed(place: str) -> int:
    """When something came into the folder or left it; 0 for what cannot be looked at."""
    try:
        return Path(place or ".").stat().st_mtime_ns
    except OSError:
        return 0


@cache
def _may_add(place: str, _changed: int) -> bool:
    """Whether a distribution there may say something of the platform's groups: read as text."""
    if place.endswith(".egg"):
        return True
    try:
        names = [one.name for one in os.scandir(place or ".")]
    except NotADirectoryError:
        return True  # an archive
    except OSError:
        return False
    for name in names:
        if name.endswith((".dist-info", ".egg-info")):
            with suppress(OSError):
                said = Path(place or ".", name, "entry_points.txt").read_bytes()
                if _GROUPS.encode() in said:
                    return True
    return False


def _other_finders() -> bool:
    """Whether distributions are looked for anywhere else than on the search path."""
    ours = "_frozen_importlib_external"
    finders = (one for one in sys.meta_path if hasattr(one, "find_distributions"))
    return any(getattr(one, "__module__", None) != ours for one in finders)


def _loaded(point: EntryPoint, wanted: tuple[type[T], ...]) -> T:
    try:
        found = point.load()
    except Exception as problem:
        raise UnusableExtension(
            f"{_described(point)} cannot be loaded: {type(problem).__name__}: {problem}; correct or "
            "uninstall it"
        ) from problem
    if not isinstance(found, wanted):
        raise UnusableExtension(
            f"{_described(point)} leads to a {type(found).__name__}; it must lead to an instance of "
            f"{' or '.join(f'{one.__module__}.{one.__name__}' for one in wanted)}; correct or "
            "uninstall it"
        )
    return found


def _described(point: EntryPoint) -> str:
    of = f" of {point.dist.name}" if point.dist is not None else ""
    return f"the entry point {point.name!r}{of} (group {point.group})"
