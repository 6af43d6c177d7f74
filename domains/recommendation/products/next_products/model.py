"""The model: what a household buys again, what goes with what it bought last, and what everybody buys.

Belongs here: scoring products for one household, on plain arrays, the same for a batch and for a receipt
that came a moment ago.
Does not belong here: where purchases come from (`product.py`), or judging the result (`rules.py`).

A product's score is the mean of three parts, each between 0 and 1, weighted:
- repeat: how often and how lately the household bought it;
- affinity: how surely it stands on receipts with what the household bought last;
- popularity: how many households bought it, of the hundred that most did.
Moments are the receipts' own: the same purchases give the same scores, whenever they are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

RECOMMENDED = 10
# What fewer households bought has too little behind it.
LEAST_HOUSEHOLDS = 10
POPULAR = 100
# Chosen on the four weeks before those that the published rows are evaluated on.
DAYS_TO_FADE = 120.0
RECENT_DAYS = 14.0
AFFINITY_WEIGHT = 0.2
POPULARITY_WEIGHT = 0.2
DAY = 86_400.0
DECIMALS = 6
_SAME = 10**-DECIMALS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class TooFewPurchases(ValueError):
    """There is not enough to learn from; the message says how much there is."""


@dataclass(frozen=True)
class Bought:
    """A household's lines, ordered by product and moment: the place of each one's product, and seconds
    since the cut-off (before it: below 0)."""

    places: Integers
    seconds: Floats

    @classmethod
    def of(cls, places: Integers, seconds: Floats) -> Bought:
        """In one order, whichever the lines came in: sums of floats are to be the same to the bit."""
        order = np.lexsort((seconds, places))
        return cls(places[order], seconds[order])

    def and_then(self, places: Integers, seconds: Floats) -> Bought:
        return Bought.of(
            np.concatenate([self.places, places]), np.concatenate([self.seconds, seconds])
        )


NOTHING = Bought(np.empty(0, np.int64), np.empty(0, np.float64))


@dataclass(frozen=True)
class Model:
    """`products` are ordered by the number of households that bought them, most first: a product's place
    is that in it. What goes with the product at place p is at `begins[p]` to before `begins[p + 1]` of
    `others` (places) and `confidence`."""

    products: Integers
    popularity: Floats
    begins: Integers
    others: Integers
    confidence: Floats

    def top(self, bought: Bought) -> tuple[Integers, Floats]:
        """The products to offer, best first, and their scores."""
        candidates, scores = self._scores(bought)
        # A product is among the candidates once for each part of its score. All that may come to the same
        # score as the last of the best stay: not chance decides between them.
        found, most = scores[candidates], 3 * RECOMMENDED
        if len(found) > most:
            least = np.partition(found, len(found) - most)[len(found) - most]
            candidates = candidates[found >= least - _SAME]
        candidates = np.unique(candidates)
        # Of equal scores the more popular comes first; the last bits depend on the order of the sums.
        found = scores[candidates].round(DECIMALS)
        best = np.lexsort((candidates, -found))[:RECOMMENDED]
        return self.products[candidates[best]], found[best]

    def _scores(self, bought: Bought) -> tuple[Integers, Floats]:
        """The places of all products whose score is above 0, some of them up to three times, and the
        scores of all. No other product is looked at: there are thousands, and few have a score."""
        scores = np.zeros(len(self.products))
        popular = self.popularity[:POPULAR]
        scores[:POPULAR] = POPULARITY_WEIGHT * popular
        touched = [np.flatnonzero(popular)]
        if len(bought.places):
            places, seconds = bought.places, bought.seconds
            now = seconds.max()
            faded = np.exp((seconds - now) / (DAYS_TO_FADE * DAY))
            first = _firsts(places)
            repeated = np.log1p(np.add.reduceat(faded, first))
            scores[places[first]] += repeated / repeated.max()
            recent = places[seconds >= now - RECENT_DAYS * DAY]
            others, confidence = self._going_with(recent[_firsts(recent)])
            scores[others] += AFFINITY_WEIGHT * confidence
            touched += [places[first], others]
        scores /= 1 + AFFINITY_WEIGHT + POPULARITY_WEIGHT
        return np.concatenate(touched), scores

    def _going_with(self, places: Integers) -> tuple[Integers, Floats]:
        """What goes with any of these, and how surely of the surest."""
        begins, ends = self.begins[places], self.begins[places + 1]
        lengths = ends - begins
        at = np.repeat(begins - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        found = np.zeros(len(self.products))
        np.add.at(found, self.others[at], self.confidence[at])
        others = np.unique(self.others[at])
        confidence = found[others]
        return others, confidence / confidence.max(initial=np.finfo(float).tiny)


def _firsts(ordered: Integers) -> Integers:
    """Where each different value begins."""
    return np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))


def learn(bought: pl.DataFrame, affinities: pl.DataFrame) -> Model:
    """`bought`: household_id, product_id, what may be offered alone; `affinities`: product_id,
    other_product_id, confidence. Raises `TooFewPurchases`."""
    popular = (
        bought.group_by("product_id")
        .agg(pl.col("household_id").n_unique().alias("buyers"))
        .filter(pl.col("buyers") >= LEAST_HOUSEHOLDS)
        .sort(["buyers", "product_id"], descending=[True, False])
        .with_columns(pl.int_range(pl.len()).cast(pl.Int64).alias("place"))
    )
    if popular.height < RECOMMENDED:
        raise TooFewPurchases(
            f"{popular.height} products were bought by {LEAST_HOUSEHOLDS} households and more "
            f"before the cut-off, and {RECOMMENDED} are needed: publish more days of "
            "order/transactions"
        )
    buyers = popular["buyers"].to_numpy().astype(np.float64)
    popularity = np.where(np.arange(len(buyers)) < POPULAR, buyers / buyers[0], 0.0)
    known = popular.select("product_id", "place")
    pairs = (
        affinities.join(known, on="product_id")
        .join(
            known.rename({"product_id": "other_product_id", "place": "other"}),
            on="other_product_id",
        )
        .sort("place", "other")
    )
    begins = np.searchsorted(pairs["place"].to_numpy(), np.arange(popular.height + 1))
    return Model(
        popular["product_id"].to_numpy(),
        popularity,
        begins.astype(np.int64),
        pairs["other"].to_numpy(),
        pairs["confidence"].to_numpy(),
    )


def by_household(bought: pl.DataFrame, model: Model) -> Mapping[int, Bought]:
    """`bought`: household_id, product_id and `seconds`; products that the model does not know are left
    out."""
    places = pl.DataFrame({"product_id": model.products}).with_row_index("place")
    lines = bought.join(places, on="product_id").sort("household_id", "place", "seconds")
    households = lines["household_id"].to_numpy()
    place = lines["place"].to_numpy().astype(np.int64)
    seconds = lines["seconds"].to_numpy().astype(np.float64)
    starts = np.flatnonzero(np.diff(households, prepend=households[:1] - 1))
    ends = np.append(starts[1:], len(households))
    return {
        int(households[a]): Bought(place[a:b], seconds[a:b])
        for a, b in zip(starts.tolist(), ends.tolist(), strict=True)
    }
