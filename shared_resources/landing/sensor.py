"""The sensor of a landing prefix: each new object becomes one run of its product.

Belongs here: what a tick asks for, and the cursor.
Does not belong here: listing and matching (`zone.py`, `objects.py`), or what the run does.

A tick lists the prefix and takes what the cursor does not know; what the ledger knows, because
someone ran `mesh run`, is not asked for again. An overwritten object has a new etag and is new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import date, timedelta

import dagster as dg

from shared_resources import environment as environments
from shared_resources.contracts.model import Contract, Landing, LandingMode
from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError
from shared_resources.landing.ledger import unseen
from shared_resources.landing.objects import Matched, match
from shared_resources.landing.zone import LandingObject

PRODUCT_TAG = "mesh/product"
OBJECT_TAG = "mesh/object"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
# A run costs seconds, a further partition of a run milliseconds.
LARGEST_SEPARATE = 3
NAMED = 5
INTERVAL_SECONDS = 10


def landing_sensor(
    contract: Contract,
    asset_key: dg.AssetKey | None = None,
    *,
    environment: Callable[[], Environment] = environments.current,
    default_status: dg.DefaultSensorStatus = dg.DefaultSensorStatus.RUNNING,
) -> dg.SensorDefinition:
    """The sensor `<domain>_<product>_landing` of an ingest product.

    Each new object becomes one run, each run of more than three new partitions in a row one run
    over their range. Raises `ValueError` when the contract has no landing.
    """
    landing = contract.landing
    if landing is None:
        raise ValueError(f"{contract.key}: its contract has no landing, so nothing can be sensed")
    key = asset_key or dg.AssetKey([contract.domain, contract.name])

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        try:
            return _tick(contract, landing, key, environment(), context)
        except LandingError as problem:
            return dg.SensorResult(skip_reason=dg.SkipReason(str(problem)), cursor=context.cursor)

    return dg.SensorDefinition(
        name=f"{contract.domain}_{contract.name}_landing",
        asset_selection=dg.AssetSelection.assets(key),
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=default_status,
        description=f"Runs {contract.key} for each new object below {landing.prefix}.",
    )


def _tick(
    contract: Contract,
    landing: Landing,
    key: dg.AssetKey,
    environment: Environment,
    context: dg.SensorEvaluationContext,
) -> dg.SensorResult:
    listed = environment.landing_zone.list(landing.prefix)
    matched = match(landing, listed, contract.partitioning)
    cursor: dict[str, str] = json.loads(context.cursor or "{}")
    new = [obj for obj in _meant(landing, matched) if cursor.get(obj.key) != obj.etag]
    if new:
        stores = environment.stores_of(contract)
        new = unseen(new, stores, environment.quarantine, contract.key)
    requests = list(_requests(contract, landing, key, matched, new))
    said = _report(landing, matched, cursor)
    for line in said if requests else ():
        context.log.warning(line)
    cursor.update({obj.key: obj.etag for obj in (*_meant(landing, matched), *matched.superseded)})
    nothing = f"nothing new below {landing.prefix}"
    return dg.SensorResult(
        run_requests=requests,
        skip_reason=None if requests else dg.SkipReason("; ".join((nothing, *said))),
        cursor=json.dumps(cursor, sort_keys=True),
    )


def _meant(landing: Landing, matched: Matched) -> tuple[LandingObject, ...]:
    """The objects that say what the product should hold now."""
    if landing.mode is LandingMode.PARTITION:
        return tuple(matched.by_partition.values())
    return () if matched.newest is None else (matched.newest,)


def _requests(
    contract: Contract,
    landing: Landing,
    key: dg.AssetKey,
    matched: Matched,
    new: Sequence[LandingObject],
) -> Iterator[dg.RunRequest]:
    if landing.mode is LandingMode.REPLACE:
        for obj in new:
            yield _request(contract, key, [obj], None, {})
        return
    keys = {obj.key for obj in new}
    found = {day: obj for day, obj in matched.by_partition.items() if obj.key in keys}
    for days in _rows_of_days(list(found)):
        if len(days) > LARGEST_SEPARATE:
            tags = {RANGE_START_TAG: days[0], RANGE_END_TAG: days[-1]}
            yield _request(contract, key, [found[day] for day in days], None, tags)
        else:
            for day in days:
                yield _request(contract, key, [found[day]], day, {})


def _request(
    contract: Contract,
    key: dg.AssetKey,
    objects: Sequence[LandingObject],
    partition: str | None,
    tags: dict[str, str],
) -> dg.RunRequest:
    """One run for the objects; its key makes Dagster launch it once, whatever the cursor says."""
    first = objects[0]
    run_key = f"{contract.key}:{first.key}:{first.etag}"
    if len(objects) > 1:
        every = "\n".join(f"{obj.key} {obj.etag}" for obj in objects)
        digest = hashlib.sha256(every.encode()).hexdigest()[:16]
        run_key = f"{contract.key}:{first.key}..{objects[-1].key}:{digest}"
    else:
        tags = {**tags, OBJECT_TAG: first.key}
    return dg.RunRequest(
        run_key=run_key,
        asset_selection=[key],
        partition_key=partition,
        tags={**tags, PRODUCT_TAG: contract.key},
    )


def _rows_of_days(days: Sequence[str]) -> Iterator[list[str]]:
    """The days in order, split wherever one is missing."""
    row: list[str] = []
    for day in sorted(days):
        if row and date.fromisoformat(day) - date.fromisoformat(row[-1]) != timedelta(days=1):
            yield row
            row = []
        row.append(day)
    if row:
        yield row


def _report(landing: Landing, matched: Matched, cursor: dict[str, str]) -> list[str]:
    """What a person should know: objects that nothing will be made of."""
    said = []
    if matched.unmatched:
        shown = "; ".join(str(one) for one in matched.unmatched[:NAMED])
        more = len(matched.unmatched) - NAMED
        said.append(f"not ingested: {shown}" + (f"; and {more} more" if more > 0 else ""))
    passed_over = [obj.key for obj in matched.superseded if cursor.get(obj.key) != obj.etag]
    if passed_over:
        shown = ", ".join(passed_over[:NAMED])
        said.append(f"replaced by a newer object and not ingested: {shown}")
    return said
