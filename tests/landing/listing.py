"""All that lies below a prefix of a landing zone, page by page; for tests and benchmarks."""

from __future__ import annotations

from shared_resources.landing.zones.zone import PAGE_KEYS, LandingObject, LandingZone


def lies_below(zone: LandingZone, prefix: str, limit: int = PAGE_KEYS) -> list[LandingObject]:
    found: list[LandingObject] = []
    after, more = "", True
    while more:
        page = zone.page(prefix, after, limit)
        found += page.objects
        after, more = page.names[-1] if page.names else after, page.more
    return found
