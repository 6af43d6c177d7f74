"""Which landing objects a run reads.

Belongs here: the object of each partition, the full extract that counts, and never going back.
Does not belong here: matching names (`landing/objects.py`), reading the objects (`making.py`).

The whole prefix is listed only where nothing says the key: for the newest of several full extracts.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from shared_resources.arrivals.ages import newer
from shared_resources.arrivals.ingested import objects
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.whole_prefix import newest_extract
from shared_resources.contracts.model import Contract, Landing, LandingMode
from shared_resources.contracts.reading.object_names import PARTITION
from shared_resources.data_products.batch import Attempt
from shared_resources.environment import Environment
from shared_resources.landing.objects import match
from shared_resources.landing.zones.zone import PAGE_KEYS, LandingObject, LandingZone
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import UNPARTITIONED


class NothingToIngest(MeshProblem):
    """No landing object is there for the product or partition; the message says where it looked.

    `missing` are the partitions without one, where it is about partitions.
    """

    def __init__(self, message: str, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


def choose_objects(attempt: Attempt, landing_object: str | None) -> dict[str, LandingObject]:
    """The object of each partition of the run; without partitions the one asked for, or the newest.

    `landing_object` is the key that a sensor asked for. Raises `NothingToIngest`.
    """
    landing = attempt.contract.landing
    assert landing is not None
    place = f"{landing.prefix}/{landing.object_name} in the landing zone"
    if landing.mode is LandingMode.PARTITION:
        found = _of_days(attempt.environment.landing_zone, landing, attempt.run.partitions)
        missing = [key for key in attempt.run.partitions if key not in found]
        if missing:
            shown = ", ".join(missing[:5]) + (" ..." if len(missing) > 5 else "")
            raise NothingToIngest(
                f"{attempt.definition.key}: nothing has landed for partition {shown}; "
                f"looked for {place}",
                tuple(missing),
            )
        return {key: found[key] for key in attempt.run.partitions}
    chosen = _extract(attempt.environment, attempt.contract, landing_object)
    if chosen is None:
        what = f"{landing_object} is gone" if landing_object else "nothing has landed"
        raise NothingToIngest(f"{attempt.definition.key}: {what}; looked for {place}")
    _refuse_going_back(attempt, chosen)
    return {UNPARTITIONED: chosen}


def _extract(
    environment: Environment, contract: Contract, landing_object: str | None
) -> LandingObject | None:
    """The full extract of that key, or the newest one."""
    if landing_object is None:
        return newest_extract(environment, contract)
    assert contract.landing is not None
    named = environment.landing_zone.head(landing_object)
    return match(contract.landing, [named] if named else []).newest


def _of_days(
    zone: LandingZone, landing: Landing, days: tuple[str, ...]
) -> dict[str, LandingObject]:
    """The objects of the days, whose names say them: of one by its key, of more by a listing of
    what lies between the first and the last."""
    if len(days) == 1:
        obj = zone.head(_key(landing, days[0]))
        return {days[0]: obj} if obj else {}
    found: dict[str, LandingObject] = {}
    last = _key(landing, max(days))
    # A day sorts before the next whatever stands around it; the day before the first may be found.
    before = (date.fromisoformat(min(days)) - timedelta(days=1)).isoformat()
    at, more = _key(landing, before), True
    while more and at < last:
        page = zone.page(landing.prefix, at, PAGE_KEYS)
        found.update(match(landing, page.objects).by_partition)
        more = page.more
        at = page.names[-1] if page.names else last
    return found


def _key(landing: Landing, day: str) -> str:
    return f"{landing.prefix.strip('/')}/{landing.object_name.replace(PARTITION, day)}"


def _refuse_going_back(attempt: Attempt, chosen: LandingObject) -> None:
    """A late run of an older extract must not replace a newer one that readers have already."""
    versions = attempt.environment.stores_of(attempt.contract)[0].versions(attempt.contract.key)
    if not versions:
        return
    for key, etag in objects(versions[-1]):
        there = attempt.environment.landing_zone.head(key)
        if there is None or etag not in (there.etag, there.listed):
            continue
        # Of the same second, as S3 tells time, either may be the newer; the ledger knows.
        ledger = Ledger(attempt.environment.state, attempt.contract.key)
        published, wanted = ledger.questions.dated([there, chosen])
        if newer(published, wanted, datetime.now(UTC)):
            raise NothingToIngest(
                f"{attempt.definition.key}: {chosen.key} is older than {key}, which is published as "
                f"version {versions[-1].number}; to go back, use `mesh rollback`"
            )
