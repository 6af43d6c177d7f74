"""Of a product that commits each second, fewer versions the older they are."""

from datetime import UTC, datetime, timedelta

from shared_resources.stores.expiring.thinning import EVERY_FOR, Thinning

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def each(seconds, length):
    """A version each so many seconds until now, numbered from 1."""
    count = int(length.total_seconds()) // seconds
    return [(n + 1, NOW - timedelta(seconds=seconds * (count - n - 1))) for n in range(count)]


def ages(published, stay):
    return [NOW - at for number, at in published if number in stay]


def test_a_version_a_second_leaves_a_few_hundred():
    published = each(1, timedelta(days=1))
    stay = Thinning(NOW).staying(published)
    young = [age for age in ages(published, stay) if age <= EVERY_FOR]
    assert len(young) == EVERY_FOR.total_seconds() + 1
    assert len(stay) - len(young) == 24 * 6 - 1  # one in each ten minutes
    assert published[-1][0] in stay


def test_older_ones_are_an_hour_apart_and_then_a_day():
    published = each(60, timedelta(days=30))
    stay = Thinning(NOW).staying(published)
    older = [age for age in ages(published, stay) if age > timedelta(days=1)]
    assert sum(age <= timedelta(days=7) for age in older) == 6 * 24
    assert sum(age > timedelta(days=7) for age in older) == 23


def test_who_thins_each_minute_keeps_what_who_thins_once_does():
    published = each(30, timedelta(hours=3))
    once = Thinning(NOW).staying(published)
    left = []
    for version in published:
        left.append(version)
        stay = Thinning(version[1]).staying(left)
        left = [one for one in left if one[0] in stay]
    assert {number for number, _ in left} == once


def test_what_is_pinned_stays():
    published = each(60, timedelta(hours=2))
    assert {3, 4} <= Thinning(NOW, frozenset({3, 4})).staying(published)
    assert 3 not in Thinning(NOW).staying(published)


def test_nothing_is_nothing():
    assert Thinning(NOW).staying([]) == set()
