"""Who is measured by the benchmark of the audit, each as its own users would write it.

    python -m benchmarks.audit_peers.contenders NAME FOLDER FILE    exit 1: it refuses FILE

Belongs here: one function a contender, returning whether the file passes; imports within them, so
that each process pays for its own only. Does not belong here: timing. (`audit.py`)
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.audit_peers import terms as names


def mesh(folder: Path, data: Path) -> bool:
    """The platform's own path: the contract from YAML, the audit, the report as JSON."""
    import json

    from shared_resources.contracts.odcs import read_contract
    from shared_resources.governance.audit.audit import audit
    from shared_resources.governance.audit.engine.staged_data import StagedData
    from shared_resources.stores.protocol import StagedBatch, StagedFile

    contract = read_contract(names.contract_of(folder))
    assert len(contract.rules) == 10, [rule.name for rule in contract.rules]
    batch = StagedBatch(contract.key, "benchmark", folder, (StagedFile(data, "", 0),))
    report = audit(StagedData(batch), contract)
    print(json.dumps(report.as_json()))
    return report.passed


def command(folder: Path, data: Path) -> bool:
    """`mesh audit`, which takes the file for foreign: it decodes every page and checks the footer's
    statistics before it relies on them, and runs the central policies. No other contender does.
    """
    from shared_resources.cli.main import main

    sys.argv = ["mesh", "audit", str(names.contract_of(folder)), "--data", str(data), "--json"]
    try:
        main()
    except SystemExit as done:
        if done.code not in (0, 1, 2, None):  # 2: a file it cannot read
            raise
        return not done.code
    return True


def polars(folder: Path, data: Path) -> bool:
    import polars as pl

    c = pl.col
    frame = pl.scan_parquet(data)
    if dict(frame.collect_schema()) != {
        "order_id": pl.Int64,
        "customer_id": pl.Int64,
        "sku": pl.String,
        "category": pl.String,
        "amount": pl.Float64,
        "quantity": pl.Int64,
        "ts": pl.Datetime("us"),
    }:
        return False
    found = (
        frame.select(
            *[c(name).null_count().alias(f"{name}_null") for name in names.REQUIRED],
            (pl.len() - c("order_id").n_unique()).alias("twice"),
            (~c("amount").is_between(0, 1000)).sum().alias("amount_range"),
            (~c("quantity").is_between(1, 100)).sum().alias("quantity_range"),
            (~c("sku").str.contains(names.PATTERN)).sum().alias("pattern"),
            (~c("category").is_in(names.CATEGORIES)).sum().alias("set"),
        )
        .collect(engine="streaming")
        .row(0)
    )
    return not any(found)


def duckdb(folder: Path, data: Path) -> bool:
    import duckdb as engine

    connection = engine.connect(config={"memory_limit": "512MB"})
    listed = ", ".join(f"'{name}'" for name in names.CATEGORIES)
    source = f"read_parquet('{data}')"
    types = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    if [(row[0], row[1]) for row in types] != list(names.DUCKDB_TYPES.items()):
        return False
    found = connection.execute(
        f"""SELECT {", ".join(f"count(*) - count({name})" for name in names.REQUIRED)},
        count(*) - count(DISTINCT order_id),
        count(*) FILTER (NOT amount BETWEEN 0 AND 1000),
        count(*) FILTER (NOT quantity BETWEEN 1 AND 100),
        count(*) FILTER (NOT regexp_matches(sku, '{names.PATTERN}')),
        count(*) FILTER (category NOT IN ({listed})) FROM {source}"""
    ).fetchall()[0]
    return not any(found)


def pointblank(folder: Path, data: Path) -> bool:
    import pointblank as pb
    import polars as pl

    check = (
        pb.Validate(pl.read_parquet(data))
        .col_schema_match(
            pb.Schema(
                columns=[
                    ("order_id", "Int64"),
                    ("customer_id", "Int64"),
                    ("sku", "String"),
                    ("category", "String"),
                    ("amount", "Float64"),
                    ("quantity", "Int64"),
                    ("ts", "Datetime(time_unit='us', time_zone=None)"),
                ]
            )
        )
        .col_vals_not_null(columns=list(names.REQUIRED))
        .rows_distinct(columns_subset=["order_id"])
        .col_vals_between(columns="amount", left=0, right=1000, na_pass=True)
        .col_vals_between(columns="quantity", left=1, right=100, na_pass=True)
        .col_vals_regex(columns="sku", pattern=names.PATTERN, na_pass=True)
        .col_vals_in_set(columns="category", set=list(names.CATEGORIES))
        .interrogate(collect_extracts=False)
    )
    return bool(check.all_passed())


def dataframely(folder: Path, data: Path) -> bool:
    import dataframely as dy
    import polars as pl

    class Lines(dy.Schema):
        order_id = dy.Int64(nullable=False)
        customer_id = dy.Int64(nullable=False)
        sku = dy.String(nullable=False, regex=names.PATTERN)
        category = dy.String(nullable=True, check=lambda c: c.is_in(names.CATEGORIES))
        amount = dy.Float64(nullable=False, min=0, max=1000)
        quantity = dy.Int64(nullable=True, min=1, max=100)
        ts = dy.Datetime(nullable=True, time_unit="us")

        @dy.rule()
        def unique_order(cls) -> pl.Expr:
            return pl.col("order_id").is_unique()

    return bool(Lines.is_valid(pl.scan_parquet(data)))


def pandera_polars(folder: Path, data: Path) -> bool:
    os.environ["PANDERA_VALIDATION_DEPTH"] = "SCHEMA_AND_DATA"
    import pandera.polars as pa
    import polars as pl

    schema = pa.DataFrameSchema(
        {
            "order_id": pa.Column(pl.Int64, unique=True),
            "customer_id": pa.Column(pl.Int64),
            "sku": pa.Column(pl.String, pa.Check.str_matches(names.PATTERN)),
            "category": pa.Column(pl.String, pa.Check.isin(list(names.CATEGORIES)), nullable=True),
            "amount": pa.Column(pl.Float64, pa.Check.in_range(0, 1000)),
            "quantity": pa.Column(pl.Int64, pa.Check.in_range(1, 100), nullable=True),
            "ts": pa.Column(pl.Datetime("us"), nullable=True),
        },
        strict=True,
    )
    try:
        schema.validate(pl.read_parquet(data), lazy=True)
    except pa.errors.SchemaErrors:
        return False
    return True


def pandera_pandas(folder: Path, data: Path) -> bool:
    import pandas as pd
    import pandera.pandas as pa

    schema = pa.DataFrameSchema(
        {
            "order_id": pa.Column("int64", unique=True),
            "customer_id": pa.Column("int64"),
            "sku": pa.Column(str, pa.Check.str_matches(names.PATTERN)),
            "category": pa.Column(str, pa.Check.isin(list(names.CATEGORIES)), nullable=True),
            "amount": pa.Column("float64", pa.Check.in_range(0, 1000)),
            "quantity": pa.Column("int64", pa.Check.in_range(1, 100), nullable=True),
            "ts": pa.Column("datetime64[us]", nullable=True),
        },
        strict=True,
    )
    try:
        schema.validate(pd.read_parquet(data), lazy=True)
    except pa.errors.SchemaErrors:
        return False
    return True


if __name__ == "__main__":
    chosen = globals()[sys.argv[1]]
    sys.exit(0 if chosen(Path(sys.argv[2]), Path(sys.argv[3])) else 1)
