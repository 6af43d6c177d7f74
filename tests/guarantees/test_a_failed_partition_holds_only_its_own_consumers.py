"""Promise: a day that fails keeps back the consumers of that day, and no others."""

from __future__ import annotations

import dagster as dg

from shared_resources.dagster_instance.asset_keys import asset_key
from tests.guarantees.orders import (
    COLUMNS,
    DAILY,
    DAY,
    KEY,
    amounts,
    daily_orders_product,
    land_day,
)
from tests.tiny_mesh import TinyMesh, contract_text, failures

CONSUMER = "finance/revenue"
CODE = """
    import polars as pl

    from shared_resources import data_product


    @data_product(orders="order/orders")
    def revenue(orders: pl.DataFrame) -> pl.DataFrame:
        return orders.filter(pl.col("amount") > 0)
"""


def _meshed(mesh: TinyMesh) -> dg.Definitions:
    daily_orders_product(mesh)
    mesh.product(
        CONSUMER,
        contract_text(CONSUMER, (*COLUMNS, DAY), properties={"partitions": DAILY["partitions"]}),
        CODE,
    )
    return dg.Definitions.merge(mesh.definitions("order"), _only_assets(mesh, "finance"))


def _only_assets(mesh: TinyMesh, domain: str) -> dg.Definitions:
    """The domain's products without what it says of foreign ones, which merging would repeat."""
    assets = mesh.definitions(domain).assets or []
    return dg.Definitions(assets=[one for one in assets if isinstance(one, dg.AssetsDefinition)])


def test_one_bad_day_of_a_range_does_not_keep_the_others_from_their_readers(
    mesh: TinyMesh,
) -> None:
    daily_orders_product(mesh)
    land_day(mesh, "2024-01-01", [1.0])
    land_day(mesh, "2024-01-02", [-2.0])
    land_day(mesh, "2024-01-03", [3.0])

    result = mesh.run(KEY, partitions=("2024-01-01", "2024-01-02", "2024-01-03"))

    assert not result.success and "2024-01-02" in failures(result)
    assert amounts(mesh) == [1.0, 3.0]
    materialized = {e.partition for e in result.get_asset_materialization_events()}
    assert materialized == {"2024-01-01", "2024-01-03"}


def test_a_failed_partition_holds_only_its_own_consumers(mesh: TinyMesh) -> None:
    together = _meshed(mesh)
    cursor = dg.evaluate_automation_conditions(together, mesh.instance).cursor
    land_day(mesh, "2024-01-01", [1.0])
    land_day(mesh, "2024-01-02", [-2.0])
    mesh.run(KEY, partitions=("2024-01-01",))
    mesh.run(KEY, partitions=("2024-01-02",))

    asked = dg.evaluate_automation_conditions(together, mesh.instance, cursor=cursor)

    assert asked.get_requested_partitions(asset_key(CONSUMER)) == {"2024-01-01"}


def test_a_failed_refresh_asks_for_nothing_and_the_consumer_still_reads_the_last_good_day(
    mesh: TinyMesh,
) -> None:
    together = _meshed(mesh)
    land_day(mesh, "2024-01-01", [1.0])
    mesh.run(KEY, partitions=("2024-01-01",))
    cursor = dg.evaluate_automation_conditions(together, mesh.instance).cursor
    land_day(mesh, "2024-01-01", [-1.0])
    mesh.run(KEY, partitions=("2024-01-01",))

    asked = dg.evaluate_automation_conditions(together, mesh.instance, cursor=cursor)

    assert asked.total_requested == 0
    assert mesh.run(CONSUMER, partitions=("2024-01-01",)).success
    assert [row["amount"] for row in mesh.rows(CONSUMER)] == [1.0]


def test_a_day_is_replaced_by_exactly_its_own_rows(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    for day, amount in (("2024-01-01", 1.0), ("2024-01-02", 2.0), ("2024-01-01", 10.0)):
        land_day(mesh, day, [amount])
        assert mesh.run(KEY, partitions=(day,)).success
    assert amounts(mesh) == [2.0, 10.0]
