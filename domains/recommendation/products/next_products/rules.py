"""How good the recommendations are, recomputed from the evidence in their rows, and the verdict.

Belongs here: the measures, and the blocking rules of the contract that need Python. The audit loads
this file by its path, so it imports nothing of the mesh.
Does not belong here: the model (`model.py`), or gathering the evidence (`product.py`).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import polars as pl


# Said again as in household_recommendations: `mesh audit` asks these rules wherever it is called, where
# no `domains` can be imported, and a checkout or a release is audited by its own rules alone.
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
    """The quality of rows that carry the evidence columns of the contract."""
    found = recommendations.filter(pl.col("products_bought") > 0).select(
        pl.len(),
        (pl.col("bought") > 0).mean().fill_null(0.0).alias("hit"),
        (pl.col("bought") / pl.col("products_bought")).mean().fill_null(0.0).alias("recall"),
        (pl.col("popular_bought") > 0).mean().fill_null(0.0).alias("baseline_hit"),
        (pl.col("popular_bought") / pl.col("products_bought"))
        .mean()
        .fill_null(0.0)
        .alias("baseline_recall"),
    )
    count, *means = found.collect().row(0)
    return Quality(int(count), *(float(mean) for mean in means))


def beats_popularity(batch: pl.LazyFrame) -> bool:
    """The model is better than offering everybody the ten most popular products."""
    return measure(batch).beats_baseline
