"""What a product's function receives and may return: each frame type, both ways."""

from __future__ import annotations

import pytest

from shared_resources.dagster_instance.asset_keys import asset_key
from tests.guarantees.orders import (
    COLUMNS,
    DAILY,
    DAY,
    KEY,
    daily_orders_product,
    land_day,
    land_orders,
    orders_product,
)
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

CONSUMER = "finance/revenue"
HEADER = """
    from collections.abc import Iterator

    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from shared_resources import MakingContext, Produced, data_product, product_input

"""


def consumer(mesh: TinyMesh, code: str, **properties: object) -> None:
    columns = (*COLUMNS, DAY) if "partitions" in properties else COLUMNS
    text = contract_text(CONSUMER, columns, properties=properties)
    mesh.product(CONSUMER, text, HEADER + code)


@pytest.fixture
def orders(mesh: TinyMesh) -> TinyMesh:
    orders_product(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    return mesh


@pytest.mark.parametrize(
    ("given", "type_name"),
    [
        ("orders", "DataFrame"),
        ("orders: pd.DataFrame", "DataFrame"),
        ("orders: pl.DataFrame", "DataFrame"),
        ("orders: pl.LazyFrame", "LazyFrame"),
        ("orders: pa.Table", "Table"),
        ("orders: pa.RecordBatchReader", "RecordBatchReader"),
    ],
)
def test_an_input_comes_as_its_annotation_says_and_goes_out_as_it_is(
    orders: TinyMesh, given: str, type_name: str
) -> None:
    module = {"": "pandas", "pd": "pandas", "pl": "polars", "pa": "pyarrow"}[
        given.partition(": ")[2].partition(".")[0]
    ]
    consumer(
        orders,
        f"""
    @data_product(orders="order/orders")
    def revenue({given}):
        assert type(orders).__name__ == {type_name!r}, type(orders)
        assert type(orders).__module__.startswith({module!r}), type(orders)
        return orders
""",
    )
    result = orders.run(CONSUMER)
    assert result.success, failures(result)
    assert orders.rows(CONSUMER) == orders.rows(KEY)


def test_a_function_may_yield_record_batches(orders: TinyMesh) -> None:
    consumer(
        orders,
        """
    @data_product(orders=product_input("order/orders", ["amount"]))
    def revenue(orders: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        assert orders.schema.names == ["amount"]
        for batch in orders:
            ids = pa.array(range(len(batch)), pa.int64())
            yield pa.record_batch({"order_id": ids, "amount": batch["amount"]})
""",
    )
    result = orders.run(CONSUMER)
    assert result.success, failures(result)
    assert [row["amount"] for row in orders.rows(CONSUMER)] == [1.0, 2.0]


def test_numbers_given_with_the_frame_are_shown_with_the_version(orders: TinyMesh) -> None:
    consumer(
        orders,
        """
    @data_product(orders="order/orders")
    def revenue(orders: pl.DataFrame):
        return Produced(orders, {"hit rate": 0.25, "model": "popular"})
""",
    )
    result = orders.run(CONSUMER)
    assert result.success, failures(result)
    metadata = result.asset_materializations_for_node("finance__revenue")[0].metadata
    assert (metadata["hit rate"].value, metadata["model"].value) == (0.25, "popular")
    assert (metadata["dagster/row_count"].value, metadata["version"].value) == (2, 1)
    assert metadata["inputs"].value[KEY].startswith("lake:1:")


def test_a_function_may_ask_for_its_run(mesh: TinyMesh) -> None:
    consumer(
        mesh,
        """
    @data_product
    def revenue(context: MakingContext):
        assert context.product == "finance/revenue" and context.run_id
        assert context.partitions == ("2024-01-01", "2024-01-02"), context.partitions
        days = [pd.Timestamp(day).date() for day in context.partitions]
        return pd.DataFrame({"order_id": [1, 2], "amount": [1.0, 2.0], "day": days})
""",
        partitions=DAILY["partitions"],
    )
    result = mesh.run(CONSUMER, partitions=("2024-01-01", "2024-01-02"))
    assert result.success, failures(result)
    assert len(mesh.versions(CONSUMER)) == 1, "a range is one version"
    assert len(mesh.rows(CONSUMER)) == 2


@pytest.mark.parametrize("annotation", ["", ": pl.LazyFrame", ": pa.RecordBatchReader"])
def test_a_daily_product_reads_the_days_that_it_makes(mesh: TinyMesh, annotation: str) -> None:
    daily_orders_product(mesh)
    for day, amount in (("2024-01-01", 1.0), ("2024-01-02", 2.0), ("2024-01-03", 3.0)):
        land_day(mesh, day, [amount])
    assert mesh.run(KEY, partitions=("2024-01-01", "2024-01-02", "2024-01-03")).success
    consumer(
        mesh,
        f"""
    @data_product(orders="order/orders")
    def revenue(orders{annotation}):
        return orders
""",
        partitions=DAILY["partitions"],
    )
    assert mesh.run(CONSUMER, partitions=("2024-01-02",)).success
    assert [row["amount"] for row in mesh.rows(CONSUMER)] == [2.0]
    assert mesh.run(CONSUMER, partitions=("2024-01-01", "2024-01-02", "2024-01-03")).success
    assert sorted(row["amount"] for row in mesh.rows(CONSUMER)) == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "finance/revenue returned None; return a frame"),
        ("raise ValueError('no such rate')", "no such rate"),
        ("return 'a text'", "str"),
        ("return {'a': 1}", "dict"),
    ],
)
def test_a_function_that_gives_no_frame_fails_readably_and_publishes_nothing(
    mesh: TinyMesh, body: str, said: str
) -> None:
    consumer(mesh, f"\n    @data_product\n    def revenue():\n        {body}\n")
    result = mesh.run(CONSUMER)
    assert not result.success and said in failures(result)
    assert mesh.versions(CONSUMER) == []
    assert mesh.instance.get_latest_materialization_event(asset_key(CONSUMER)) is None


def test_an_input_that_is_not_published_is_told(mesh: TinyMesh) -> None:
    orders_product(mesh)
    consumer(
        mesh,
        '\n    @data_product(orders="order/orders")\n    def revenue(orders):\n        return orders\n',
    )
    result = mesh.run(CONSUMER)
    assert not result.success
    assert "order/orders is not published yet; run `mesh run order/orders`" in failures(result)


def test_a_frame_type_that_nothing_comes_as_is_told(orders: TinyMesh) -> None:
    consumer(
        orders,
        '\n    @data_product(orders="order/orders")\n'
        "    def revenue(orders: dict):\n        return orders\n",
    )
    result = orders.run(CONSUMER)
    assert not result.success
    assert "is no frame type of the mesh; use one of pandas.DataFrame" in failures(result)


def test_a_column_that_the_input_lacks_is_told(orders: TinyMesh) -> None:
    consumer(
        orders,
        '\n    @data_product(orders=product_input("order/orders", ["price"]))\n'
        "    def revenue(orders):\n        return orders\n",
    )
    # The policies say it from the producer's contract, and the product does not run.
    result = orders.run(CONSUMER)
    assert not result.success
    assert "price" in failures(result)


def test_a_frame_with_other_columns_is_refused_by_a_rule(mesh: TinyMesh) -> None:
    text = contract_text("finance/flags", (column("flag", "BOOLEAN"),))
    code = '\n    @data_product\n    def flags():\n        return pd.DataFrame({"flags": [True]})\n'
    mesh.product("finance/flags", text, HEADER + code)
    result = mesh.run("finance/flags")
    assert not result.success and "columns: " in failures(result)
