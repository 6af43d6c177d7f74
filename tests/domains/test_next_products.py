"""What a household is offered next: the same whatever the order and portions in which its lines come."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from domains.recommendation.products.next_products import product
from domains.recommendation.products.next_products.model import TooFewPurchases, learn
from domains.recommendation.products.next_products.rules import beats_popularity, measure
from tests.domains.products import audited, refused_by

KEY = "recommendation/next_products"
START = datetime(2017, 1, 1, 12)


def bought(households=600, days=80, seed=3):
    """Each household has favourites of its own, which it buys again and again."""
    chance, lines = random.Random(seed), []
    for household in range(1, households + 1):
        own = [100 + (household * 7 + n) % 60 for n in range(12)]
        for day in sorted(chance.sample(range(days), 6)):
            moment = START + timedelta(days=day, seconds=household)
            lines += [(household, one, moment) for one in chance.sample(own, 4)]
    return lines_of(lines)


def lines_of(lines):
    schema = {
        "household_id": pl.Int64,
        "product_id": pl.Int64,
        "transaction_timestamp": pl.Datetime("us"),
    }
    return pl.DataFrame(lines, schema=schema, orient="row")


AFFINITIES = pl.DataFrame(
    [(100 + n, 100 + (n + 30) % 60, 0.5) for n in range(60)],
    schema={"product_id": pl.Int64, "other_product_id": pl.Int64, "confidence": pl.Float64},
    orient="row",
)
CATALOG = pl.DataFrame(
    {"product_id": range(100, 161), "department": ["GROCERY"] * 60 + ["FUEL"]}
).with_columns(pl.lit("MILK").alias("product_category"))


def made(transactions):
    return product.next_products(
        transactions=transactions.lazy(), affinities=AFFINITIES, catalog=CATALOG.lazy()
    )


def following(published, transactions):
    return product.Following.made_by(
        published=published,
        transactions=transactions.lazy(),
        affinities=AFFINITIES,
        catalog=CATALOG.lazy(),
    )


@pytest.fixture(scope="module")
def sold():
    return bought()


@pytest.fixture(scope="module")
def version(sold):
    return made(sold)


def test_a_version_keeps_its_contract_and_beats_popularity(version, tmp_path):
    report = audited(KEY, version.frame, tmp_path)
    assert refused_by(report) == set()
    assert version.metadata["hit_rate_at_10"] > version.metadata["baseline_hit_rate_at_10"]


def test_a_version_that_is_no_better_than_popularity_is_refused(version, tmp_path):
    worse = version.frame.with_columns(pl.col("popular_bought").alias("bought"))
    assert not beats_popularity(worse.lazy())
    assert "beats_popularity" in refused_by(audited(KEY, worse, tmp_path))
    nobody = version.frame.with_columns(
        pl.lit(0, pl.Int64).alias(name) for name in product.EVIDENCE
    )
    assert measure(nobody.lazy()).evaluated_households == 0
    assert not beats_popularity(nobody.lazy())


def test_what_rows_follow_does_not_depend_on_order_or_portions(version, sold):
    cut_off: date = version.frame["cut_off_date"][0]
    came = sold.filter(pl.col("transaction_timestamp") >= cut_off)
    whole = following(version.frame, sold).update(came)
    by_key = {row["household_id"]: row for row in whole.to_dicts()}
    for seed in (1, 2):
        live, last = following(version.frame, sold), {}
        mixed = came.sample(fraction=1.0, shuffle=True, seed=seed)
        for at in range(0, mixed.height, 97):
            last |= {r["household_id"]: r for r in live.update(mixed[at : at + 97]).to_dicts()}
        assert last == by_key
        assert live.update(mixed).height == 0, "a line that comes twice counts once"
    assert whole.schema == version.frame.select(whole.columns).schema
    assert set(whole.columns) == set(version.frame.columns)


def test_what_the_version_knows_changes_nothing_and_a_receipt_changes_its_household(version, sold):
    cut_off: date = version.frame["cut_off_date"][0]
    live = following(version.frame, sold)
    known = sold.filter(pl.col("transaction_timestamp") < cut_off)
    assert live.update(known).height == 0
    moment = datetime.combine(cut_off, datetime.min.time()) + timedelta(days=9)
    other = next(p for p in range(100, 160) if p not in sold.filter(household_id=5)["product_id"])
    [row] = live.update(lines_of([(5, other, moment), (5, 999_999, moment)])).to_dicts()
    [before] = version.frame.filter(household_id=5).to_dicts()
    assert row["household_id"] == 5 and row["last_purchase"] == moment
    assert other in [row[f"product_{n}"] for n in range(1, 11)]
    assert [row[name] for name in product.EVIDENCE] == [before[name] for name in product.EVIDENCE]
    [new] = live.update(lines_of([(9_999, other, moment)])).to_dicts()
    assert new["product_1"] == other and new["products_bought"] == 0


def test_too_little_to_learn_from_is_told():
    with pytest.raises(TooFewPurchases, match="publish more days"):
        learn(bought(households=2), AFFINITIES)
