"""Across locations: consumers follow what is published, sensors bring in what has landed."""

from __future__ import annotations

import os

import dagster as dg
import pytest

from shared_resources.dagster_instance.asset_keys import asset_key
from tests.guarantees.orders import (
    COLUMNS,
    DAY,
    KEY,
    LANDING,
    amounts,
    daily_orders_product,
    land_day,
    land_orders,
    orders_product,
    orders_table,
)
from tests.tiny_mesh import TinyMesh, contract_text, failures

CONSUMER = "finance/revenue"
SECOND = "sales/rates"
CODE = """
    from shared_resources import data_product


    @data_product(orders="order/orders", rates="sales/rates")
    def revenue(orders, rates):
        return orders
"""


@pytest.fixture
def three(mesh: TinyMesh) -> dg.Definitions:
    """finance/revenue reads order/orders and sales/rates: three domains, seen as one graph."""
    orders_product(mesh)
    mesh.product(
        SECOND,
        contract_text(SECOND, COLUMNS, properties={"landing": {**LANDING, "prefix": SECOND}}),
    )
    mesh.product(CONSUMER, contract_text(CONSUMER, COLUMNS), CODE)
    every = [one for name in ("order", "sales", "finance") for one in own_assets(mesh, name)]
    return dg.Definitions(assets=every, resources=mesh.definitions("order").resources)


def own_assets(mesh: TinyMesh, domain: str) -> list[dg.AssetsDefinition]:
    """A location's products, without what it says of others'."""
    assets = mesh.definitions(domain).assets or []
    return [one for one in assets if isinstance(one, dg.AssetsDefinition)]


def land_rates(mesh: TinyMesh) -> None:
    mesh.land(f"{SECOND}/extract.parquet", orders_table([1.0]))


class Ticks:
    """The automation of a graph from tick to tick."""

    def __init__(self, definitions: dg.Definitions, mesh: TinyMesh) -> None:
        self._definitions, self._mesh = definitions, mesh
        self._cursor = None
        self.requested()

    def requested(self) -> int:
        done = dg.evaluate_automation_conditions(
            self._definitions, self._mesh.instance, cursor=self._cursor
        )
        self._cursor = done.cursor
        return done.get_num_requested(asset_key(CONSUMER))


def test_a_consumer_waits_for_each_input_and_then_follows_updates(
    mesh: TinyMesh, three: dg.Definitions
) -> None:
    ticks = Ticks(three, mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    assert ticks.requested() == 0, "sales/rates is missing"
    land_rates(mesh)
    assert mesh.run(SECOND).success
    assert ticks.requested() == 1
    assert mesh.run(CONSUMER).success
    assert ticks.requested() == 0
    land_orders(mesh, [2.0])
    assert mesh.run(KEY).success
    assert ticks.requested() == 1


def test_a_refused_batch_asks_for_nothing_and_the_next_good_one_does(
    mesh: TinyMesh, three: dg.Definitions
) -> None:
    land_orders(mesh, [1.0])
    land_rates(mesh)
    for key in (KEY, SECOND, CONSUMER):
        assert mesh.run(key).success
    ticks = Ticks(three, mesh)
    land_orders(mesh, [-1.0])
    assert not mesh.run(KEY).success
    assert ticks.requested() == 0
    land_orders(mesh, [3.0])
    assert mesh.run(KEY).success
    assert ticks.requested() == 1


def test_checks_alone_ask_for_nothing(mesh: TinyMesh, three: dg.Definitions) -> None:
    land_orders(mesh, [1.0])
    land_rates(mesh)
    for key in (KEY, SECOND, CONSUMER):
        assert mesh.run(key).success
    ticks = Ticks(three, mesh)
    selection = dg.AssetSelection.checks_for_assets(asset_key(KEY))
    assert mesh.run(KEY, selection=selection).success
    assert ticks.requested() == 0


def test_a_consumer_of_all_days_waits_neither_for_one_without_data_nor_for_a_refused_one(
    mesh: TinyMesh,
) -> None:
    """A shop that is closed at Christmas has no receipts of that day, ever."""
    daily_orders_product(mesh)
    code = CODE.replace(', rates="sales/rates"', "").replace(", rates", "")
    mesh.product(CONSUMER, contract_text(CONSUMER, (*COLUMNS, DAY)), code)
    every = [one for name in ("order", "finance") for one in own_assets(mesh, name)]
    resources = mesh.definitions("order").resources
    ticks = Ticks(dg.Definitions(assets=every, resources=resources), mesh)
    land_day(mesh, "2024-01-01", [-1.0])
    assert not mesh.run(KEY, partitions=("2024-01-01",)).success
    assert ticks.requested() == 0, "nothing of order/orders is published"
    land_day(mesh, "2024-01-03", [3.0])
    assert mesh.run(KEY, partitions=("2024-01-03",)).success
    assert ticks.requested() == 1
    assert mesh.run(CONSUMER).success
    assert ticks.requested() == 0
    land_day(mesh, "2024-01-05", [5.0])
    assert mesh.run(KEY, partitions=("2024-01-05",)).success
    assert ticks.requested() == 1


def tick(mesh: TinyMesh, cursor: str | None) -> dg.SensorResult:
    definitions = mesh.definitions("order")
    sensor = definitions.resolve_sensor_def("order_landing")
    with dg.build_sensor_context(
        instance=mesh.instance, cursor=cursor, definitions=definitions
    ) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result


def landed_at(mesh: TinyMesh, name: str, second: int, values: list[float | None]) -> None:
    land_orders(mesh, values, name)
    file = mesh.environment.landing_zone.root / KEY / f"{name}.parquet"
    os.utime(file, (1_800_000_000 + second,) * 2)


def test_of_two_full_extracts_in_one_tick_the_newer_is_published_and_stays(mesh: TinyMesh) -> None:
    orders_product(mesh)
    landed_at(mesh, "a_newer", 2, [20.0])
    landed_at(mesh, "b_older", 1, [10.0])

    result = tick(mesh, None)
    for request in result.run_requests or []:
        assert mesh.run(KEY, tags=request.tags).success

    assert amounts(mesh) == [20.0]
    assert not tick(mesh, result.cursor).run_requests, "the older one does not come afterwards"


def test_extracts_of_two_ticks_are_published_in_the_order_in_which_they_landed(
    mesh: TinyMesh,
) -> None:
    """Each run takes the object that it was asked for, whatever has landed since."""
    orders_product(mesh)
    landed_at(mesh, "first", 1, [10.0])
    one = tick(mesh, None)
    landed_at(mesh, "second", 2, [20.0])
    two = tick(mesh, one.cursor)
    for result in (one, two):
        (request,) = result.run_requests or []
        assert mesh.run(KEY, tags=request.tags).success
    assert amounts(mesh, 1) == [10.0]
    assert amounts(mesh, 2) == amounts(mesh) == [20.0]


def test_an_object_that_is_gone_when_its_run_begins_is_told(mesh: TinyMesh) -> None:
    orders_product(mesh)
    landed_at(mesh, "first", 1, [10.0])
    (request,) = tick(mesh, None).run_requests or []
    (mesh.environment.landing_zone.root / KEY / "first.parquet").unlink()
    result = mesh.run(KEY, tags=request.tags)
    assert not result.success
    assert "order/orders/first.parquet is gone" in failures(result)
