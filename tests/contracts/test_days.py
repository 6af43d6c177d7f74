"""Days in a row, and the days that a product has."""

from __future__ import annotations

from datetime import date

from shared_resources.contracts.days import has_day, rows_of_days
from shared_resources.contracts.model import Partitioning


def test_days_are_cut_into_rows_without_gaps() -> None:
    days = ["2024-02-28", "2024-02-29", "2024-03-01", "2024-03-03", "2024-12-31", "9999-12-31"]
    rows = [tuple(days[:3]), *((day,) for day in days[3:])]
    assert rows_of_days(reversed(days)) == rows
    assert rows_of_days(days, longest=2)[:2] == [tuple(days[:2]), (days[2],)]
    assert rows_of_days([]) == []


def test_a_name_that_is_no_day_stands_alone() -> None:
    assert rows_of_days(["", "2024-01-02", "b", "2024-01-01"]) == [
        ("",),
        ("2024-01-01", "2024-01-02"),
        ("b",),
    ]


def test_a_product_has_its_start_and_not_its_end() -> None:
    bounded = Partitioning("day", date(2024, 1, 1), date(2024, 1, 3))
    days = ["2023-12-31", "2024-01-01", "2024-01-02", "2024-01-03"]
    assert [has_day(bounded, day) for day in days] == [False, True, True, False]
    assert has_day(Partitioning("day", date(2024, 1, 1)), "2999-01-01")
