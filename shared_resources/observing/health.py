"""What a product's health is: nothing, or reasons.

Belongs here: the kinds of trouble, their order, and which of them end a command with 1.
Does not belong here: finding them (`product_health.py`, `standing.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from shared_resources.contracts.days import rows_of_days

NOTHING_WRONG = "whole"
NAMED = 8


class Kind(StrEnum):
    """The worst first: the state of a product is the first of its reasons' kinds."""

    UNREADABLE = "unreadable"  # its contract, table, manifest or quarantine cannot be read
    CRASHED = "crashed"  # its last attempt raised, or its process died
    SERVED_OLD = "served old"  # readers keep what was replaced by something that was refused
    HOLES = "holes"  # days or objects that were refused, failed or never came
    NEVER = "never published"
    STALE = "stale"  # published longer ago than the contract's service level
    BEHIND = "behind"  # its inputs have moved on
    AGREEMENT = "agreement"  # one by which it reads ends, has ended, or is to be looked at again
    SUNSET = "reads what ended"  # a major version of an input whose sunset is over


# What nobody has done anything wrong about: it is shown, and ends no command with 1.
_TOLD_ONLY = (Kind.NEVER, Kind.STALE, Kind.BEHIND, Kind.AGREEMENT, Kind.SUNSET)


@dataclass(frozen=True)
class Reason:
    """One trouble: what happened, what to do, and the days or objects that it is about, by name."""

    kind: Kind
    reason: str
    remedy: str
    names: tuple[str, ...] = ()

    @property
    def failing(self) -> bool:
        """Whether something was refused, failed or is missing."""
        return self.kind not in _TOLD_ONLY

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}; {self.remedy}"


@dataclass(frozen=True)
class Health:
    """The reasons, the worst first; none is whole."""

    reasons: tuple[Reason, ...] = ()

    @classmethod
    def of(cls, reasons: Sequence[Reason]) -> Health:
        worst = list(Kind)
        return cls(tuple(sorted(reasons, key=lambda one: (worst.index(one.kind), one.names))))

    @property
    def state(self) -> str:
        return str(self.reasons[0].kind) if self.reasons else NOTHING_WRONG

    @property
    def failing(self) -> tuple[Reason, ...]:
        """The reasons for which `mesh status` ends with 1, and the check in the UI fails."""
        return tuple(one for one in self.reasons if one.failing)


def named(names: Sequence[str]) -> str:
    """The names for people: days in a row as a range, a few of many."""
    shown = [
        row[0] if len(row) == 1 else f"{row[0]}..{row[-1]}" if len(row) > 2 else ", ".join(row)
        for row in rows_of_days(names)
    ]
    more = len(shown) - NAMED
    return ", ".join(shown[:NAMED]) + (f" and {more} more" if more > 0 else "")
