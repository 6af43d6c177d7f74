"""Which objects a contract means."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from shared_resources.contracts.file_formats import CSV
from shared_resources.contracts.model import Landing, LandingMode, Partitioning
from shared_resources.landing.objects import match
from shared_resources.landing.zones.zone import LandingObject


def landed(key: str, second: int = 0) -> LandingObject:
    at = datetime(2026, 1, 1, 0, 0, second, tzinfo=UTC)
    return LandingObject(f"shop/items/{key}", 1, at, f"{key}@{second}")


def extract(name: str) -> Landing:
    return Landing("shop/items", CSV, name)


def daily(name: str) -> Landing:
    return Landing("shop/items", CSV, name, LandingMode.PARTITION)


def test_the_newest_extract_supersedes_the_others() -> None:
    objects = [landed("x-2.csv", 5), landed("x-1.csv", 9), landed("x-3.csv", 1)]
    matched = match(extract("x-*.csv"), objects)
    assert matched.newest == objects[1]
    assert matched.superseded == (objects[0], objects[2])
    assert [obj.key[-5] for obj in matched.candidates] == ["3", "2", "1"]


def test_extracts_of_the_same_time_are_ordered_by_key() -> None:
    objects = [landed("x-1.csv"), landed("x-3.csv"), landed("x-2.csv")]
    for order in (objects, objects[::-1]):
        assert match(extract("x-*.csv"), order).newest == objects[1]


def test_a_star_stands_within_one_name_and_the_rest_for_itself() -> None:
    names = ["x.csv", "xa.csv", "xacsv", "deep/x.csv", "x.csv.gz", "X.csv"]
    matched = match(extract("x*.csv"), [landed(name) for name in names])
    assert {obj.key for obj in matched.candidates} == {"shop/items/x.csv", "shop/items/xa.csv"}
    assert [one.object.key.removeprefix("shop/items/") for one in matched.unmatched] == [
        "X.csv",
        "deep/x.csv",
        "x.csv.gz",
        "xacsv",
    ]
    assert all("'x*.csv'" in one.reason for one in matched.unmatched)


def test_a_name_says_its_partition() -> None:
    objects = [landed("2017-03-02.csv"), landed("2017-03-01.csv")]
    matched = match(daily("{partition}.csv"), objects)
    assert list(matched.by_partition) == ["2017-03-01", "2017-03-02"]
    assert matched.by_partition["2017-03-02"] == objects[0]
    assert matched.newest is None and not matched.unmatched


def test_a_partition_may_be_a_folder() -> None:
    one = landed("2017-03-02/part.csv")
    assert match(daily("{partition}/part.csv"), [one]).by_partition == {"2017-03-02": one}


@pytest.mark.parametrize(
    "name", ["2017-02-30", "20170301", "2017-W09-3", "2017-3-1", "latest", "2017-03-01 "]
)
def test_what_is_no_day_is_reported(name: str) -> None:
    matched = match(daily("{partition}.csv"), [landed(f"{name}.csv")])
    assert not matched.by_partition
    assert name in matched.unmatched[0].reason


def test_a_day_outside_of_the_partitions_is_reported() -> None:
    partitioning = Partitioning("day", date(2017, 1, 1), date(2017, 1, 3))
    days = ["2016-12-31", "2017-01-01", "2017-01-02", "2017-01-03"]
    matched = match(daily("{partition}.csv"), [landed(f"{d}.csv") for d in days], partitioning)
    assert list(matched.by_partition) == days[1:3]
    assert [one.object.key[-14:-4] for one in matched.unmatched] == [days[0], days[3]]
