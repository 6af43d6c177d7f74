"""Baskets: the receipts, added up from their lines.

Belongs here: how a basket is made from order/transactions. What it promises is in the contract.
"""

from __future__ import annotations

import polars as pl

from shared_resources import data_product

CENTS = pl.Decimal(12, 2)
AMOUNTS = ("sales_value", "retail_disc", "coupon_disc", "coupon_match_disc")


@data_product(transactions="order/transactions")
def baskets(transactions: pl.LazyFrame) -> pl.LazyFrame:
    """One row a receipt. Amounts are rounded to the cent first, so that their sums are exact.

    All that a receipt has once is part of the group: were a basket_id used for two visits, it would
    become two rows, which the contract's primary key refuses.
    """
    return (
        transactions.group_by(
            "basket_id", "household_id", "store_id", "transaction_timestamp", "week"
        )
        .agg(
            pl.len().cast(pl.Int64).alias("line_count"),
            pl.col("quantity").sum(),
            *(pl.col(name).round(2).cast(CENTS).sum().cast(CENTS) for name in AMOUNTS),
        )
        .sort("basket_id")
    )
