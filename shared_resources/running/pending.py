"""What of a product is to be made: its new or asked-for partitions, as contiguous ranges.

Belongs here: turning landed objects and published partitions into tasks of `mesh run`.
Does not belong here: executing them, or what a sensor does with new objects
(`locations/sensing/landing_sensor.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Never

from shared_resources.arrivals.ingested import unseen
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.whole_prefix import look, newest_extract
from shared_resources.contracts.days import has_day, rows_of_days
from shared_resources.contracts.model import Contract, Partitioning
from shared_resources.environment import Environment
from shared_resources.governance.earlier_majors import why_over
from shared_resources.governance.stopped import why_resting
from shared_resources.landing.zones.zone import LandingObject
from shared_resources.mesh import ProductFolder
from shared_resources.problems import MeshProblem
from shared_resources.running.messages import Task
from shared_resources.running.selection import product_folder
from shared_resources.running.unchanged import Unchanged, days_to_try
from shared_resources.stores.opening import open_product
from shared_resources.stores.protocol import NotPublished

_NO_DAYS = "it has no partitions, so --partitions leaves it as it is"


class UpToDate(Exception):
    """Nothing of the product is to be made; the message says why."""


class NothingLanded(MeshProblem):
    """Nothing of the product has ever come; the message says where it was looked for."""


class NoDays(MeshProblem, ValueError):
    """What was asked for is no day and no range of days."""

    exit_code = 2


def tasks_of(
    environment: Environment, product: str, asked: str | None, again: bool = False
) -> list[Task]:
    """The runs that make the product. `asked` is FIRST or FIRST..LAST, for partitioned products.

    With `again` what is unchanged is made, too. Raises `UpToDate` when nothing that it is made of has
    changed, or its contract's status lets nothing be published, and `NothingLanded` when nothing ever
    has landed.
    """
    folder = product_folder(environment, product)
    contract = folder.contract
    if contract is None:
        if asked:
            raise UpToDate(_NO_DAYS)
        return [Task(product)]
    if why := why_resting(contract) or why_over(environment, contract):
        raise UpToDate(why)
    if contract.partitioning is None:
        if asked:
            raise UpToDate(_NO_DAYS)
        if contract.stream is not None:
            return _stream(environment, contract)
        _refuse_unchanged(environment, folder, contract, again)
        return [Task(product)]
    if asked:
        days = [day for day in days_between(asked) if has_day(contract.partitioning, day)]
        if not days:
            raise UpToDate("no such partition")
    elif contract.landing is not None:
        days = _landed_days(environment, contract, contract.partitioning, again)
    else:
        days = _days_of_inputs(environment, folder, contract.partitioning, again)
    return [Task(product, chunk) for chunk in rows_of_days(days)]


def _stream(environment: Environment, contract: Contract) -> list[Task]:
    """The run that takes what the topic holds now. Its messages are read once, whatever has changed."""
    from shared_resources.streams.standing import standing, waiting

    assert contract.stream is not None
    topic = contract.stream.topic
    # Who produces makes the topic: until then there is as little as in one that is empty.
    if environment.log.topic(topic) is None and not standing(environment, contract).number:
        raise UpToDate(f"nobody has made its topic {topic} yet")
    if not waiting(environment, contract):
        raise UpToDate("nothing new is in its topic")
    return [Task(contract.key)]


def _refuse_unchanged(
    environment: Environment, folder: ProductFolder, contract: Contract, again: bool
) -> None:
    """Raise `UpToDate` for a product without days that would be made of what it was made of."""
    extract = None
    if contract.landing is not None:
        extract = newest_extract(environment, contract)
        if extract is None:
            _nothing_landed(environment, contract)
    if not again and Unchanged(environment, folder).why_again(extract) is None:
        raise UpToDate(
            "nothing new has landed"
            if extract is not None
            else "what it reads, its code and its contract are as they were"
        )


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


def _landed_days(
    environment: Environment, contract: Contract, partitioning: Partitioning, again: bool
) -> list[str]:
    """Landed days that are not published yet, or were refused by another contract than today's.

    A changed contract makes no published day again: what is stricter now would refuse days that were
    right when they came.
    """
    found = look(environment, contract).by_partition
    found = {day: landed for day, landed in found.items() if has_day(partitioning, day)}
    if found and (again or contract.always_run):
        return sorted(found)
    new = set(_to_ingest(environment, contract, list(found.values())))
    tried = days_to_try(environment, contract)
    days = sorted(day for day, landed in found.items() if landed in new or day in tried)
    return days or _nothing_landed(environment, contract)


def _days_of_inputs(
    environment: Environment, folder: ProductFolder, partitioning: Partitioning, again: bool
) -> list[str]:
    """The days of what a function reads, of which something differs from when they were made."""
    found: set[str] = set()
    for upstream in folder.reads:
        try:
            found.update(open_product(environment, upstream).partitions())
        except NotPublished:
            continue
    days = sorted(day for day in found if has_day(partitioning, day))
    if not days:
        raise UpToDate("what it reads has no days")
    if not again and not (days := Unchanged(environment, folder).days_again(days)):
        raise UpToDate("each day of what it reads, its code and its contract are as they were")
    return days


def _to_ingest(
    environment: Environment, contract: Contract, objects: Sequence[LandingObject]
) -> list[LandingObject]:
    """What the ledger, or else what is published and in quarantine, says was not ingested yet."""
    ledger = Ledger(environment.state, contract.key)
    unknown = ledger.questions.unknown(objects)
    stores = environment.stores_of(contract)
    new = unseen(unknown, stores, environment.quarantine, contract.key) if unknown else []
    return [*ledger.questions.unprocessed(objects), *new]
