"""Promise: a reader's version does not change under it, and its run records which one it was."""

from __future__ import annotations

from shared_resources.io_managers.product_io_manager import open_pinned
from shared_resources.stores.opening import open_product
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh, column, contract_text

TOTALS = "finance/totals"
CODE = """
    import polars as pl

    from shared_resources import data_product


    @data_product(orders="order/orders")
    def totals(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.select(pl.len().cast(pl.Int64).alias("orders"), pl.col("amount").sum())
"""


def test_a_pinned_version_does_not_change(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    mesh.run(KEY)
    first = open_pinned(mesh.environment, "some-run", KEY)
    land_orders(mesh, [2.0, 3.0])
    mesh.run(KEY)

    again = open_pinned(mesh.environment, "some-run", KEY)
    later = open_pinned(mesh.environment, "another-run", KEY)

    assert first.pin == again.pin
    assert first.snapshot.batches().read_all()["amount"].to_pylist() == [1.0]
    assert again.snapshot.batches().read_all()["amount"].to_pylist() == [1.0]
    assert later.snapshot.batches().read_all()["amount"].to_pylist() == [2.0, 3.0]


def test_a_half_read_stream_goes_on_in_its_version(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [float(n) for n in range(1, 50_001)])
    mesh.run(KEY)
    stream = open_product(mesh.environment, KEY).batches()
    seen = stream.read_next_batch().num_rows
    land_orders(mesh, [7.0])
    mesh.run(KEY)
    assert seen + sum(batch.num_rows for batch in stream) == 50_000


def test_the_version_that_was_read_is_recorded_as_lineage(mesh: TinyMesh) -> None:
    orders_product(mesh)
    columns = [column("orders"), column("amount", "DOUBLE")]
    mesh.product(TOTALS, contract_text(TOTALS, columns), CODE)
    land_orders(mesh, [1.0])
    mesh.run(KEY)
    land_orders(mesh, [2.0])
    mesh.run(KEY)
    assert mesh.run(TOTALS).success
    (version,) = mesh.versions(TOTALS)
    read = version.evidence.inputs
    current = mesh.versions(KEY)[-1]
    assert read == {KEY: f"lake:2:{current.snapshot}"}
