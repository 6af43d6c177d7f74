"""The product that the guarantees are shown on: orders with an id and a positive amount."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from tests.tiny_mesh import TinyMesh, column, contract_text

KEY = "order/orders"
COLUMNS = (
    column("order_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount", "DOUBLE", required=True, logicalTypeOptions={"exclusiveMinimum": 0}),
)
LANDING = {"prefix": "order/orders", "format": "parquet", "mode": "replace", "object": "*.parquet"}
DAILY = {
    "landing": {
        "prefix": "order/orders",
        "format": "parquet",
        "mode": "partition",
        "object": "{partition}.parquet",
    },
    "partitions": {"cadence": "daily", "column": "day", "start": "2024-01-01"},
}
DAY = column("day", "DATE", required=True)


def orders_product(mesh: TinyMesh, **properties: Any) -> None:
    """An ingest of full extracts."""
    mesh.product(KEY, contract_text(KEY, COLUMNS, properties={"landing": LANDING, **properties}))


def daily_orders_product(mesh: TinyMesh) -> None:
    """An ingest of one object a day."""
    mesh.product(KEY, contract_text(KEY, (*COLUMNS, DAY), properties=DAILY))


def land_orders(mesh: TinyMesh, amounts: list[float | None], name: str = "extract") -> None:
    mesh.land(f"{KEY}/{name}.parquet", orders_table(amounts))


def orders_table(amounts: list[float | None], first_id: int = 1) -> pa.Table:
    ids = list(range(first_id, first_id + len(amounts)))
    return pa.table(
        {"order_id": pa.array(ids, pa.int64()), "amount": pa.array(amounts, pa.float64())}
    )


def land_day(mesh: TinyMesh, day: str, amounts: list[float | None]) -> None:
    from datetime import date

    days = pa.array([date.fromisoformat(day)] * len(amounts), pa.date32())
    mesh.land(f"{KEY}/{day}.parquet", orders_table(amounts).append_column("day", days))


def amounts(mesh: TinyMesh, number: int | None = None) -> list[float]:
    """What a reader sees, sorted."""
    return sorted(row["amount"] for row in mesh.rows(KEY, number))
