"""The ten rules' constants: all that a contender's process imports beside its own tool."""

from __future__ import annotations

from pathlib import Path

CATEGORIES = ("books", "toys", "garden", "food", "music")
PATTERN = r"^SKU-[0-9]{6}$"
REQUIRED = ("order_id", "customer_id", "sku", "amount")
FAULTS = {
    "column": "quantity is text",
    "order_id_null": "a null",
    "customer_id_null": "a null",
    "sku_null": "a null",
    "amount_null": "a null",
    "order_id_twice": "a key that repeats",
    "amount_range": "1000.5",
    "quantity_range": "0",
    "sku_pattern": "a letter among the digits",
    "category_set": "another word",
}
DUCKDB_TYPES = {
    "order_id": "BIGINT",
    "customer_id": "BIGINT",
    "sku": "VARCHAR",
    "category": "VARCHAR",
    "amount": "DOUBLE",
    "quantity": "BIGINT",
    "ts": "TIMESTAMP",
}


def contract_of(folder: Path) -> Path:
    """Where the benchmark's contract stands, in the place that a product's contract has."""
    return folder / "order" / "products" / "lines" / "contract.odcs.yaml"
