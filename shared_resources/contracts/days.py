"""Partition keys as days: which follow each other, and which a product has.

Belongs here: what is true of days wherever they are published.
Does not belong here: days as a condition in SQL (`stores/reading/day_ranges.py`), reading a range that a
person typed (`running/pending.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from shared_resources.contracts.model import Partitioning


def rows_of_days(days: Iterable[str], longest: int | None = None) -> list[tuple[str, ...]]:
    """The days in order, parted wherever one is missing and where a row would be longer.

    A name that is no day stands alone.
    """
    rows: list[list[str]] = []
    for day in sorted(days):
        if rows and len(rows[-1]) != longest and _day_after(rows[-1][-1]) == day:
            rows[-1].append(day)
        else:
            rows.append([day])
    return [tuple(row) for row in rows]


def has_day(partitioning: Partitioning, day: str) -> bool:
    """Whether the product has a partition of that day."""
    parsed, end = date.fromisoformat(day), partitioning.end
    return partitioning.start <= parsed and (end is None or parsed < end)


def _day_after(name: str) -> str | None:
    try:
        return (date.fromisoformat(name) + timedelta(days=1)).isoformat()
    except (ValueError, OverflowError):
        return None
