"""What the benchmark of the audit runs on: rows, rows with one fault, and the contract.

Belongs here: generating, in bounded memory and the same every time.
Does not belong here: who reads it. (`contenders.py`)

    python -m benchmarks.audit_peers.data FOLDER ROWS
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.audit_peers.terms import CATEGORIES, FAULTS, contract_of

ROWS_A_GROUP = 250_000
SMALL_ROWS = 1_000
CONTRACT = """\
apiVersion: v3.2.0
kind: DataContract
id: order-lines
name: lines
version: 1.0.0
status: active
domain: order
description: {purpose: Ten rules on ten million rows.}
team:
  name: order
  members: [{username: orders@example.com, role: owner}]
servers:
  - {server: lake, type: custom}
schema:
  - name: lines
    logicalType: object
    description: Lines of orders.
    properties:
      - {name: order_id, logicalType: integer, physicalType: BIGINT, required: true, unique: true}
      - {name: customer_id, logicalType: integer, physicalType: BIGINT, required: true}
      - name: sku
        logicalType: string
        physicalType: VARCHAR
        required: true
        logicalTypeOptions: {pattern: '^SKU-[0-9]{6}$'}
      - name: category
        logicalType: string
        physicalType: VARCHAR
        quality:
          - name: category_set
            metric: invalidValues
            arguments: {validValues: [books, toys, garden, food, music]}
            mustBe: 0
      - name: amount
        logicalType: number
        physicalType: DOUBLE
        required: true
        logicalTypeOptions: {minimum: 0, maximum: 1000}
      - name: quantity
        logicalType: integer
        physicalType: BIGINT
        logicalTypeOptions: {minimum: 1, maximum: 100}
      - {name: ts, logicalType: timestamp, physicalType: TIMESTAMP}
customProperties:
  - {property: allowEmpty, vendor: mesh, value: true}
"""


def write_contract(folder: Path) -> Path:
    path = contract_of(folder)
    path.parent.mkdir(parents=True)
    path.write_text(CONTRACT, encoding="utf-8")
    return path


def write_rows(path: Path, rows: int) -> Path:
    """Rows that break no rule. The keys are shuffled: nothing may be concluded from their order."""
    random = np.random.default_rng(0)
    keys = random.permutation(rows)
    first = _table(keys[:0], random)
    with pq.ParquetWriter(path, first.schema, compression="zstd") as writer:
        for start in range(0, rows, 1_000_000):
            writer.write_table(
                _table(keys[start : start + 1_000_000], random), row_group_size=ROWS_A_GROUP
            )
    return path


def write_faulty(path: Path, rows: int, fault: str) -> Path:
    """Rows of which the last breaks one rule."""
    random = np.random.default_rng(0)
    table = _table(np.arange(rows), random)
    column, _, kind = fault.rpartition("_")
    if fault == "column":
        column, kind = "quantity", "type"
    values = table.column(column).to_pylist()
    values[-1] = {
        "null": None,
        "twice": values[0],
        "range": 1000.5 if column == "amount" else 0,
        "pattern": "SKU-12E456",
        "set": "cars",
        "type": values[-1],
    }[kind]
    type_ = pa.string() if kind == "type" else table.schema.field(column).type
    values = [str(value) for value in values] if kind == "type" else values
    place = table.schema.get_field_index(column)
    pq.write_table(table.set_column(place, column, pa.array(values, type_)), path)
    return path


def _table(keys: np.ndarray, random: np.random.Generator) -> pa.Table:
    rows = len(keys)
    numbers = random.integers(0, 100_000, rows).astype(str)
    skus = np.char.add("SKU-", np.char.zfill(numbers, 6)) if rows else np.array([], dtype=str)
    moments = (1_500_000_000 + keys).astype("int64") * 1_000_000
    return pa.table(
        {
            "order_id": pa.array(keys, pa.int64()),
            "customer_id": pa.array(random.integers(1, 1_000_000, rows), pa.int64()),
            "sku": pa.array(skus, pa.string()),
            "category": pa.array(np.array(CATEGORIES)[random.integers(0, 5, rows)], pa.string()),
            "amount": pa.array(random.uniform(0.5, 500, rows), pa.float64()),
            "quantity": pa.array(random.integers(1, 20, rows), pa.int64()),
            "ts": pa.array(moments).cast(pa.timestamp("us")),
        }
    )


if __name__ == "__main__":
    into = Path(sys.argv[1])
    write_contract(into)
    write_rows(into / "rows.parquet", int(sys.argv[2]))
    write_rows(into / "small.parquet", SMALL_ROWS)
    for one in FAULTS:
        write_faulty(into / f"{one}.parquet", SMALL_ROWS, one)
