"""What of a product is to be made: its new or asked-for partitions, as contiguous ranges.

Belongs here: turning landed objects and published partitions into tasks of `mesh run`.
Does not belong here: executing them, or what a sensor does with new objects
(`locations/sensing/landing_sensor.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from typing import Never

from shared_resources.arrivals.ingested import unseen
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.whole_prefix import look, newest_extract
from shared_resources.contracts.days import has_day, rows_of_days
from shared_resources.contracts.model import Contract, LandingMode
from shared_resources.environment import Environment
from shared_resources.governance.stopped import why_resting
from shared_resources.landing.zones.zone import LandingObject
from shared_resources.problems import MeshProblem
from shared_resources.running.messages import Task
from shared_resources.running.selection import product_folder
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import NotPublished


class UpToDate(Exception):
    """Nothing of the product is to be made; the message says why."""


class NothingLanded(MeshProblem):
    """Nothing of the product has ever come; the message says where it was looked for."""


class NoDays(MeshProblem, ValueError):
    """What was asked for is no day and no range of days."""

    exit_code = 2


def tasks_of(environment: Environment, product: str, asked: str | None) -> list[Task]:
    """The runs that make the product. `asked` is FIRST or FIRST..LAST, for partitioned products.

    Raises `UpToDate` when nothing new has landed, or its contract's status lets nothing be published,
    and `NothingLanded` when nothing ever has.
    """
    folder = product_folder(environment, product)
    contract = folder.contract
    if contract is not None and (why := why_resting(contract)):
        raise UpToDate(why)
    if contract is None or contract.partitioning is None:
        if asked:
            raise UpToDate("it has no partitions, so --partitions leaves it as it is")
        if (
            contract is not None
            and contract.landing is not None
            and newest_extract(environment, contract) is None
        ):
            _nothing_landed(environment, contract)
        return [Task(product)]
    days = days_between(asked) if asked else _new_days(environment, contract, folder.reads)
    within = [day for day in days if has_day(contract.partitioning, day)]
    if not within:
        if asked:
            raise UpToDate("no such partition")
        _nothing_landed(environment, contract)
    return [Task(product, chunk) for chunk in rows_of_days(within)]


def _nothing_landed(environment: Environment, contract: Contract) -> Never:
    """What is there is up to date; where nothing is there, it is missing, in either mode."""
    landing = contract.landing
    if landing is None or environment.stores_of(contract)[0].versions(contract.key):
        raise UpToDate("nothing new has landed")
    place = f"{landing.prefix}/{landing.object_name} in the landing zone"
    raise NothingLanded(f"{contract.key}: nothing has landed; looked for {place}")


def days_between(asked: str) -> list[str]:
    """The days of FIRST or FIRST..LAST, both included. Raises `NoDays`."""
    first, _, last = asked.partition("..")
    try:
        start, end = date.fromisoformat(first), date.fromisoformat(last or first)
        if end < start:
            raise ValueError("it ends before it begins")
    except ValueError as problem:
        raise NoDays(
            f"{asked!r} is no day or range of days; write 2017-03-01 or 2017-03-01..2017-03-31"
        ) from problem
    return [(start + timedelta(days=n)).isoformat() for n in range((end - start).days + 1)]


def _new_days(environment: Environment, contract: Contract, reads: Iterable[str]) -> list[str]:
    """Landed days that are not published yet, or the days of what a function reads."""
    landing = contract.landing
    if landing is not None and landing.mode is LandingMode.PARTITION:
        found = look(environment, contract).by_partition
        new = set(_to_ingest(environment, contract, list(found.values())))
        return sorted(day for day, landed in found.items() if landed in new)
    days: set[str] = set()
    for upstream in reads:
        try:
            days.update(open_product(environment, upstream).partitions())
        except NotPublished:
            continue
    return sorted(days)


def _to_ingest(
    environment: Environment, contract: Contract, objects: Sequence[LandingObject]
) -> list[LandingObject]:
    """What the ledger, or else what is published and in quarantine, says was not ingested yet."""
    ledger = Ledger(environment.state, contract.key)
    unknown = ledger.unknown(objects)
    stores = environment.stores_of(contract)
    new = unseen(unknown, stores, environment.quarantine, contract.key) if unknown else []
    return [*ledger.unprocessed(objects), *new]
