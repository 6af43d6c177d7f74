"""customer/order_history: one row a household, from its receipt lines."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import polars as pl

from domains.customer.products.order_history.product import order_history
from shared_resources.contracts.pandera_schema import pandera_schema
from tests.domains.products import contract_of

SCHEMA = {
    "household_id": pl.Int64,
    "store_id": pl.Int64,
    "basket_id": pl.Int64,
    "product_id": pl.Int64,
    "sales_value": pl.Float64,
    "retail_disc": pl.Float64,
    "coupon_disc": pl.Float64,
    "coupon_match_disc": pl.Float64,
    "transaction_timestamp": pl.Datetime("us"),
}
EARLY, LATE = datetime(2017, 1, 1, 11, 53, 26), datetime(2017, 12, 31, 23, 59, 59)
LINES = pl.LazyFrame(
    [
        (1, 8, 100, 5, 1.1, 0.1, 0.0, 0.0, EARLY),
        (1, 8, 100, 6, 2.2, 0.2, 0.5, 0.25, EARLY),
        (1, 7, 101, 5, 3.3, 0.0, 0.0, 0.0, LATE),
        (2, 9, 102, 5, 0.0, 0.0, 0.0, 0.0, LATE),
        (2, 3, 103, 5, 0.0, 0.0, 0.0, 0.0, LATE),
        (2, 3, 104, 5, 0.0, 0.0, 0.0, 0.0, LATE),
    ],
    schema=SCHEMA,
    orient="row",
)


def test_a_household_is_counted_and_added_up():
    one = order_history(LINES).collect().row(0, named=True)
    assert one["household_id"] == 1
    assert (one["first_purchase_at"], one["last_purchase_at"]) == (EARLY, LATE)
    counts = ("basket_count", "line_count", "product_count", "store_count")
    assert [one[name] for name in counts] == [2, 3, 2, 2]
    assert one["sales_value"] == Decimal("6.60")
    assert one["retail_disc"] == Decimal("0.30")
    assert one["coupon_match_disc"] == Decimal("0.25")


def test_the_favourite_store_has_the_most_receipts_then_the_smallest_number():
    favourites = order_history(LINES).collect()["favourite_store_id"].to_list()
    assert favourites == [7, 3], "receipts count, not lines; 7 and 8 have one each"


def test_the_history_keeps_the_contract():
    contract = contract_of("customer/order_history")
    names = [column.name for column in contract.columns]
    made = order_history(LINES).collect().select(names)
    pandera_schema(contract).validate(made.to_pandas(), lazy=True)
