"""Days as a condition of plain ranges, which engines prune by: row groups, micro-partitions.

Belongs here: joining days that follow each other. Does not belong here: how an engine writes a
midnight (the stores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from shared_resources.sql import quote_identifier


def in_days(column: str, days: Iterable[str], midnight: Callable[[date], str]) -> str:
    """Whether the column lies in one of the days; `midnight` writes a day's start as SQL."""
    ranges: list[tuple[date, date]] = []
    for day in sorted(date.fromisoformat(key) for key in days):
        if ranges and ranges[-1][1] == day:
            ranges[-1] = (ranges[-1][0], day + timedelta(days=1))
        else:
            ranges.append((day, day + timedelta(days=1)))
    name = quote_identifier(column)
    return " OR ".join(
        f"({name} >= {midnight(start)} AND {name} < {midnight(end)})" for start, end in ranges
    )
