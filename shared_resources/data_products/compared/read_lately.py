"""Who read a product lately without declaring it: people, agents and teams, by the access log.

Belongs here: the log's readings of a product that no declared input explains, with their columns.
Does not belong here: consumers that are known from files (`consumers.py`), writing the log (`access/`).

They are named to who changes a contract, and hold no change up: a look is no promise to be kept, and
whoever relies on a product has an agreement or declares it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime

from shared_resources.access.log import Reading, lately, log_of
from shared_resources.contracts.changes.change import Change, Effect
from shared_resources.data_products.compared.consumers import Hit
from shared_resources.environment import Environment


def readings_lately(
    environment: Environment, product: str, now: datetime | None = None
) -> list[Reading]:
    """What was read of the product lately (`access/log.py` says how long that is)."""
    log = log_of(environment.home_of_readers, environment.shared_access_log)
    return lately(log, product, now or datetime.now(UTC))


def read_among(readings: Iterable[Reading], columns: Collection[str]) -> Hit:
    """By reader which of the columns he read, or may have read. Of no columns, which is what is about
    the whole product, everybody read, and no column is named."""
    found: dict[str, set[str]] = {}
    for reading in readings:
        used = set(columns if reading.columns is None else {*reading.columns} & {*columns})
        if used or not columns:
            found.setdefault(reading.who, set()).update(used)
    return {who: tuple(sorted(used)) for who, used in sorted(found.items())}


def read_beside(
    changes: Sequence[Change],
    hits: Sequence[Hit],
    readings: Sequence[Reading],
    present: Mapping[str, str],
) -> list[Hit]:
    """By change, who read what breaks and is not among its `hits`; nobody where nothing breaks.

    `present` are the columns by the names that they had: who read one so reads the column. What a role
    shows breaks those who have it, and they are known from agreements.
    """
    found: list[Hit] = []
    for change, hit in zip(changes, hits, strict=True):
        if change.effect is not Effect.BREAKING or change.role:
            found.append({})
            continue
        had = {old for old, name in present.items() if name in change.columns}
        read = read_among(readings, {*change.columns, *had} if change.columns else ())
        now = {
            who: {*used, *(present.get(name, name) for name in used)} & {*change.columns}
            for who, used in read.items()
            if who not in hit
        }
        found.append({who: tuple(sorted(used)) for who, used in now.items()})
    return found
