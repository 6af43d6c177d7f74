"""What a page or schema says of each name that the code knows: nothing missing, nothing invented.

Belongs here: comparing the two lists of names. Does not belong here: either of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from shared_resources.problems import MeshProblem

Schema = dict[str, Any]  # a JSON Schema
Said = TypeVar("Said")


class NotDescribed(MeshProblem):
    """A name that the code knows and the reference does not, or the other way round."""


def described(names: Iterable[str], said: Mapping[str, Said]) -> dict[str, Said]:
    """`said` in the order of `names`. Raises `NotDescribed` where they do not name the same."""
    wanted = list(names)
    if missing := [name for name in wanted if name not in said]:
        raise NotDescribed(f"the reference says nothing of {', '.join(sorted(missing))}")
    if unknown := set(said) - set(wanted):
        raise NotDescribed(f"the reference speaks of {', '.join(sorted(unknown))}, which is gone")
    return {name: said[name] for name in wanted}
