"""The model: which ten products each household is likely to buy next, and the baseline to beat.

Belongs here: learning from purchases and ranking products, on plain frames.
Does not belong here: where purchases come from (`product.py`), or judging the result (`rules.py`).

A product's score for a household is the mean of two parts, each between 0 and 1:
- repeat: how often and how lately the household bought it;
- affinity: how often households with a similar assortment bought it. Similar is meant as in latent
  semantic analysis: TF-IDF weights of the household x product matrix (a product that everybody buys
  says little), reduced to a few dimensions by a truncated singular value decomposition
  (scikit-learn's TfidfTransformer and TruncatedSVD).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.sparse import csr_matrix
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfTransformer

RECOMMENDED = 10
# What fewer households bought has too little behind it, and would fill the memory.
LEAST_HOUSEHOLDS = 10
# Chosen on the four weeks before those that the published model is evaluated on.
COMPONENTS = 32
AFFINITY_WEIGHT = 0.5
DAYS_TO_FADE = 120.0
SEED = 0

_CHUNK = 128  # households that are scored at once: 128 x 16,000 products are 16 MB

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class TooFewPurchases(ValueError):
    """There is not enough to learn from; the message says how much there is."""


@dataclass(frozen=True)
class Purchases:
    """What each household bought before the cut-off, as matrices of households x products.

    `products` are ordered by the number of households that bought them, most first, so that of two
    products with the same score the more popular comes first. `counts` are purchases, `faded` are
    purchases of which older ones count less.
    """

    households: Integers
    products: Integers
    counts: csr_matrix
    faded: csr_matrix


def gather(bought: pl.DataFrame, households: Sequence[int]) -> Purchases:
    """The matrices of `bought`: household_id, product_id, days_ago; one row a product and receipt.

    `households` are those to recommend to, whether they bought or not. Raises `TooFewPurchases`.
    """
    pairs = bought.group_by("household_id", "product_id").agg(
        pl.len().cast(pl.Float64).alias("count"),
        (-pl.col("days_ago") / DAYS_TO_FADE).exp().sum().alias("faded"),
    )
    popular = (
        pairs.group_by("product_id")
        .len("buyers")
        .filter(pl.col("buyers") >= LEAST_HOUSEHOLDS)
        .sort(["buyers", "product_id"], descending=[True, False])
        .select("product_id", pl.row_index("column").cast(pl.Int64))
    )
    if popular.height < RECOMMENDED:
        raise TooFewPurchases(
            f"{popular.height} products were bought by {LEAST_HOUSEHOLDS} households and more "
            f"before the cut-off, and {RECOMMENDED} are needed: publish more days of "
            "order/transactions"
        )
    rows = pl.DataFrame({"household_id": sorted(households)}, schema={"household_id": pl.Int64})
    cells = (
        pairs.join(popular, on="product_id")
        .join(rows.with_row_index("row"), on="household_id")
        .sort("row", "column")
    )
    shape = (rows.height, popular.height)
    place = (cells["row"].to_numpy(), cells["column"].to_numpy())
    return Purchases(
        households=rows["household_id"].to_numpy(),
        products=popular["product_id"].to_numpy(),
        counts=csr_matrix((cells["count"].to_numpy(), place), shape=shape, dtype=np.float64),
        faded=csr_matrix((cells["faded"].to_numpy(), place), shape=shape, dtype=np.float64),
    )


def most_popular(purchases: Purchases) -> list[int]:
    """The baseline: the products that most households bought, the same for everybody."""
    return [int(product) for product in purchases.products[:RECOMMENDED]]


def recommend(purchases: Purchases) -> pl.DataFrame:
    """The products for each household: household_id, rank (1 is best), product_id, score, basis.

    `basis` is `repeat` for what the household bought before, `affinity` for what is new to it, and
    `popularity` for a household that bought none of the products. The same purchases give the
    same rows.
    """
    frames = [_ranked(purchases, start, scores) for start, scores in _scores(purchases)]
    return pl.concat(frames)


def _scores(purchases: Purchases) -> Iterator[tuple[int, Floats]]:
    """Scores of some households at a time, with the position of the first of them."""
    weighted = TfidfTransformer(sublinear_tf=True).fit_transform(purchases.counts)
    components = min(COMPONENTS, min(weighted.shape) - 1)
    svd = TruncatedSVD(components, n_iter=3, random_state=SEED)
    tastes = svd.fit_transform(weighted)
    repeated = purchases.faded.log1p()
    popularity = _share(np.asarray(purchases.counts.astype(bool).sum(axis=0), dtype=np.float64))
    for start in range(0, len(purchases.households), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        affinity = _share(np.maximum(tastes[chunk] @ svd.components_, 0))
        repeat = _share(repeated[chunk].toarray())
        scores = (repeat + AFFINITY_WEIGHT * affinity) / (1 + AFFINITY_WEIGHT)
        newcomers = purchases.counts[chunk].getnnz(axis=1) == 0
        scores[newcomers] = popularity
        # The last bits depend on the machine's linear algebra; ranks must not.
        yield start, scores.round(6)


def _ranked(purchases: Purchases, start: int, scores: Floats) -> pl.DataFrame:
    stop = start + len(scores)
    # Less than the rounding, so that it decides between equal scores only: for the more popular.
    order = scores - np.arange(scores.shape[1]) * 1e-12
    best = np.argpartition(-order, RECOMMENDED - 1, axis=1)[:, :RECOMMENDED]
    best = np.take_along_axis(best, np.take_along_axis(-order, best, 1).argsort(axis=1), 1)
    counts = purchases.counts[start:stop].toarray()
    before = np.take_along_axis(counts, best, 1) > 0
    newcomers = (counts.sum(axis=1) == 0)[:, None]
    basis = np.where(before, "repeat", np.where(newcomers, "popularity", "affinity"))
    return pl.DataFrame(
        {
            "household_id": np.repeat(purchases.households[start:stop], RECOMMENDED),
            "rank": np.tile(np.arange(1, RECOMMENDED + 1, dtype=np.int64), len(scores)),
            "product_id": purchases.products[best].ravel(),
            "score": np.take_along_axis(scores, best, 1).ravel(),
            "basis": basis.ravel().astype(object),
        },
        schema_overrides={"basis": pl.String},
    )


def _share(values: npt.NDArray[Any]) -> Floats:
    """Each row divided by its greatest value; a row of zeros stays one."""
    greatest = values.max(axis=1, keepdims=True)
    shares: Floats = np.divide(values, greatest, out=np.zeros_like(values), where=greatest > 0)
    return shares
