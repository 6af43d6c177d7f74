"""Contracts and batches for the stores' tests: small products, whose rows are made from numbers.

Belongs here: making them by hand. Does not belong here: reading contract files (tests/contracts).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa

from shared_resources.contracts.model import Contract, Partitioning, Server
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.evidence.record import RolledBack
from shared_resources.stores.protocol import (
    UNPARTITIONED,
    ProductStore,
    StagedBatch,
    Version,
)
from shared_resources.stores.staging.staging import write_staged
from tests.contract_factory import let_through, make_contract

LONG = ColumnType(Family.INTEGER)
INT = ColumnType(Family.INTEGER, width=32)
TEXT = ColumnType(Family.STRING)
FLOAT = ColumnType(Family.FLOAT)
TIMESTAMP = ColumnType(Family.TIMESTAMP)

START = date(2017, 1, 1)


def contract(
    *columns: tuple[str, ColumnType], partitioned: bool = False, **fields: Any
) -> Contract:
    """order/sales; a partitioned product gets the column `at`."""
    wanted = columns or (("id", LONG), ("label", TEXT), ("amount", FLOAT))
    if partitioned and "at" not in dict(wanted):
        wanted = (*wanted, ("at", TIMESTAMP))
    given: dict[str, Any] = {
        "domain": "order",
        "name": "sales",
        "servers": (Server.LAKE, Server.WAREHOUSE),
        "partitioning": Partitioning("at", START) if partitioned else None,
    }
    return make_contract(dict(wanted), **(given | fields))


def day(number: int) -> str:
    return (START + timedelta(days=number)).isoformat()


def rows(made_for: Contract, numbers: Sequence[int], partition: str = UNPARTITIONED) -> pa.Table:
    """One row a number; the same number gives the same row."""
    midnight = datetime.fromisoformat(partition or START.isoformat())
    made: dict[Family, Any] = {
        Family.INTEGER: lambda n: n,
        Family.STRING: lambda n: f"row {n}",
        Family.FLOAT: lambda n: n + 0.5,
        Family.DATE: lambda n: midnight.date(),
        Family.TIMESTAMP: lambda n: midnight + timedelta(seconds=n % 86_400),
        Family.TIMESTAMP_TZ: lambda n: midnight.replace(tzinfo=UTC) + timedelta(seconds=n % 86_400),
    }
    columns = {
        c.name: pa.array([made[c.type.family](n) for n in numbers], c.type.arrow)
        for c in made_for.columns
    }
    schema = arrow_schema(tuple((c.name, c.type) for c in made_for.columns))
    return pa.table(columns, schema=schema)


def stage(
    store: ProductStore,
    made_for: Contract,
    batch_id: str,
    numbers: Sequence[int] | dict[str, Sequence[int]],
    **changes: Any,
) -> StagedBatch:
    """Stage rows: `numbers` of an unpartitioned product, or by partition."""
    if not isinstance(numbers, dict):
        numbers = {UNPARTITIONED: numbers}
    table = pa.concat_tables([rows(made_for, n, partition) for partition, n in numbers.items()])
    folder = store.staging_folder(made_for, batch_id)
    partitions = tuple(numbers)
    files = write_staged(table.to_reader(), folder, made_for, partitions)
    batch = StagedBatch(made_for.key, batch_id, folder, files, partitions)
    return replace(batch, **changes)


def publish(
    store: ProductStore,
    made_for: Contract,
    batch_id: str,
    numbers: Sequence[int] | dict[str, Sequence[int]],
    *,
    append: bool = False,
    **changes: Any,
) -> Version:
    staged = stage(store, made_for, batch_id, numbers, **changes)
    cleared = let_through(made_for, staged, run_id=batch_id)
    version = store.publish(made_for, cleared, append=append)
    store.release(cleared.staged)
    return version


WHY = RolledBack("a test", "tests")


def published(store: ProductStore, product: str, number: int | None = None) -> list[int]:
    """The published row numbers, sorted."""
    return sorted(store.open(product, number).batches(["id"]).read_all()["id"].to_pylist())
