"""The columns that an object has against those that its contract promises.

Belongs here: the comparison of names, and the one message about it, for every format.
Does not belong here: types and values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from shared_resources.landing.errors import UnreadableObject

NAMED = 10


def compare_columns(
    object_key: str, found: Sequence[str], expected: Sequence[str], place: str
) -> None:
    """Raise `UnreadableObject`, naming every column, unless `found` is `expected` in some order."""
    doubled = [name for name, count in Counter(found).items() if count > 1]
    known, there = set(expected), set(found)
    missing = [name for name in expected if name not in there]
    extra = [name for name in dict.fromkeys(found) if name not in known]
    if not (doubled or missing or extra):
        return
    if len(missing) == len(expected):
        raise UnreadableObject(
            object_key,
            f"holds none of the contract's columns {_named(expected)}",
            "land it with its header, or with the contract's delimiter",
            place,
        )
    kinds = (
        ("lacks the column", missing),
        ("has a column that the contract does not know:", extra),
        ("has a column more than once:", doubled),
    )
    problem = " and ".join(f"{kind} {_named(names)}" for kind, names in kinds if names)
    raise UnreadableObject(
        object_key, problem, "land it with the contract's columns, or change the contract", place
    )


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:100]) for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
