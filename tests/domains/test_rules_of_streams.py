"""The example's contracts over its real data, as messages: they decode to the rows that they were, and
DuckDB and polars agree on each row of them, damaged ones included."""

from __future__ import annotations

from dataclasses import replace

import polars as pl
import pyarrow as pa
import pytest

from domains.source_systems.source import table_path
from shared_resources.contracts.model import Contract, Severity, Threshold
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.values.lossless import conform
from shared_resources.streams.decoding.json.messages import JsonDecoder
from tests.domains.products import contract_of
from tests.streams.row_rules.test_agreement import by_duckdb, by_polars

ROWS = 3_000
# Products whose columns are those of a table of the data package.
TABLES = {
    "order/transactions": "transactions",
    "marketing/promotions": "promotions",
    "marketing/coupons": "coupons",
    "product/catalog": "products",
    "customer/households": "demographics",
}


def sample(contract: Contract) -> pa.Table:
    frame = pl.read_parquet(table_path(TABLES[contract.key]), n_rows=ROWS)
    return conform(frame, contract).read_all()


def damaged(table: pa.Table) -> pa.Table:
    """In each column some values are missing, and numbers and texts are others."""
    frame = pl.DataFrame(table).with_row_index("_row")
    changed = []
    for place, (name, dtype) in enumerate(frame.drop("_row").schema.items()):
        other = pl.col(name)
        if dtype.is_numeric():
            other = -other - 1
        if dtype == pl.String:
            other = other + "é" * 60
        row = pl.col("_row") + place
        value = pl.when(row % 11 == 0).then(None).when(row % 7 == 0).then(other)
        changed.append(value.otherwise(pl.col(name)).cast(dtype).alias(name))
    return frame.select(changed).to_arrow().cast(table.schema)


@pytest.mark.parametrize("key", sorted(TABLES))
def test_both_agree_on_real_rows(key: str) -> None:
    contract = contract_of(key)
    strict = (
        replace(rule, threshold=Threshold(), severity=Severity.BLOCKING)
        for rule in contract.rules
        if isinstance(kind_of(rule), RowKind)
    )
    contract = replace(contract, rules=tuple(strict))
    table = sample(contract)
    assert table.num_rows
    for rows in (table, damaged(table)):
        found = by_polars(contract, rows)
        assert sorted(found) == sorted(by_duckdb(contract, rows))
    assert found


@pytest.mark.parametrize("key", sorted(TABLES))
def test_real_rows_as_messages_are_the_same_rows(key: str) -> None:
    contract = contract_of(key)
    frame = pl.DataFrame(sample(contract))
    lines = frame.write_ndjson().encode().splitlines()
    decoded = JsonDecoder(contract).decode(pa.array(lines, pa.binary()))
    assert not decoded.undecodable and decoded.frame.equals(frame)
