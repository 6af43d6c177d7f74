"""What other distributions add to the platform: objects found by their entry points.

Belongs here: finding and loading them, and saying which distribution's cannot be used.
Does not belong here: what may be added: each registry names its group (`contracts/rules/registry.py`,
`governance/catalogue.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from shared_resources.problems import MeshProblem

T = TypeVar("T")


class UnusableExtension(MeshProblem):
    """What another distribution adds cannot be used; the message names it and the distribution."""


def extensions(group: str, *wanted: type[T]) -> Iterator[tuple[str, T]]:
    """What the entry points of the group lead to, each of one of the types, with words for it.

    Raises `UnusableExtension` for one that cannot be loaded or leads to something else.
    """
    for point in sorted(entry_points(group=group), key=lambda point: point.name):
        yield _described(point), _loaded(point, wanted)


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
