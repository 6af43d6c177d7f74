"""order/baskets: lines added up to receipts, exactly, and wrong receipts refused."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import polars as pl

from domains.order.products.baskets.product import baskets
from shared_resources.contracts.pandera_schema import pandera_schema
from tests.domains.products import audited, contract_of, refused_by

MORNING = datetime(2017, 3, 1, 9, 30)


def lines(*rows: dict[str, object]) -> pl.LazyFrame:
    base = {
        "household_id": 1,
        "store_id": 7,
        "basket_id": 100,
        "product_id": 1,
        "quantity": 1,
        "sales_value": 1.0,
        "retail_disc": 0.0,
        "coupon_disc": 0.0,
        "coupon_match_disc": 0.0,
        "week": 10,
        "transaction_timestamp": MORNING,
    }
    given = [{**base, **row} for row in rows]
    return pl.LazyFrame(given).with_columns(pl.col("transaction_timestamp").dt.cast_time_unit("us"))


def test_lines_add_up_to_the_cent():
    made = baskets(
        lines(
            {"product_id": 1, "quantity": 2, "sales_value": 0.1, "retail_disc": 0.05},
            {"product_id": 2, "quantity": 0, "sales_value": 0.2, "retail_disc": 1.776e-15},
            {"product_id": 1, "basket_id": 99, "sales_value": 840.0, "coupon_disc": 0.55},
        )
    ).collect()
    assert made["basket_id"].to_list() == [99, 100]
    assert made["line_count"].to_list() == [1, 2]
    assert made["quantity"].to_list() == [1, 2]
    assert made["sales_value"].to_list() == [Decimal("840.00"), Decimal("0.30")]
    assert made["retail_disc"].to_list() == [Decimal("0.00"), Decimal("0.05")]
    assert made["coupon_disc"].to_list() == [Decimal("0.55"), Decimal("0.00")]


def test_baskets_keep_the_contract():
    made = baskets(lines(*({"product_id": n, "basket_id": n % 9 + 1} for n in range(60)))).collect()
    contract = contract_of("order/baskets")
    assert made.columns == [column.name for column in contract.columns]
    pandera_schema(contract).validate(made.to_pandas(), lazy=True)


def test_a_receipt_of_two_households_is_refused_not_merged(tmp_path: Path):
    visits = [{"basket_id": 1000 + n, "product_id": p} for n in range(60) for p in range(8)]
    fine = baskets(lines(*visits)).collect()
    assert refused_by(audited("order/baskets", fine, tmp_path / "fine")) == set()

    mixed = baskets(lines(*visits, {"basket_id": 1000, "product_id": 9, "household_id": 2}))
    assert "primary_key" in refused_by(
        audited("order/baskets", mixed.collect(), tmp_path / "mixed")
    )


def test_a_day_of_three_baskets_is_refused_as_lost(tmp_path: Path):
    few = [{"basket_id": n, "product_id": p} for n in range(1, 4) for p in range(8)]
    report = audited("order/baskets", baskets(lines(*few)).collect(), tmp_path)
    assert refused_by(report) == {"plausible_volume_of_each_day"}
