"""Order history: how each household has shopped, from order/transactions.

Belongs here: how the history is added up. What it promises is in the contract.
"""

from __future__ import annotations

import polars as pl

from shared_resources import data_product, product_input

CENTS = pl.Decimal(12, 2)
AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


@data_product(
    transactions=product_input(
        "order/transactions",
        columns=(
            "household_id",
            "store_id",
            "basket_id",
            "product_id",
            *AMOUNTS,
            "transaction_timestamp",
        ),
    )
)
def order_history(transactions: pl.LazyFrame) -> pl.LazyFrame:
    """One row a household. Amounts are rounded to the cent first, so that their sums are exact."""
    history = transactions.group_by("household_id").agg(
        pl.col("transaction_timestamp").min().alias("first_purchase_at"),
        pl.col("transaction_timestamp").max().alias("last_purchase_at"),
        _count("basket_id").alias("basket_count"),
        pl.len().cast(pl.Int64).alias("line_count"),
        _count("product_id").alias("product_count"),
        _count("store_id").alias("store_count"),
        *(pl.col(name).round(2).cast(CENTS).sum().cast(CENTS) for name in AMOUNTS),
    )
    return history.join(_favourite_store(transactions), on="household_id", how="left").sort(
        "household_id"
    )


def _favourite_store(transactions: pl.LazyFrame) -> pl.LazyFrame:
    """The store of a household's most receipts; of several such stores the smallest number."""
    return (
        transactions.group_by("household_id", "store_id")
        .agg(pl.col("basket_id").n_unique().alias("visits"))
        .sort("household_id", "visits", "store_id", descending=[False, True, False])
        .group_by("household_id", maintain_order=True)
        .agg(pl.col("store_id").first().alias("favourite_store_id"))
    )


def _count(column: str) -> pl.Expr:
    return pl.col(column).n_unique().cast(pl.Int64)
