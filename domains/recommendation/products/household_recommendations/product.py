"""Household recommendations: ten products for each household, with the evidence that they are good.

Belongs here: what is learned from, what is held out, and the published rows put together.
Does not belong here: the model (`model.py`); the measures and the verdict (`rules.py`).

The last four weeks are held out. The model learns from everything before them, and what it then
recommends is published as it was evaluated: it is not trained again on the held-out weeks, because
nothing could say how good that other model is. Each row carries what the households really bought,
so that the audit can compute the measures itself before anything is published.
"""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from domains.recommendation.products.household_recommendations.model import (
    gather,
    most_popular,
    recommend,
)
from domains.recommendation.products.household_recommendations.rules import measure
from shared_resources import Produced, data_product, product_input

HELD_OUT_DAYS = 28
# Nobody is recommended petrol, a coupon or what the master files under miscellaneous.
NO_MERCHANDISE = ("COUPON", "FUEL", "MISCELLANEOUS")
COUPON_CATEGORY = "COUPON/MISC ITEMS"


@data_product(
    transactions=product_input(
        "order/transactions", columns=("household_id", "product_id", "transaction_timestamp")
    ),
    catalog=product_input(
        "product/catalog", columns=("product_id", "department", "product_category")
    ),
)
def household_recommendations(transactions: pl.LazyFrame, catalog: pl.LazyFrame) -> Produced:
    """One row a household and rank. Metadata: the measures, and what they were computed from."""
    sold = transactions.with_columns(pl.col("transaction_timestamp").dt.date().alias("day"))
    households, last_day = _extent(sold)
    cut_off = last_day - timedelta(days=HELD_OUT_DAYS - 1)
    wanted = sold.join(_merchandise(catalog), on="product_id", how="semi")

    bought_before = (
        wanted.filter(pl.col("day") < cut_off)
        .select(
            "household_id",
            "product_id",
            (cut_off - pl.col("day")).dt.total_days().alias("days_ago"),
        )
        .collect()
    )
    bought_after = (
        wanted.filter(pl.col("day") >= cut_off).select("household_id", "product_id").unique()
    ).collect()

    purchases = gather(bought_before, households)
    rows = with_evidence(recommend(purchases), most_popular(purchases), bought_after, cut_off)
    learned = {
        "cut_off_date": cut_off.isoformat(),
        "last_day": last_day.isoformat(),
        "purchases_learned_from": bought_before.height,
        "products_considered": len(purchases.products),
    }
    return Produced(rows, metadata={**measure(rows.lazy()).as_metadata(), **learned})


def with_evidence(
    recommended: pl.DataFrame, popular: list[int], bought_after: pl.DataFrame, cut_off: date
) -> pl.DataFrame:
    """The ranked products with what was really bought after the cut-off, and the baseline beside.

    `bought_after` holds each household_id and product_id once; `popular` is the baseline by rank.
    """
    baseline = pl.DataFrame(
        {"rank": range(1, len(popular) + 1), "popular_product_id": popular},
        schema={"rank": pl.Int64, "popular_product_id": pl.Int64},
    )
    number_bought = bought_after.group_by("household_id").agg(
        pl.len().cast(pl.Int64).alias("products_bought")
    )
    yes = bought_after.with_columns(pl.lit(True).alias("yes"))
    return (
        recommended.join(baseline, on="rank", how="left")
        .join(number_bought, on="household_id", how="left")
        .join(yes.rename({"yes": "bought"}), on=["household_id", "product_id"], how="left")
        .join(
            yes.rename({"yes": "popular_bought", "product_id": "popular_product_id"}),
            on=["household_id", "popular_product_id"],
            how="left",
        )
        .select(
            *recommended.columns,
            pl.lit(cut_off).alias("cut_off_date"),
            pl.col("products_bought").fill_null(0),
            pl.col("bought").fill_null(False),
            "popular_product_id",
            pl.col("popular_bought").fill_null(False),
        )
        .sort("household_id", "rank")
    )


def _extent(sold: pl.LazyFrame) -> tuple[list[int], date]:
    """Every household that ever bought, and the last day on which one did."""
    found = sold.select(
        pl.col("household_id").unique().sort().implode(), pl.col("day").max()
    ).collect()
    households, last_day = found.row(0)
    return list(households), last_day


def _merchandise(catalog: pl.LazyFrame) -> pl.LazyFrame:
    """The product_ids that may be recommended."""
    return catalog.filter(
        ~pl.col("department").is_in(NO_MERCHANDISE)
        & (pl.col("product_category").fill_null("") != COUPON_CATEGORY)
    ).select("product_id")
