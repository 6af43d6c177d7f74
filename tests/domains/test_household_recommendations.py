"""recommendation/household_recommendations: the model, its measures, the check that refuses."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from domains.recommendation.products.household_recommendations.model import (
    RECOMMENDED,
    TooFewPurchases,
    gather,
    most_popular,
    recommend,
)
from domains.recommendation.products.household_recommendations.product import (
    household_recommendations,
    with_evidence,
)
from domains.recommendation.products.household_recommendations.rules import (
    beats_popularity,
    measure,
    ten_each,
)
from shared_resources.contracts.pandera_schema import pandera_schema
from tests.domains.products import audited, contract_of, refused_by

KEY = "recommendation/household_recommendations"
LAST_DAY = date(2017, 12, 31)
HOUSEHOLDS = 600
PRODUCTS = 120


@pytest.fixture(scope="module")
def shop() -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """A year of made-up shopping: each household buys from one of six assortments, week by week."""
    random = np.random.default_rng(7)
    rows: list[tuple[int, int, datetime]] = []
    for household in range(1, HOUSEHOLDS + 1):
        assortment = (household % 6) * 20 + np.arange(20)
        favourites = random.choice(assortment, 6, replace=False)
        for week in range(0, 52, 2):
            day = LAST_DAY - timedelta(days=7 * week)
            moment = datetime(day.year, day.month, day.day, 12)
            often = random.choice(favourites, 3, replace=False)
            for product in {*often, random.integers(0, PRODUCTS)}:
                rows.append((household, int(product) + 1, moment))
    # One household that only ever bought fuel: nothing is known of its taste.
    rows.append((HOUSEHOLDS + 1, 999, datetime(2017, 6, 1, 12)))
    transactions = pl.LazyFrame(
        rows,
        schema={
            "household_id": pl.Int64,
            "product_id": pl.Int64,
            "transaction_timestamp": pl.Datetime("us"),
        },
        orient="row",
    )
    catalog = pl.LazyFrame(
        {
            "product_id": [*range(1, PRODUCTS + 1), 999],
            "department": ["GROCERY"] * PRODUCTS + ["FUEL"],
            "product_category": ["SOUP"] * (PRODUCTS - 1) + [None, "FUEL"],
        }
    )
    return transactions, catalog


def test_recommendations_keep_the_contract_and_are_published_with_their_measures(shop, tmp_path):
    made = household_recommendations(*shop)
    contract = contract_of(KEY)
    assert made.frame.columns == [column.name for column in contract.columns]
    pandera_schema(contract).validate(made.frame.to_pandas(), lazy=True)
    assert refused_by(audited(KEY, made.frame, tmp_path)) == set()

    assert made.metadata["evaluated_households"] == HOUSEHOLDS
    assert made.metadata["cut_off_date"] == "2017-12-04"
    assert made.metadata["hit_rate_at_10"] > made.metadata["baseline_hit_rate_at_10"]
    assert made.metadata["recall_at_10"] > made.metadata["baseline_recall_at_10"]


def test_the_same_purchases_give_the_same_rows(shop):
    transactions, catalog = shop
    shuffled = transactions.collect().sample(fraction=1.0, shuffle=True, seed=3).lazy()
    first, second = (household_recommendations(t, catalog).frame for t in (transactions, shuffled))
    assert first.equals(second)


def test_who_bought_nothing_recommendable_gets_the_most_popular(shop):
    frame = household_recommendations(*shop).frame
    stranger = frame.filter(pl.col("household_id") == HOUSEHOLDS + 1)
    assert stranger["basis"].unique().to_list() == ["popularity"]
    assert stranger["product_id"].to_list() == stranger["popular_product_id"].to_list()
    assert 999 not in frame["product_id"], "fuel is never recommended"


def test_what_was_bought_after_the_cut_off_is_not_learned(shop):
    transactions, catalog = shop
    late = pl.LazyFrame(
        {
            "household_id": list(range(1, 301)),
            "product_id": [1000] * 300,
            "transaction_timestamp": [datetime(2017, 12, 20)] * 300,
        },
        schema=transactions.collect_schema(),
    )
    new_product = pl.LazyFrame(
        {"product_id": [1000], "department": ["GROCERY"], "product_category": ["SOUP"]}
    )
    frame = household_recommendations(
        pl.concat([transactions, late]), pl.concat([catalog, new_product])
    ).frame
    assert 1000 not in frame["product_id"]
    assert 1000 not in frame["popular_product_id"]


def test_a_bad_model_is_refused_before_it_is_published(shop, tmp_path: Path):
    """The least popular products for everybody: whole, well-formed, and worse than the baseline."""
    good = household_recommendations(*shop).frame
    bought_after = bought_in_held_out_weeks(shop[0])
    worst = bought_after.group_by("product_id").len().sort("len", "product_id")["product_id"]
    bad = with_evidence(
        good.select("household_id", "rank", "product_id", "score", "basis").with_columns(
            pl.col("rank")
            .replace_strict(dict(enumerate(worst.to_list()[:10], 1)))
            .alias("product_id")
        ),
        good["popular_product_id"].head(RECOMMENDED).to_list(),
        bought_after,
        date(2017, 12, 4),
    )
    assert not beats_popularity(bad.lazy())
    report = audited(KEY, bad, tmp_path)
    assert refused_by(report) == {"beats_popularity"}
    assert not report.passed


def test_the_baseline_itself_does_not_beat_the_baseline(shop, tmp_path: Path):
    good = household_recommendations(*shop).frame
    popular = with_evidence(
        good.select("household_id", "rank", "popular_product_id", "score", "basis").rename(
            {"popular_product_id": "product_id"}
        ),
        good["popular_product_id"].head(RECOMMENDED).to_list(),
        bought_in_held_out_weeks(shop[0]),
        date(2017, 12, 4),
    )
    assert refused_by(audited(KEY, popular, tmp_path)) == {"beats_popularity"}


def test_a_measure_without_evaluated_households_refuses(shop, tmp_path: Path):
    frame = household_recommendations(*shop).frame.with_columns(
        pl.lit(0, dtype=pl.Int64).alias("products_bought"),
        pl.lit(False).alias("bought"),
        pl.lit(False).alias("popular_bought"),
    )
    assert refused_by(audited(KEY, frame, tmp_path)) == {"beats_popularity", "enough_evidence"}


def test_measures_by_hand():
    """Two households are evaluated: one bought four products, one of them offered; one is not."""
    rows = pl.DataFrame(
        {
            "household_id": [1, 1, 2, 2, 3, 3],
            "products_bought": [4, 4, 2, 2, 0, 0],
            "bought": [True, False, False, False, False, False],
            "popular_bought": [False, False, True, True, False, False],
        }
    )
    quality = measure(rows.lazy())
    assert quality.evaluated_households == 2
    assert (quality.hit_rate_at_10, quality.baseline_hit_rate_at_10) == (0.5, 0.5)
    assert (quality.recall_at_10, quality.baseline_recall_at_10) == (0.125, 0.5)
    assert not quality.beats_baseline


@pytest.mark.parametrize(
    "change, rows",
    [
        (pl.col("rank"), 0),
        (pl.col("rank").replace(10, 11), 20),
        (pl.col("rank").reverse().over("household_id"), 20),
    ],
)
def test_ten_each_counts_the_rows_of_wrong_households(change: pl.Expr, rows: int):
    frame = pl.DataFrame(
        {
            "household_id": [1] * 10 + [2] * 10,
            "rank": [*range(1, 11)] * 2,
            "score": [1 - n / 20 for n in range(10)] * 2,
        }
    )
    assert ten_each(frame.with_columns(change).lazy()) == rows
    assert ten_each(frame.head(15).lazy()) == 5


def test_equal_scores_rank_the_more_popular_product_first():
    bought = pl.DataFrame(
        [(h, p, 1) for h in range(1, 31) for p in range(1, 13) if h <= 30 - p],
        schema={"household_id": pl.Int64, "product_id": pl.Int64, "days_ago": pl.Int64},
        orient="row",
    )
    purchases = gather(bought, range(1, 32))
    assert most_popular(purchases) == list(range(1, 11))
    stranger = recommend(purchases).filter(pl.col("household_id") == 31)
    assert stranger["product_id"].to_list() == list(range(1, 11))


def test_too_little_to_learn_from_is_said():
    bought = pl.DataFrame({"household_id": [1], "product_id": [1], "days_ago": [3]})
    with pytest.raises(TooFewPurchases, match="publish more days"):
        gather(bought, [1])


def bought_in_held_out_weeks(transactions: pl.LazyFrame) -> pl.DataFrame:
    return (
        transactions.filter(pl.col("transaction_timestamp") >= datetime(2017, 12, 4))
        .select("household_id", "product_id")
        .unique()
        .collect()
    )
