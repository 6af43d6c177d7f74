"""Next products: the ten to offer a household at its next visit, which follow what it buys at once.

Belongs here: what is learned from, what is held out, the published rows and how a receipt changes them.
Does not belong here: the model (`model.py`); the measures and the verdict (`rules.py`).

The last four weeks are held out, as in household_recommendations: what is published was evaluated. Each
row carries what the household really bought in them, so that the audit can compute the measures.
Between two versions the served rows follow the messages of order/purchases: the same model, with what the
household has bought from the cut-off on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from domains.recommendation.products.next_products.model import (
    NOTHING,
    RECOMMENDED,
    Bought,
    Model,
    by_household,
    learn,
)
from domains.recommendation.products.next_products.rules import measure
from shared_resources import Produced, data_product, live, product_input

HELD_OUT_DAYS = 28
# Nobody is recommended petrol, a coupon or what the master files under miscellaneous.
NO_MERCHANDISE = ("COUPON", "FUEL", "MISCELLANEOUS")
COUPON_CATEGORY = "COUPON/MISC ITEMS"
EVIDENCE = ("products_bought", "bought", "popular_bought")


@data_product(
    transactions=product_input(
        "order/transactions", columns=("household_id", "product_id", "transaction_timestamp")
    ),
    affinities=product_input(
        "recommendation/item_affinities", columns=("product_id", "other_product_id", "confidence")
    ),
    catalog=product_input(
        "product/catalog", columns=("product_id", "department", "product_category")
    ),
)
def next_products(
    transactions: pl.LazyFrame, affinities: pl.DataFrame, catalog: pl.LazyFrame
) -> Produced:
    """One row a household. Metadata: the measures, and what they were computed from."""
    sold = transactions.join(_merchandise(catalog), on="product_id", how="semi").collect()
    households = transactions.select(pl.col("household_id").unique().sort()).collect()
    last_day: datetime = sold["transaction_timestamp"].max()  # type: ignore[assignment]
    cut_off = last_day.date() - timedelta(days=HELD_OUT_DAYS - 1)
    before = pl.col("transaction_timestamp") < cut_off
    learned = sold.filter(before)
    model = learn(learned, affinities)
    known = by_household(since(learned, cut_off), model)
    asked = households["household_id"].to_list()
    rows = offers(model, {one: known.get(one, NOTHING) for one in asked}, cut_off)
    popular = model.products[:RECOMMENDED].tolist()
    after = sold.filter(~before).select("household_id", "product_id").unique()
    rows = rows.join(_evidence(rows, after, popular), on="household_id", how="left").with_columns(
        pl.col(EVIDENCE).fill_null(0)
    )
    said = {
        "cut_off_date": cut_off.isoformat(),
        "purchases_learned_from": learned.height,
        "products_considered": len(model.products),
    }
    return Produced(rows, metadata={**measure(rows.lazy()).as_metadata(), **said})


@live(of="order/purchases")
class Following:
    """The served rows as receipts come: what was bought from the cut-off on, by household.

    The tills' messages of one line are the same wherever they come from, and count once.
    """

    def __init__(
        self,
        published: pl.DataFrame,
        transactions: pl.LazyFrame,
        affinities: pl.DataFrame,
        catalog: pl.LazyFrame,
    ) -> None:
        self._cut_off: date = published["cut_off_date"][0]
        learned = (
            transactions.filter(pl.col("transaction_timestamp") < self._cut_off)
            .join(_merchandise(catalog), on="product_id", how="semi")
            .collect()
        )
        self._model = learn(learned, affinities)
        self._places = {product: at for at, product in enumerate(self._model.products.tolist())}
        self._bought = dict(by_household(since(learned, self._cut_off), self._model))
        self._came: dict[int, set[tuple[int, float]]] = {}
        evidence = published.select("household_id", *EVIDENCE)
        self._evidence = {row[0]: row[1:] for row in evidence.iter_rows()}

    def update(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of the households that bought something; of what the version knows already, none."""
        midnight = _midnight(self._cut_off)
        lines = rows["household_id", "product_id", "transaction_timestamp"].iter_rows()
        changed: dict[int, list[tuple[int, float]]] = {}
        for household, product, moment in lines:
            place = self._places.get(product)
            if place is None or moment < midnight:
                continue
            line = (place, (moment - midnight).total_seconds())
            came = self._came.setdefault(household, set())
            if line not in came:
                came.add(line)
                changed.setdefault(household, []).append(line)
        for household, new in changed.items():
            places, moments = zip(*new, strict=True)
            self._bought[household] = self._bought.get(household, NOTHING).and_then(
                np.asarray(places, np.int64), np.asarray(moments, np.float64)
            )
        found = offers(self._model, {one: self._bought[one] for one in changed}, self._cut_off)
        evidence = [self._evidence.get(one, (0, 0, 0)) for one in changed]
        counts = np.array(evidence, np.int64).reshape(-1, len(EVIDENCE))
        return found.hstack(pl.DataFrame(counts, schema=EVIDENCE))


def since(lines: pl.DataFrame, cut_off: date) -> pl.DataFrame:
    """With `seconds`, from the cut-off to the line's moment."""
    moment = pl.col("transaction_timestamp").cast(pl.Datetime("us"))
    return lines.with_columns(
        (moment - pl.lit(_midnight(cut_off))).dt.total_seconds().cast(pl.Float64).alias("seconds")
    )


def _midnight(cut_off: date) -> datetime:
    return datetime.combine(cut_off, datetime.min.time())


def offers(model: Model, bought: Mapping[int, Bought], cut_off: date) -> pl.DataFrame:
    """The rows of these households, in their order, without the evidence."""
    midnight = _midnight(cut_off)
    products = np.empty((len(bought), RECOMMENDED), np.int64)
    scores = np.empty((len(bought), RECOMMENDED))
    last: list[datetime | None] = []
    for row, one in enumerate(bought.values()):
        products[row], scores[row] = model.top(one)
        moment = float(one.seconds.max()) if len(one.seconds) else None
        last.append(None if moment is None else midnight + timedelta(seconds=moment))
    places = range(1, RECOMMENDED + 1)
    return pl.DataFrame(
        [
            pl.Series("household_id", list(bought), pl.Int64),
            *pl.DataFrame(products, schema=[f"product_{n}" for n in places]),
            *pl.DataFrame(scores, schema=[f"score_{n}" for n in places]),
            pl.Series("last_purchase", last, pl.Datetime("us")),
            pl.Series("cut_off_date", [cut_off], pl.Date).new_from_index(0, len(bought)),
        ]
    )


def _evidence(rows: pl.DataFrame, after: pl.DataFrame, popular: list[int]) -> pl.DataFrame:
    """Of each household that bought something after the cut-off: how many different products, how many
    of its ten, how many of the baseline's."""
    offered = rows.select(
        "household_id",
        pl.concat_list([f"product_{n + 1}" for n in range(RECOMMENDED)]).alias("ten"),
    )
    return (
        after.join(offered, on="household_id", how="left")
        .group_by("household_id")
        .agg(
            pl.len().cast(pl.Int64).alias("products_bought"),
            pl.col("product_id").is_in(pl.col("ten")).sum().cast(pl.Int64).alias("bought"),
            pl.col("product_id").is_in(popular).sum().cast(pl.Int64).alias("popular_bought"),
        )
    )


def _merchandise(catalog: pl.LazyFrame) -> pl.LazyFrame:
    """The product_ids that may be recommended."""
    return catalog.filter(
        ~pl.col("department").is_in(NO_MERCHANDISE)
        & (pl.col("product_category").fill_null("") != COUPON_CATEGORY)
    ).select("product_id")
