"""The columns that an object has against those that its contract promises.

Belongs here: the comparison of names, and the one message about it, for every format.
Does not belong here: types and values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache

from shared_resources.contracts.model import UNPARTITIONED, Contract
from shared_resources.landing.errors import UnreadableObject

NAMED = 10


@dataclass(frozen=True)
class Expected:
    """The contract's columns `names`. An object may lack those of `lackable`, which are null then.

    With `ignores_extra`, columns that are none of these are left out; else they refuse the object.
    `landed` gives the names of columns that the object calls otherwise.
    """

    names: tuple[str, ...]
    lackable: frozenset[str] = frozenset()
    ignores_extra: bool = False
    landed: Mapping[str, str] = field(default_factory=dict)

    def named(self, found: Iterable[str]) -> tuple[str, ...]:
        """The object's columns by the contract's names, as far as it has one for them."""
        return tuple(self.landed.get(name, name) for name in found)

    def unknown(self, found: Sequence[str]) -> tuple[str, ...]:
        """The object's columns that the contract does not know, each once."""
        return tuple(name for name in dict.fromkeys(found) if name not in set(self.names))


def expected_columns(contract: Contract, partition: str) -> Expected:
    """What an object of the partition must have.

    An object of a daily product whose day nobody said may lack what one of any day may.
    """
    if partition != UNPARTITIONED:
        day = date.fromisoformat(partition)
    else:
        day = date.min if contract.partitioning is not None else datetime.now(UTC).date()
    landing = contract.landing
    return Expected(
        tuple(column.name for column in contract.columns),
        contract.absent_columns(day),
        landing is not None and landing.ignores_extra,
        contract.landed_names,
    )


def compare_columns(object_key: str, found: Sequence[str], expected: Expected, place: str) -> None:
    """Raise `UnreadableObject`, naming every column, unless `found` is `expected` in some order."""
    there, unknown = set(found), expected.unknown(found)
    absent = [name for name in expected.names if name not in there]
    called = {landed: name for landed, name in expected.landed.items() if name in absent}
    alike = misspelt(unknown, absent, called)
    doubled = [name for name, count in Counter(found).items() if count > 1]
    missing = [name for name in expected.names if name not in there]
    lacking = [n for n in missing if n not in expected.lackable or n in alike.values()]
    extra = list(alike) if expected.ignores_extra else unknown
    if not (doubled or lacking or extra) and len(missing) < len(expected.names):
        return
    if len(missing) == len(expected.names):
        raise UnreadableObject(
            object_key,
            f"holds none of the contract's columns {_named(expected.names)}",
            "land it with its header, or with the contract's delimiter",
            place,
        )
    kinds = (
        ("lacks the column", lacking),
        ("has a column that the contract does not know:", extra),
        ("has a column more than once:", doubled),
    )
    problem = " and ".join(f"{kind} {_named(names)}" for kind, names in kinds if names)
    raise UnreadableObject(
        object_key, problem, f"land it with the contract's columns, or {_change(lacking)}", place
    )


def misspelt(
    unknown: Iterable[str], missing: Iterable[str], landed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The unknown names that are a missing column's but for case, blanks and punctuation, with it.
    `landed` are what data calls missing columns otherwise.

    Whoever leaves out columns, or lets files lack some, means neither of these: its values would be
    lost and nulls would stand in their place.
    """
    columns = {letters(name): name for name in missing}
    columns |= {letters(name): column for name, column in (landed or {}).items()}
    return {name: columns[key] for name in unknown if (key := letters(name)) in columns}


@lru_cache(maxsize=4_096)
def letters(name: str) -> str:
    """The name without case, blanks and punctuation."""
    return "".join(filter(str.isalnum, name)).casefold()


def _change(lacking: Sequence[str]) -> str:
    if lacking:
        return "change the contract (`mayBeAbsent` of a column, if older files lack it)"
    return "change the contract"


def _named(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:100]) for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
