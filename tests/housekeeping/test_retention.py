"""How long versions are kept: boundaries, zones, leap years, pins. Pure: every moment is given."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared_resources.housekeeping.retention import (
    GRACE,
    QUARANTINE_RETENTION,
    quarantine_kept_since,
    versions_kept_since,
)
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import expirable, number_ranges
from tests.stores.products import contract

NOON = datetime(2028, 3, 1, 12, tzinfo=UTC)


def versions(*published: datetime, rolled_back: dict[int, int] | None = None) -> list[Version]:
    return [
        Version("order/sales", "lake", number, "", 0, at, {}, (rolled_back or {}).get(number))
        for number, at in enumerate(published, 1)
    ]


def gone(
    found: list[Version], kept: timedelta | None, pinned: set[int], now: datetime
) -> list[int]:
    since = versions_kept_since(contract(retention=kept), found, pinned, now)
    return [version.number for version in expirable(found, since)] if since else []


def test_without_a_retention_everything_is_kept() -> None:
    old = versions(*(NOON - timedelta(days=n) for n in (5_000, 4_000, 1)))
    assert gone(old, None, set(), NOON) == []


def test_exactly_as_old_as_the_retention_is_kept() -> None:
    year = timedelta(days=365)
    at = NOON - year
    old = versions(at - timedelta(microseconds=1), at, NOON - timedelta(days=5))
    assert gone(old, year, set(), NOON) == [1]
    assert gone(old, year, set(), NOON + timedelta(microseconds=1)) == [1, 2]


def test_a_year_is_365_days_also_over_a_leap_day() -> None:
    """As the contract's units say; 2028-02-29 is one of them, and the year ends a day early."""
    old = versions(*(datetime(2027, 3, d, tzinfo=UTC) for d in (1, 2, 3)), NOON - GRACE)
    year = timedelta(days=365)
    assert gone(old, year, set(), datetime(2028, 2, 29, tzinfo=UTC)) == []
    assert gone(old, year, set(), datetime(2028, 3, 1, tzinfo=UTC)) == [1]
    assert gone(old, year, set(), datetime(2028, 3, 2, tzinfo=UTC)) == [1, 2]


def test_a_moment_counts_and_not_its_zone() -> None:
    """A clock that shows another day, and one that was put forward at night."""
    tokyo, berlin = timezone(timedelta(hours=9)), timezone(timedelta(hours=2))
    old = versions(datetime(2028, 2, 1, 0, tzinfo=UTC), NOON - timedelta(days=2))
    for zone in (UTC, tokyo, berlin):
        exactly = datetime(2028, 3, 2, 0, tzinfo=UTC).astimezone(zone)
        assert gone(old, timedelta(days=30), set(), exactly) == []
        assert gone(old, timedelta(days=30), set(), exactly + timedelta(seconds=1)) == [1]


def test_what_was_current_within_a_day_is_kept_for_its_readers() -> None:
    """Version 2 was current until an hour ago: who opened it then may still be reading."""
    old = versions(*(NOON - timedelta(hours=h) for h in (500, 400, 1)))
    short = timedelta(hours=2)
    assert gone(old, short, set(), NOON) == [1]
    assert gone(old, short, set(), NOON + timedelta(hours=22, minutes=59)) == [1]
    assert gone(old, short, set(), NOON + timedelta(hours=23)) == [1, 2]


def test_all_of_a_young_product_is_kept() -> None:
    young = versions(*(NOON - timedelta(minutes=m) for m in (30, 20, 10)))
    assert gone(young, timedelta(minutes=1), set(), NOON) == []


def test_a_pinned_version_is_kept_and_what_is_younger() -> None:
    old = versions(*(NOON - timedelta(days=d) for d in (50, 40, 30, 20, 2)))
    ten = timedelta(days=10)
    assert gone(old, ten, set(), NOON) == [1, 2, 3, 4]
    assert gone(old, ten, {3}, NOON) == [1, 2]
    assert gone(old, ten, {99}, NOON) == [1, 2, 3, 4]


def test_what_a_kept_version_restored_is_kept() -> None:
    old = versions(
        *(NOON - timedelta(days=d) for d in (50, 40, 30, 20, 2)), rolled_back={5: 4, 4: 1}
    )
    assert gone(old, timedelta(days=10), set(), NOON) == [2, 3]


def test_a_retention_longer_than_time_keeps_everything() -> None:
    old = versions(*(NOON - timedelta(days=d) for d in (50, 2)))
    assert gone(old, timedelta(days=999_999_999), set(), NOON) == []


def test_quarantine_is_kept_by_default_for_a_quarter() -> None:
    assert timedelta(days=90) == QUARANTINE_RETENTION
    assert quarantine_kept_since(contract(), NOON) == NOON - timedelta(days=90)
    own = contract(quarantine_retention=timedelta(days=7))
    assert quarantine_kept_since(own, NOON) == NOON - timedelta(days=7)


@pytest.mark.parametrize(
    ("kept", "shown"),
    [([], ""), ([1], "1"), ([1, 2, 3], "1 to 3"), ([2, 4, 5, 9], "2, 4 to 5, 9")],
)
def test_numbers_are_shown_as_ranges(kept: list[int], shown: str) -> None:
    found = [Version("order/sales", "lake", number, "", 0, NOON) for number in kept]
    assert number_ranges(found) == shown
