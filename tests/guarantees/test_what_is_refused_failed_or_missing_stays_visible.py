"""Promise: what was refused, failed or is missing stays visible until that very thing is mended.

Each way of breaking is looked for in `mesh status --json`, in its exit code and in the checks that
the UI shows, at once and after something else of the same product went well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster_graphql.schema import create_schema

from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.dagster_instance.instance import open_instance
from tests.cli.commands import call, start
from tests.guarantees.orders import (
    COLUMNS,
    DAILY,
    DAY,
    KEY,
    daily_orders_product,
    land_day,
    land_orders,
    orders_product,
    orders_table,
)
from tests.tiny_mesh import TinyMesh, contract_text

FIRST, SECOND, THIRD = "2024-01-01", "2024-01-02", "2024-01-03"
SUMS = "finance/sums"
GOOD = """
    import polars as pl

    from shared_resources import data_product


    @data_product(orders="order/orders")
    def sums(orders: pl.DataFrame) -> pl.DataFrame:
        return orders.select("order_id", "amount")
"""
RAISES = GOOD.replace("return orders.select", "return (1 / 0, 'no rate') or orders.select")


def health(key: str) -> tuple[int, dict[str, Any]]:
    told = call("status", "--json")
    assert told.err == ""
    (row,) = [one for one in told.json if one["key"] == key]
    return told.code, row["health"]


def shown(
    mesh: TinyMesh, key: str, check: str = "mesh_health", instance: dg.DagsterInstance | None = None
) -> tuple[str, str]:
    """What the product's check says in the UI: passed, failed, or nothing yet; and why."""
    name = dg.AssetCheckKey(asset_key(key), check)
    storage = (instance or mesh.instance).event_log_storage
    record = storage.get_latest_asset_check_execution_by_key([name]).get(name)
    event = record.event if record else None
    said = event.dagster_event.event_specific_data if event and event.dagster_event else None
    if not isinstance(said, dg.AssetCheckEvaluation):
        return "", ""
    return "SUCCEEDED" if said.passed else "FAILED", said.description or ""


def run(mesh: TinyMesh, key: str, *days: str) -> bool:
    return mesh.run(key, partitions=days).success


def land_and_run(mesh: TinyMesh, day: str, amount: float) -> bool:
    land_day(mesh, day, [amount])
    return run(mesh, KEY, day)


def consumer(mesh: TinyMesh, code: str = GOOD) -> None:
    mesh.product(SUMS, contract_text(SUMS, COLUMNS), code)


# -- ways to break something, each with what goes well afterwards and what mends it ---------------


def a_refused_day(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    assert not land_and_run(mesh, FIRST, -1.0)


def a_refused_correction_of_a_published_day(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    assert land_and_run(mesh, FIRST, 1.0) and not land_and_run(mesh, FIRST, -1.0)


def an_object_that_cannot_be_read(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    mesh.land(f"{KEY}/{FIRST}.parquet", b"PAR1 and nothing more")
    assert not run(mesh, KEY, FIRST)


def a_refused_day_of_a_range(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    land_day(mesh, FIRST, [-1.0])
    land_day(mesh, SECOND, [1.0])
    assert not run(mesh, KEY, FIRST, SECOND)


def a_day_that_did_not_land(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    assert not run(mesh, KEY, FIRST)


def a_day_that_lost_its_column(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    mesh.land(f"{KEY}/{FIRST}.parquet", orders_table([1.0]))
    assert not run(mesh, KEY, FIRST)


def another_day(mesh: TinyMesh) -> None:
    assert land_and_run(mesh, SECOND, 2.0) and land_and_run(mesh, THIRD, 3.0)


def that_day(mesh: TinyMesh) -> None:
    assert land_and_run(mesh, FIRST, 1.5)


def that_day_settled(mesh: TinyMesh) -> None:
    assert call("settle", KEY, FIRST, "--reason", "the till was being tested").code == 0


def a_gap(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    land_day(mesh, "2023-12-31", [1.0])  # before the first day: nothing that is due
    assert land_and_run(mesh, "2024-01-01", 1.0) and land_and_run(mesh, "2024-01-03", 1.0)


def the_day_after_the_gap(mesh: TinyMesh) -> None:
    assert land_and_run(mesh, "2024-01-04", 1.0)


def the_gap_filled(mesh: TinyMesh) -> None:
    assert land_and_run(mesh, SECOND, 1.0)


def a_refused_extract(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    assert run(mesh, KEY)
    land_orders(mesh, [-1.0])
    assert not run(mesh, KEY)


def a_first_extract_that_is_refused(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [-1.0])
    assert not run(mesh, KEY)


def a_good_extract(mesh: TinyMesh) -> None:
    land_orders(mesh, [2.0, 3.0])
    assert run(mesh, KEY)


def published_orders(mesh: TinyMesh) -> None:
    orders_product(mesh)
    a_good_extract(mesh)


def code_that_raises(mesh: TinyMesh) -> None:
    published_orders(mesh)
    consumer(mesh, RAISES)
    assert not run(mesh, SUMS)


def an_input_without_a_column(mesh: TinyMesh) -> None:
    published_orders(mesh)
    consumer(mesh, GOOD.replace('"amount"', '"total"'))
    assert not run(mesh, SUMS)


def an_input_that_is_not_published(mesh: TinyMesh) -> None:
    orders_product(mesh)
    consumer(mesh)
    assert not run(mesh, SUMS)


def code_that_returns_no_frame(mesh: TinyMesh) -> None:
    published_orders(mesh)
    consumer(mesh, GOOD.replace("return orders", "return orders.height, orders"))
    assert not run(mesh, SUMS)


def code_that_returns_what_breaks_a_rule(mesh: TinyMesh) -> None:
    published_orders(mesh)
    consumer(mesh, GOOD.replace('"amount")', 'amount=-pl.col("amount"))'))
    assert not run(mesh, SUMS)


def its_input_goes_well(mesh: TinyMesh) -> None:
    a_good_extract(mesh)


def the_code_is_mended(mesh: TinyMesh) -> None:
    consumer(mesh)
    a_good_extract(mesh)
    assert run(mesh, SUMS)


def nothing_else(_: TinyMesh) -> None:
    """There is no other part of the product that could go well."""


@dataclass(frozen=True)
class Way:
    breaks: Callable[[TinyMesh], None]
    goes_well: Callable[[TinyMesh], None]
    mends: Callable[[TinyMesh], None]
    key: str
    state: str
    names: tuple[str, ...] = ()
    says: str = ""

    def __str__(self) -> str:
        return f"{self.breaks.__name__}-{self.mends.__name__}"


RULES = ("range_amount", "parse")


def test_a_rules_own_check_stays_failed_and_names_the_day_while_another_goes_well(
    mesh: TinyMesh,
) -> None:
    a_refused_day(mesh)
    another_day(mesh)
    status, description = shown(mesh, KEY, "range_amount")
    assert (status, FIRST in description) == ("FAILED", True)
    assert shown(mesh, KEY, "primary_key")[0] == "SUCCEEDED"
    that_day(mesh)
    assert shown(mesh, KEY, "range_amount")[0] == "SUCCEEDED"


# One of each kind is quick; `make chaos` looks for all of them.
QUICK = (
    a_refused_correction_of_a_published_day,
    an_object_that_cannot_be_read,
    a_gap,
    code_that_raises,
    an_input_that_is_not_published,
)
DAYS = (another_day, that_day, KEY)
CODE = (its_input_goes_well, the_code_is_mended, SUMS, "crashed", ())
WAYS = [
    Way(a_refused_day, *DAYS, "holes", (FIRST,), "range_amount"),
    Way(a_refused_day, another_day, that_day_settled, KEY, "holes", (FIRST,)),
    Way(a_refused_correction_of_a_published_day, *DAYS, "served old", (FIRST,), "readers keep"),
    Way(an_object_that_cannot_be_read, *DAYS, "holes", (FIRST,), "parse"),
    Way(a_refused_day_of_a_range, *DAYS, "holes", (FIRST,), "range_amount"),
    Way(a_day_that_did_not_land, *DAYS, "holes", (FIRST,), "nothing has landed"),
    Way(a_day_that_did_not_land, another_day, that_day_settled, KEY, "holes", (FIRST,)),
    Way(a_day_that_lost_its_column, *DAYS, "holes", (FIRST,), "day"),
    Way(a_gap, the_day_after_the_gap, the_gap_filled, KEY, "holes", (SECOND,), "later days were"),
    Way(a_refused_extract, nothing_else, a_good_extract, KEY, "served old", (), "range_amount"),
    Way(a_first_extract_that_is_refused, nothing_else, a_good_extract, KEY, "holes", ()),
    Way(code_that_raises, *CODE, "division by zero"),
    Way(an_input_without_a_column, *CODE, "total"),
    Way(an_input_that_is_not_published, *CODE, "not published"),
    Way(code_that_returns_no_frame, *CODE, "iterable of int"),
    Way(code_that_returns_what_breaks_a_rule, *CODE[:3], "holes", (), "range_amount"),
]


@pytest.mark.parametrize(
    "way",
    [
        pytest.param(way, marks=() if way.breaks in QUICK else pytest.mark.slow, id=str(way))
        for way in WAYS
    ],
)
def test_it_is_found_everywhere_until_it_is_mended(mesh: TinyMesh, way: Way) -> None:
    way.breaks(mesh)

    def stands() -> None:
        code, found = health(way.key)
        assert code == 1
        assert found["state"] == way.state
        worst = found["reasons"][0]
        assert (tuple(worst["names"]), worst["failing"]) == (way.names, True)
        assert way.says in worst["reason"] and worst["remedy"]

    def seen_in_the_ui() -> None:
        status, description = shown(mesh, way.key)
        assert status == "FAILED"
        assert way.says in description
        if way.says in RULES:
            assert shown(mesh, way.key, way.says)[0] == "FAILED"

    stands()
    seen_in_the_ui()
    way.goes_well(mesh)
    stands()
    seen_in_the_ui()

    way.mends(mesh)

    assert health(way.key) == (0, {"state": "whole", "reasons": []})


def test_a_refused_object_is_named_where_one_looks_for_what_landed(mesh: TinyMesh) -> None:
    a_refused_day(mesh)
    another_day(mesh)
    (row,) = call("landing", "--json").json
    assert [one["key"] for one in row["refused"]] == [f"{KEY}/{FIRST}.parquet"]
    assert f"{KEY}/{FIRST}.parquet was refused (range_amount" in call("landing").out
    that_day(mesh)
    assert call("landing", "--json").json[0]["refused"] == []


def test_a_product_that_cannot_be_read_is_its_own_trouble(mesh: TinyMesh) -> None:
    published_orders(mesh)
    consumer(mesh)
    assert run(mesh, SUMS)
    (metadata,) = (mesh.environment.home / "lake").rglob("order/orders/metadata/*-*.metadata.json")
    metadata.write_text("")

    code, orders = health(KEY)

    assert (code, orders["state"]) == (1, "unreadable")
    assert health(SUMS)[1]["state"] == "whole"


def test_a_first_day_that_nobody_tried_is_no_failure(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    land_day(mesh, FIRST, [1.0])
    code, found = health(KEY)
    assert (code, found["state"]) == (0, "never published")


def test_days_on_which_nothing_is_due_are_no_holes(mesh: TinyMesh) -> None:
    partitions = {**DAILY["partitions"], "closed": [SECOND]}
    properties = {**DAILY, "partitions": partitions}
    mesh.product(KEY, contract_text(KEY, (*COLUMNS, DAY), properties=properties))
    assert land_and_run(mesh, FIRST, 1.0) and land_and_run(mesh, THIRD, 1.0)
    assert health(KEY) == (0, {"state": "whole", "reasons": []})


def test_inputs_that_moved_on_are_told_and_end_nothing(mesh: TinyMesh) -> None:
    published_orders(mesh)
    consumer(mesh)
    assert run(mesh, SUMS)
    a_good_extract(mesh)
    code, found = health(SUMS)
    assert (code, found["state"]) == (0, "behind")
    assert found["reasons"][0]["names"] == [KEY]
    assert shown(mesh, SUMS)[0] == "SUCCEEDED"


def test_what_is_settled_stands_again_when_it_fails_again(mesh: TinyMesh) -> None:
    a_refused_day(mesh)
    that_day_settled(mesh)
    assert health(KEY)[0] == 0
    assert not land_and_run(mesh, FIRST, -2.0)
    assert health(KEY)[1]["state"] == "holes"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((KEY, "--reason", "x"), "say which"),
        ((KEY, FIRST, "--reason", " "), "--reason is empty"),
        ((KEY, THIRD, "--reason", "x"), f"what stands is {FIRST}"),
        ((KEY, "yesterday", "--reason", "x"), "no day or range of days"),
        (("order/nothing", FIRST, "--reason", "x"), "order/nothing"),
    ],
)
def test_settling_what_does_not_stand_is_wrong_use(
    mesh: TinyMesh, arguments: tuple[str, ...], says: str
) -> None:
    a_refused_day(mesh)
    call("settle", *arguments).refused(says)


def test_a_rule_cannot_take_the_name_of_the_check(mesh: TinyMesh) -> None:
    rule = {"name": "mesh_health", "metric": "rowCount", "mustBeGreaterThan": 0}
    mesh.product(KEY, contract_text(KEY, COLUMNS, quality=[rule]))
    told = call("check")
    assert told.code == 1 and "'mesh_health', the platform's own check" in told.out


@pytest.mark.parametrize("bad", [(), (SECOND,)], ids=["all published", "one refused"])
def test_each_day_of_a_range_says_its_own_rows(mesh: TinyMesh, bad: tuple[str, ...]) -> None:
    daily_orders_product(mesh)
    landed = {FIRST: [1.0], SECOND: [1.0, 2.0], THIRD: [1.0, 2.0, 3.0]}
    for day, amounts in landed.items():
        land_day(mesh, day, [-1.0 if day in bad else 1.0, *amounts[1:]])
    told = {
        event.partition: event.step_materialization_data.materialization.metadata
        for event in mesh.run(KEY, partitions=tuple(landed)).get_asset_materialization_events()
    }
    assert {day: said["dagster/partition_row_count"].value for day, said in told.items()} == {
        day: len(amounts) for day, amounts in landed.items() if day not in bad
    }


QUERY = """
    { assetNodes(assetKeys: [{path: ["order", "orders"]}]) {
        partitionStats { numFailed }
        assetChecksOrError { ... on AssetChecks { checks {
            name executionForLatestMaterialization { status evaluation { severity description } }
    } } } } }
"""


@pytest.mark.slow  # `mesh run` begins
def test_a_refusal_that_is_settled_at_once_is_no_crash(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    land_day(mesh, FIRST, [-1.0])
    assert start("run", KEY).code == 1
    that_day_settled(mesh)
    assert health(KEY)[1]["state"] == "never published"


ODD = """
    class Odd(Exception):
        def __str__(self):
            raise RuntimeError("no words")


"""


@pytest.mark.parametrize(
    ("raised", "says"),
    [
        ("ValueError('a\\0b \\ud800')", r"ValueError: a\x00b \ud800"),
        ("Odd()", "Odd: (its text cannot be had"),
        ("ValueError('x' * 10_000_000)", "ValueError: xxx"),
        ("SystemExit(0)", "SystemExit"),
    ],
    ids=["no text", "no words", "too long", "exit"],
)
def test_whatever_a_products_code_raises_is_a_crash(mesh: TinyMesh, raised: str, says: str) -> None:
    published_orders(mesh)
    consumer(mesh, ODD + GOOD.replace("return orders.select", f"raise {raised}\n        orders"))
    assert not run(mesh, SUMS)
    code, found = health(SUMS)
    assert (code, found["state"]) == (1, "crashed")
    assert says in found["reasons"][0]["reason"]
    assert shown(mesh, SUMS)[0] == "FAILED"


@pytest.mark.slow  # a code server begins
def test_the_ui_shows_a_refused_day_until_it_is_settled(mesh: TinyMesh) -> None:
    """Through `mesh run` and GraphQL, as somebody in front of the UI sees it."""
    daily_orders_product(mesh)
    for day, amount in ((FIRST, -1.0), (SECOND, 1.0)):
        land_day(mesh, day, [amount])
        start("run", KEY)

    def seen() -> tuple[str, str, int]:
        with open_instance(mesh.environment) as instance:
            target = ModuleTarget(
                "domains.order.definitions", "defs", str(mesh.root), location_name="order"
            )
            with WorkspaceProcessContext(instance, target) as workspace:
                context = workspace.create_request_context()
                answer = asyncio.run(create_schema().execute_async(QUERY, context_value=context))
        assert answer.errors is None and answer.data is not None
        (node,) = answer.data["assetNodes"]
        checks = {one["name"]: one for one in node["assetChecksOrError"]["checks"]}
        latest = checks["mesh_health"]["executionForLatestMaterialization"]
        failed = node["partitionStats"]["numFailed"]
        return latest["status"], latest["evaluation"]["description"], failed

    def rule() -> tuple[str, str]:
        with open_instance(mesh.environment) as instance:
            return shown(mesh, KEY, "range_amount", instance)

    status, description, failed = seen()
    assert (status, failed) == ("FAILED", 1)
    assert f"{FIRST} was refused" in description
    assert rule()[0] == "FAILED" and FIRST in rule()[1]
    that_day_settled(mesh)
    status, _, failed = seen()
    assert (status, failed, rule()[0]) == ("SUCCEEDED", 0, "SUCCEEDED")
    assert health(KEY) == (0, {"state": "whole", "reasons": []})
