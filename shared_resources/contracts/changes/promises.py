"""Changes of what a contract promises of the product as a whole.

Belongs here: status, owner, stores, partitions, service levels, losses, and where data lands.
Does not belong here: columns (`columns.py`), rules (`rules.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

from shared_resources.contracts.changes.change import (
    Change,
    breaking,
    compatible,
    cosmetic,
    either,
)
from shared_resources.contracts.changes.stream import stream_changes
from shared_resources.contracts.model import Contract, Landing, Partitioning, PreviousMajor
from shared_resources.contracts.serving.model import Serving

_PUBLISHES = ("active", "deprecated")
_PROPERTIES = "customProperties"


def promise_changes(was: Contract, now: Contract) -> Iterator[Change]:
    yield from _standing(was, now)
    yield from _servers(was, now)
    yield from _partitions(was.partitioning, now.partitioning)
    yield from _levels(was, now)
    yield from _losses(was, now)
    if _unplaced(was.landing) != _unplaced(now.landing):
        yield compatible(
            f"{_PROPERTIES}.landing", "data lands otherwise; readers see no difference"
        )
    yield from stream_changes(was.stream, now.stream)
    yield from _previous(was.previous_major, now.previous_major)
    if was.always_run != now.always_run:
        yield compatible(f"{_PROPERTIES}.alwaysRun", "it is made again at other times")


def _previous(was: PreviousMajor | None, now: PreviousMajor | None) -> Iterator[Change]:
    clause = f"{_PROPERTIES}.previousMajor"
    ends = [one.sunset if one else date.max for one in (was, now)]
    if ends[0] != ends[1]:
        said = f"it ends after {now.sunset}" if now else "it does not end"
        yield either(ends[1] < ends[0], f"{clause}.sunset", said)
    if was and now and (was.of, was.derived_by) != (now.of, now.derived_by):
        yield compatible(clause, "it is derived otherwise; its rules are the same")


def _unplaced(landing: Landing | None) -> Landing | None:
    """But for the line that it stands on."""
    return replace(landing, line=0) if landing else None


def _standing(was: Contract, now: Contract) -> Iterator[Change]:
    if was.status != now.status:
        stops = was.status in _PUBLISHES and now.status not in _PUBLISHES
        said = f"the status is {now.status} and was {was.status}" + (
            ": nothing is published any more" if stops else ""
        )
        yield either(stops, "status", said)
    if was.owner != now.owner:
        yield compatible("team", f"the owner is {now.owner} and was {was.owner}")
    for clause, one, other in (
        ("description", was.description, now.description),
        ("id", was.id, now.id),
        ("tags", was.tags, now.tags),
        (f"{_PROPERTIES}.toConfirm", was.to_confirm, now.to_confirm),
    ):
        if one != other:
            yield cosmetic(clause, f"another {clause.rpartition('.')[2]}")


def _servers(was: Contract, now: Contract) -> Iterator[Change]:
    gone = [server.value for server in was.servers if server not in now.servers]
    new = [server.value for server in now.servers if server not in was.servers]
    if gone:
        said = f"it is no longer published in the {' and the '.join(gone)}"
        yield breaking("servers", said)
    if new:
        yield compatible("servers", f"it is published in the {' and the '.join(new)}, too")
    if was.serving is None and now.serving is not None:
        yield compatible("servers", "it is served by its key, too")
    elif was.serving is not None and now.serving is None:
        yield breaking("servers", "it is no longer served by its key")
    elif was.serving is not None and now.serving is not None:
        yield from _serving(was, was.serving, now, now.serving)


def _serving(was: Contract, before: Serving, now: Contract, after: Serving) -> Iterator[Change]:
    clause = "servers"
    columns = [_served(contract, one) for contract, one in ((was, before), (now, after))]
    # A column that came or went is told as a column.
    known = {column.name for column in was.columns} & {column.name for column in now.columns}
    if gone := sorted((columns[0] - columns[1]) & known):
        said = f"{', '.join(gone)} is no longer served by the key"
        yield breaking(f"{clause}.columns", said, *gone)
    if new := sorted((columns[1] - columns[0]) & known):
        yield compatible(f"{clause}.columns", f"{', '.join(new)} is served by the key, too", *new)
    for name, one, other in (
        ("graceMinutes", before.grace, after.grace),
        ("generations", before.kept, after.kept),
    ):
        if one != other:
            yield compatible(f"{clause}.{name}", "what was served before is kept for another time")


def _served(contract: Contract, serving: Serving) -> set[str]:
    every = tuple(column.name for column in contract.columns)
    return {*contract.primary_key, *(every if serving.columns is None else serving.columns)}


def _partitions(was: Partitioning | None, now: Partitioning | None) -> Iterator[Change]:
    clause = f"{_PROPERTIES}.partitions"
    columns = [f"by {one.column}" if one else "by none" for one in (was, now)]
    if columns[0] != columns[1]:
        yield breaking(clause, f"its partitions were {columns[0]} and are {columns[1]}")
        return
    if was is None or now is None:
        return
    if was.start != now.start:
        said = f"the first day is {now.start} and was {was.start}"
        yield either(now.start > was.start, f"{clause}.start", said)
    if was.end != now.end:
        sooner = (now.end or date.max) < (was.end or date.max)
        ends = f"it ends before {now.end}" if now.end else "it goes on"
        said = f"{ends} and " + (f"ended before {was.end}" if was.end else "went on")
        yield either(sooner, f"{clause}.end", said)
    # Outside of the first and the last day nothing was due anyway.
    more = sorted(
        day for day in {*now.closed} - {*was.closed} if was.start <= day < (was.end or date.max)
    )
    fewer = sorted({*was.closed} - {*now.closed})
    if more:
        yield breaking(f"{clause}.closed", f"nothing is due of {_days(more)} any more")
    if fewer:
        yield compatible(f"{clause}.closed", f"due now: {_days(fewer)}")


def _days(days: list[date]) -> str:
    shown = ", ".join(map(str, days[:3]))
    return shown if len(days) <= 3 else f"{shown} and {len(days) - 3} more days"


def _levels(was: Contract, now: Contract) -> Iterator[Change]:
    if was.freshness != now.freshness:
        later = (now.freshness or timedelta.max) > (was.freshness or timedelta.max)
        said = f"published {_each(now.freshness)}; it was {_each(was.freshness)}"
        yield either(later, "slaProperties.latency", said)
    if was.retention != now.retention:
        # Without a retention nothing is removed for its age.
        shorter = (now.retention or timedelta.max) < (was.retention or timedelta.max)
        said = f"versions are kept {_kept(now.retention)}; they were {_kept(was.retention)}"
        yield either(shorter, "slaProperties.retention", said)


def _each(length: timedelta | None) -> str:
    return f"at least once in {_length(length)}" if length else "at any time"


def _kept(length: timedelta | None) -> str:
    return _length(length) if length else "for ever"


def _length(length: timedelta) -> str:
    days, rest = divmod(length, timedelta(days=1))
    if rest:
        return str(length)
    return "1 day" if days == 1 else f"{days:,} days"


def _losses(was: Contract, now: Contract) -> Iterator[Change]:
    if was.loss_budget_percent != now.loss_budget_percent:
        said = (
            f"so many rows may be lacking: {now.loss_budget_percent} %, and "
            f"{was.loss_budget_percent} % before"
        )
        more = now.loss_budget_percent > was.loss_budget_percent
        yield either(more, f"{_PROPERTIES}.lossBudgetPercent", said)
    if was.allow_empty != now.allow_empty:
        said = "a version may have no row" if now.allow_empty else "every version has a row"
        yield either(now.allow_empty, f"{_PROPERTIES}.allowEmpty", said)
    if was.quarantine_retention != now.quarantine_retention:
        yield compatible(f"{_PROPERTIES}.quarantineDays", "rejected rows are kept for another time")
