"""How good the recommendations are, recomputed from the evidence in their rows, and the verdict.

Belongs here: the measures, and the blocking rules of the contract that need Python. The audit loads
this file by its path, so it imports nothing of the mesh.
Does not belong here: the model (`model.py`), or gathering the evidence (`product.py`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import polars as pl


@dataclass(frozen=True)
class Quality:
    """Measures over the households that bought something after the cut-off.

    Hit rate at 10: the share of households that bought one of their ten products at least. Recall
    at 10: of the different products that a household bought, the share that was among its ten;
    the mean over households. `baseline_...` are the same measures of the ten most popular products.
    """

    evaluated_households: int
    hit_rate_at_10: float
    recall_at_10: float
    baseline_hit_rate_at_10: float
    baseline_recall_at_10: float

    @property
    def beats_baseline(self) -> bool:
        """Whether the model is better in both measures; not, if no household was evaluated."""
        return (
            self.evaluated_households > 0
            and self.hit_rate_at_10 > self.baseline_hit_rate_at_10
            and self.recall_at_10 > self.baseline_recall_at_10
        )

    def as_metadata(self) -> dict[str, float]:
        return {name: round(value, 6) for name, value in asdict(self).items()}


def measure(recommendations: pl.LazyFrame) -> Quality:
    """The quality of ranked products that carry the evidence columns of the contract."""
    households = (
        recommendations.filter(pl.col("products_bought") > 0)
        .group_by("household_id")
        .agg(
            pl.col("bought").any().alias("hit"),
            pl.col("popular_bought").any().alias("baseline_hit"),
            (pl.col("bought").sum() / pl.col("products_bought").first()).alias("recall"),
            (pl.col("popular_bought").sum() / pl.col("products_bought").first()).alias(
                "baseline_recall"
            ),
        )
    )
    measures = ("hit", "recall", "baseline_hit", "baseline_recall")
    row = households.select(
        pl.len().alias("households"), *(pl.col(name).mean().fill_null(0.0) for name in measures)
    ).collect()
    count, *means = row.row(0)
    return Quality(int(count), *(float(mean) for mean in means))


def beats_popularity(batch: pl.LazyFrame) -> bool:
    """The model is better than offering everybody the ten most popular products."""
    return measure(batch).beats_baseline


def ten_each(batch: pl.LazyFrame) -> int:
    """How many rows belong to households without exactly the ranks 1 to 10, or out of order.

    Out of order: a product of a better rank has a lower score.
    """
    households = (
        batch.sort("household_id", "rank")
        .group_by("household_id")
        .agg(
            pl.len().alias("rows"),
            (pl.col("rank") == pl.int_range(1, pl.len() + 1)).all().alias("counted"),
            (pl.col("score").diff().fill_null(0.0) <= 0).all().alias("ordered"),
        )
        .filter((pl.col("rows") != 10) | ~pl.col("counted") | ~pl.col("ordered"))
    )
    return int(households.select(pl.col("rows").sum()).collect().item())
