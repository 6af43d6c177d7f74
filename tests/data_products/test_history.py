"""A batch beside those before it: the policy on volume over what was really published."""

from __future__ import annotations

import pytest

from shared_resources.evidence.record import CheckOutcome
from tests.tiny_mesh import TinyMesh, column, contract_text

CHECK = "policy_volume_as_before"
ID = column("line_id", required=True, primaryKey=True, primaryKeyPosition=1)
DAYS = {"cadence": "daily", "column": "day", "start": "2024-01-01"}


def rows(number: int, day: str = "") -> str:
    head = "line_id,day\n" if day else "line_id\n"
    return head + "".join(f"{n},{day}\n" if day else f"{n}\n" for n in range(number))


def landed(mesh: TinyMesh, number: int, rows_: int) -> CheckOutcome:
    """What the check said of a full extract of so many rows, that was published."""
    mesh.land(f"order/lines/{number}.csv", rows(rows_))
    assert mesh.run("order/lines").success
    outcome = mesh.versions("order/lines")[-1].evidence.outcome(CHECK)
    assert outcome is not None and mesh.versions("order/lines")[-1].rows == rows_
    return outcome


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    landing = {"prefix": "order/lines", "format": "csv", "mode": "replace", "object": "*.csv"}
    mesh.product("order/lines", contract_text("order/lines", [ID], properties={"landing": landing}))
    return mesh


def test_a_batch_of_far_fewer_rows_than_before_is_warned_of_and_published(shop: TinyMesh) -> None:
    for number in (1, 2, 3):
        assert landed(shop, number, 100 + number).passed
    few = landed(shop, 4, 10)
    assert (few.passed, few.severity) == (False, "warning")
    assert landed(shop, 5, 90).passed, "one that was odd does not change what is usual"


def test_it_keeps_a_batch_from_readers_where_that_is_decided(shop: TinyMesh) -> None:
    shop.central(policies={"volume_as_before": {"severity": "blocking", "highestPercent": 110}})
    for number in (1, 2, 3):
        landed(shop, number, 100)
    shop.land("order/lines/4.csv", rows(120))
    assert not shop.run("order/lines").success
    assert shop.versions("order/lines")[-1].rows == 100


def test_a_day_is_compared_with_the_days_before_it(mesh: TinyMesh) -> None:
    landing = {
        "prefix": "order/lines",
        "format": "csv",
        "mode": "partition",
        "object": "{partition}.csv",
    }
    text = contract_text(
        "order/lines",
        [ID, column("day", "DATE", required=True)],
        properties={"landing": landing, "partitions": DAYS},
    )
    mesh.product("order/lines", text)
    for day, number in (("01", 40), ("02", 42), ("03", 44), ("04", 9)):
        mesh.land(f"order/lines/2024-01-{day}.csv", rows(number, f"2024-01-{day}"))
        assert mesh.run("order/lines", partitions=[f"2024-01-{day}"]).success
        outcome = mesh.versions("order/lines")[-1].evidence.outcome(CHECK)
        assert outcome is not None and outcome.passed is (day != "04")
    mesh.land("order/lines/2024-01-04.csv", rows(41, "2024-01-04"))
    assert mesh.run("order/lines", partitions=["2024-01-04"]).success
    outcome = mesh.versions("order/lines")[-1].evidence.outcome(CHECK)
    assert outcome is not None and outcome.passed, "itself is not what came before"
