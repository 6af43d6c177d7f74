"""Thinning: of a product that commits each second, fewer versions the older they are.

Belongs here: which moments a kept version stands for.
Does not belong here: what must stay whatever its age (`stores/versions.py`), who asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Up to this age every version stays: who has just opened one reads on.
EVERY_FOR = timedelta(minutes=10)
# From the age on, one version in each stretch of time, the last: ten minutes, an hour, a day.
STEPS = (
    (EVERY_FOR, timedelta(minutes=10)),
    (timedelta(days=1), timedelta(hours=1)),
    (timedelta(days=7), timedelta(days=1)),
)
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Thinning:
    """At the moment `now`; `pinned` are numbers of versions that stay, whatever their age."""

    now: datetime
    pinned: frozenset[int] = frozenset()

    def staying(self, published: Sequence[tuple[int, datetime]]) -> set[int]:
        """Which of the versions (number and when it was published, oldest first) stay by their age."""
        last: dict[tuple[timedelta, int], int] = {}
        stay = set(self.pinned)
        for number, at in published:
            for _, every in STEPS:
                last[every, (at - _BEGIN) // every] = number
        for number, at in published:
            step = _step(self.now - at)
            if step is None or last[step, (at - _BEGIN) // step] == number:
                stay.add(number)
        return stay


def _step(age: timedelta) -> timedelta | None:
    """How far apart versions of that age are; None where each stays."""
    return next((every for least, every in reversed(STEPS) if age > least), None)


Expiry = datetime | Thinning  # before that moment, or by that rule
