"""Days as a condition of plain ranges, which engines prune by: row groups, micro-partitions.

Belongs here: days in a row as one range. Does not belong here: which days follow each other
(`contracts/days.py`), how an engine writes a midnight (the stores).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta

from shared_resources.contracts.days import rows_of_days
from shared_resources.sql import quote_identifier


def in_days(column: str, days: Iterable[str], midnight: Callable[[date], str]) -> str:
    """Whether the column lies in one of the days; `midnight` writes a day's start as SQL."""
    name, day = quote_identifier(column), timedelta(days=1)
    ranges = (
        (date.fromisoformat(row[0]), date.fromisoformat(row[-1]) + day)
        for row in rows_of_days(days)
    )
    return " OR ".join(
        f"({name} >= {midnight(start)} AND {name} < {midnight(end)})" for start, end in ranges
    )
