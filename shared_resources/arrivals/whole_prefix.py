"""Looking at a whole prefix at once: what `mesh run` does, which has no sensor's memory.

Belongs here: listing, with everything that was passed over written down.
Does not belong here: the sensor's bounded look (`listing.py`), what is made of the objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime

from shared_resources.arrivals.ages import newest
from shared_resources.arrivals.ingested import unseen
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.passed_over import PassedOver
from shared_resources.arrivals.ledger.strays import OUTSIDE, Stray, refused, strays_of
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.objects import Matched, match
from shared_resources.landing.zones.zone import PAGE_KEYS, LandingObject, LandingZone, Page

# Sorts after every key below a folder.
_END = "/\U0010ffff"


def look(environment: Environment, contract: Contract) -> Matched:
    """What the contract means of all that lies below its prefix; the rest is written down."""
    landing = contract.landing
    assert landing is not None
    now = datetime.now(UTC)
    passed = PassedOver(environment.state, contract.key)
    objects: list[LandingObject] = []
    for page, after in _pages(environment.landing_zone, landing.prefix):
        matched = match(landing, page.objects, contract.partitioning)
        to = page.names[-1] if page.more else ""
        passed.looked(strays_of(matched, page, now), page.names, after, to)
        objects.extend(page.objects)
    return match(landing, objects, contract.partitioning)


def newest_extract(environment: Environment, contract: Contract) -> LandingObject | None:
    """The full extract that counts; older ones that nobody has ingested are written down."""
    extracts = look(environment, contract).candidates
    ledger = Ledger(environment.state, contract.key)
    counts = newest(ledger.questions.dated(extracts), datetime.now(UTC))
    unknown = ledger.questions.unknown(obj for obj in extracts if obj is not counts)
    if unknown:
        stores, quarantine = environment.stores_of(contract), environment.quarantine
        ledger.supersede(unseen(unknown, stores, quarantine, contract.key))
    return counts


def outside(environment: Environment, prefixes: list[str], limit: int) -> tuple[list[Stray], bool]:
    """Objects below none of the prefixes, and whether there are more than `limit` of them.

    What lies below a prefix is not listed: a request a prefix, and one a thousand strays.
    """
    below = sorted(prefix.strip("/") for prefix in prefixes)
    found: list[Stray] = []
    after, more = "", True
    while more and len(found) <= limit:
        page = environment.landing_zone.page_of_all(after, PAGE_KEYS)
        strays = _outsiders(page)
        more = page.more
        for name in page.names:
            after = name
            inside = next((one for one in below if name.startswith(f"{one}/")), None)
            if inside is not None:
                after, more = inside + _END, True
                break
            found.extend(strays.pop(name, ()))
        if not page.names:
            break
    passed = PassedOver(environment.state, OUTSIDE)
    return passed.decided(found[:limit]), len(found) > limit


def _outsiders(page: Page) -> dict[str, list[Stray]]:
    """What of a page is an object, or refused, by its place."""
    found: dict[str, list[Stray]] = defaultdict(list)
    for obj in page.objects:
        why = "lies below no product's prefix"
        found[obj.key].append(Stray(obj.key, obj.listed, why, obj.size, obj.modified_at))
    for name, why in page.refusals:
        found[name].append(refused(name, why))
    return found


def _pages(zone: LandingZone, prefix: str) -> Iterator[tuple[Page, str]]:
    """The pages of a prefix, each with the key that it comes after."""
    after, more = "", True
    while more:
        page = zone.page(prefix, after, PAGE_KEYS)
        yield page, after
        more = page.more
        after = page.names[-1] if page.names else after
