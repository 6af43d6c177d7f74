"""Promise: with `MESH_ENV=production` sensors, runs, readers and commands are what they are locally.

On S3, Glue and Snowflake, over their own protocols (tests/stand_ins).
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest

from shared_resources import read
from shared_resources.contracts.model import Server
from tests.cli.commands import call, start, states
from tests.guarantees.orders import COLUMNS, DAILY, DAY, KEY, LANDING, land_day, land_orders
from tests.tiny_mesh import TinyMesh, column, contract_text, evaluations, failures

TOTALS = "finance/totals"
CODE = """
    import polars as pl

    from shared_resources import data_product


    @data_product(orders="order/orders")
    def totals(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select(pl.len().cast(pl.Int64).alias("orders"), pl.col("amount").sum())
"""
BOTH = ("lake", "warehouse")


@pytest.fixture
def shop(production_mesh: TinyMesh) -> TinyMesh:
    """Orders that land, in both stores, and their totals in the warehouse."""
    mesh = production_mesh
    orders = contract_text(KEY, COLUMNS, servers=BOTH, properties={"landing": LANDING})
    mesh.product(KEY, orders)
    totals = [column("orders"), column("amount", "DOUBLE")]
    mesh.product(TOTALS, contract_text(TOTALS, totals, servers=("warehouse",)), CODE)
    return mesh


def tick(mesh: TinyMesh, cursor: str | None) -> tuple[str | None, list[dg.RunRequest]]:
    """One evaluation of the sensor on the landing prefix of the orders."""
    definitions = mesh.definitions("order")
    sensor = definitions.resolve_sensor_def("order_landing")
    with dg.build_sensor_context(
        instance=mesh.instance, cursor=cursor, definitions=definitions
    ) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    return result.cursor, list(result.run_requests or [])


def amounts(mesh: TinyMesh, server: Server, number: int | None = None) -> list[float]:
    snapshot = mesh.environment.stores[server].open(KEY, number)
    return sorted(snapshot.batches().read_all()["amount"].to_pylist())


def test_an_object_on_s3_becomes_a_version_in_both_stores_and_a_consumer_reads_it(
    shop: TinyMesh,
) -> None:
    cursor, asked = tick(shop, None)
    assert asked == []
    land_orders(shop, [1.0, 2.5])

    cursor, (request,) = tick(shop, cursor)
    run = shop.run(KEY, tags=request.tags)

    assert run.success, failures(run)
    assert all(evaluations(run).values())
    (event,) = run.get_asset_materialization_events()
    assert event.materialization.metadata["dagster/row_count"].value == 2
    for server in (Server.LAKE, Server.WAREHOUSE):
        (version,) = shop.environment.stores[server].versions(KEY)
        assert (version.number, version.rows) == (1, 2)
        assert version.evidence.objects[0][0] == f"{KEY}/extract.parquet"
        assert amounts(shop, server) == [1.0, 2.5]
    files = shop.environment.home.rglob("*.parquet")
    kept = [file for file in files if not {"copies", "sent"}.intersection(file.parts)]
    assert kept == [], "what was published stays on the machine in its bounded cache only"
    assert tick(shop, cursor)[1] == []

    consumer = shop.run(TOTALS)

    assert consumer.success, failures(consumer)
    assert shop.rows(TOTALS) == [{"orders": 2, "amount": 3.5}]
    (totals,) = shop.versions(TOTALS)
    (orders,) = shop.versions(KEY)
    assert totals.evidence.inputs == {KEY: f"lake:1:{orders.snapshot}"}


def test_what_breaks_the_contract_is_in_quarantine_on_s3_and_never_readable(
    shop: TinyMesh,
) -> None:
    land_orders(shop, [1.0], "first")
    assert shop.run(KEY).success
    land_orders(shop, [2.0, -3.0], "second")

    refused = shop.run(KEY)

    assert not refused.success
    for server in (Server.LAKE, Server.WAREHOUSE):
        assert amounts(shop, server) == [1.0]
    (entry,) = call("quarantine", "list", "--json").json
    assert (entry["product"], entry["rows"]) == (KEY, 2)
    shown = call("quarantine", "show", entry["id"])
    assert shown.code == 0 and "amount" in shown.out
    listed = shop.environment.settings.s3().list_objects_v2(  # type: ignore[attr-defined]
        Bucket=shop.environment.settings.quarantine.bucket,  # type: ignore[attr-defined]
        Prefix=shop.environment.settings.quarantine.key(""),  # type: ignore[attr-defined]
    )
    assert any(entry["id"] in one["Key"] for one in listed["Contents"])
    assert call("quarantine", "replay", entry["id"]).code == 1
    assert amounts(shop, Server.LAKE) == [1.0]


@pytest.mark.slow
def test_the_commands_say_the_same(
    shop: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each in a process of its own, as a person starts it: in production one who is named."""
    start("read", KEY).refused("MESH_PRINCIPAL", code=2)
    monkeypatch.setenv("MESH_PRINCIPAL", "order")
    for number in (1.0, 2.0):
        land_orders(shop, [number, number], f"extract-{number}")
        ran = start("run", "--json")
        assert ran.code == 0, ran.err
        assert set(states(ran).values()) == {"published"}
    # A full extract that is asked for is made again, whether or not a newer one has landed.
    assert states(start("run", KEY, "--again", "--json")) == {KEY: "published"}

    status = {row["key"]: row for row in start("status", "--json").json}
    assert (status[KEY]["rows"], status[KEY]["checks_failed"]) == (2, 0)
    assert (status[TOTALS]["rows"], status[TOTALS]["fresh"]) == (1, True)
    versions = [(one["store"], one["version"]) for one in start("versions", KEY, "--json").json]
    assert versions == [(store, number) for store in BOTH for number in (1, 2, 3)]
    taken = tmp_path / "orders.parquet"
    assert start("read", KEY, "--output", taken).code == 0
    assert pq.read_table(taken)["amount"].to_pylist() == [2.0, 2.0]

    back = start("rollback", KEY, "--to", 1)

    assert back.code == 0, back.err
    for server in (Server.LAKE, Server.WAREHOUSE):
        assert amounts(shop, server) == [1.0, 1.0]
        assert amounts(shop, server, 2) == [2.0, 2.0]
    assert sorted(read(KEY)["amount"]) == [1.0, 1.0]
    start("read", "order/nothing").refused("order/nothing")


def test_days_of_a_partitioned_product_are_replaced_one_by_one(
    production_mesh: TinyMesh,
) -> None:
    mesh = production_mesh
    mesh.product(KEY, contract_text(KEY, (*COLUMNS, DAY), servers=BOTH, properties=DAILY))
    days = [f"2024-01-0{n}" for n in range(1, 6)]
    for number, day in enumerate(days, start=1):
        land_day(mesh, day, [float(number)])
    cursor, (request,) = tick(mesh, None)
    assert mesh.run(KEY, partitions=(days[0], days[-1]), tags=request.tags).success

    land_day(mesh, days[2], [30.0, 31.0])
    cursor, (again,) = tick(mesh, cursor)
    assert again.partition_key == days[2]
    assert mesh.run(KEY, partitions=(days[2],), tags=again.tags).success

    for server in (Server.LAKE, Server.WAREHOUSE):
        assert amounts(mesh, server) == [1.0, 2.0, 4.0, 5.0, 30.0, 31.0]
        assert amounts(mesh, server, 1) == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert tick(mesh, cursor)[1] == []
