"""Why people are told of an object: it was passed over, or there is something odd about it.

Belongs here: what is said of such an object. Does not belong here: remembering it
(`passed_over.py`), which objects a contract means (`landing/objects.py`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from shared_resources.arrivals.ledger.tables import Entry
from shared_resources.landing.objects import Matched
from shared_resources.landing.zones.zone import LandingObject, Page

OUTSIDE = "outside"  # in a product's place: below no product's prefix
# Clocks of several machines differ a little; that is no reason to tell anybody.
FUTURE = timedelta(minutes=5)


@dataclass(frozen=True)
class Settled:
    """Somebody's decision that nothing is to be done about an object."""

    by: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class Stray:
    """An object, as it was seen, and why it was passed over; or ingested, though it is `odd`."""

    key: str
    etag: str
    reason: str
    size: int | None = None
    modified_at: datetime | None = None
    seen_at: datetime | None = None
    settled: Settled | None = None
    odd: bool = False

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


def strays_of(matched: Matched, page: Page | None, now: datetime) -> list[Stray]:
    """What of some objects people are to be told of: no object of the contract, or an odd one."""
    found = [_stray(one.object, one.reason) for one in matched.unmatched]
    if page is not None:
        found.extend(refused(name, why) for name, why in page.refusals)
    found.extend(
        replace(
            _stray(
                obj,
                f"its modification time {obj.modified_at:%Y-%m-%d %H:%M:%S} lies in the future; it "
                "counts as written when it was first seen",
            ),
            odd=True,
        )
        for obj in (*matched.by_partition.values(), *matched.candidates)
        if obj.modified_at - now > FUTURE
    )
    return found


def refused(name: str, why: str) -> Stray:
    """A key that nobody will ever read. It has no etag; of those in one place the reason tells."""
    reason = why.removeprefix(f"{name}: ").removeprefix(f"{name!r}: ")
    return Stray(writable(name), hashlib.sha256(why.encode()).hexdigest()[:16], reason)


def writable(name: str) -> str:
    """A key as every database takes it."""
    return name.replace("\0", "\ue000")


def _stray(obj: LandingObject, reason: str) -> Stray:
    return Stray(obj.key, obj.listed, reason, obj.size, obj.modified_at)


def older_extract(modified_at: datetime | None, counts: Entry | None) -> str:
    """Why a full extract was passed over."""
    if counts is None:
        return "a newer full extract counted"
    times = ""
    if modified_at is not None and counts.modified_at is not None:
        times = f" ({counts.modified_at:%Y-%m-%d %H:%M:%S} after {modified_at:%Y-%m-%d %H:%M:%S})"
    return f"{counts.key} is newer{times}, and of full extracts only the newest counts"
