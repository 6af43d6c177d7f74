"""Which of several full extracts is the newest, though a file may claim any time that it likes.

Belongs here: comparing objects by their own times as far as these can be true.
Does not belong here: where an object's first sight is written down (`arrivals/ledger/ledger.py`).

A modification time that lies in the future of its object's first sight, or of now, is no time at
which it can have been written. Such an object counts as written when it was first seen, so that it
comes after what was there and holds back nothing that lands later. Among themselves such objects
are compared by what they claim: one producer's wrong clock still goes forward.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

T = TypeVar("T")
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Dated(Generic[T]):
    """Something with its own time and that of its first sight; `key` decides between equals."""

    of: T
    modified_at: datetime
    seen_at: datetime
    key: str

    def believed(self, now: datetime) -> bool:
        return self.modified_at <= min(self.seen_at, now)

    def written_at(self, now: datetime) -> datetime:
        """When it was written, as far as anybody knows."""
        if self.believed(now):
            return self.modified_at
        # A first sight in the future was seen by a clock that has been set back since.
        return self.seen_at if self.seen_at <= now else _NEVER


def newer(one: Dated[T], other: Dated[T], now: datetime) -> bool:
    """Whether `one` was certainly written after `other`."""
    if one.believed(now) == other.believed(now):
        return one.modified_at > other.modified_at
    return one.written_at(now) > other.written_at(now)


def newest(dated: Iterable[Dated[T]], now: datetime) -> T | None:
    """The newest; of the same time the one that was found later."""
    believed: list[Dated[T]] = []
    doubted: list[Dated[T]] = []
    for one in dated:
        (believed if one.believed(now) else doubted).append(one)
    best, odd = max(believed, key=_order, default=None), max(doubted, key=_order, default=None)
    if best is None or odd is None:
        only = best or odd
        return None if only is None else only.of
    return odd.of if newer(odd, best, now) else best.of


def _order(one: Dated[T]) -> tuple[datetime, datetime, str]:
    return one.modified_at, one.seen_at, one.key
