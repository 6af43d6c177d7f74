"""A new product that a model makes: its code, its model, and the columns of its contract.

Belongs here: what a first model learns from and predicts, so that it publishes as it is.
Does not belong here: the text of a contract (`contract_text.py`).

It predicts the last number of its first input from the other numbers there. The model is the simplest
that can be beaten, in numpy, and the same rows give the same predictions to the last digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared_resources.contracts.model import Classification, Column, Contract
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.scaffolding.inferred_columns import column_type
from shared_resources.scaffolding.new_files import NotMade

MODEL_FILE = "model.py"
_NUMBERS = frozenset({Family.INTEGER, Family.FLOAT, Family.DECIMAL})
_FEATURES = _NUMBERS | {Family.BOOLEAN}
_SENSITIVE = list(Classification)

_PRODUCT = '''\
"""{title}, predicted from {reads}.

Belongs here: what is learned from, what is held out, and the published rows put together.
Does not belong here: the model (`model.py`). What the product promises is in the contract.

A fifth of the rows is held out: the model has not seen them when it predicts them, so that their
`actual` beside their `prediction` says how good it is.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from domains.{domain}.products.{name}.model import fit
from shared_resources import Produced, data_product, product_input

KEY = [{key}]
TARGET = "{target}"
FEATURES: list[str] = [{features}]
HELD_OUT_OF = 5  # of so many rows that have a target, in the order of the key, the last is held out


@data_product(
{inputs}
)
def {name}({parameters}) -> Produced:
    """{description}

    Metadata: the errors on what was held out, and those of always saying the mean.
    """
    rows = {first}.sort(KEY).collect()
    if not rows.height:
        raise ValueError("there are no rows to learn from: {read} holds none")
    actual = rows[TARGET].cast(pl.Float64).to_numpy()
    known = ~np.isnan(actual)
    if not known.any():
        raise ValueError("there is nothing to learn: {target} of {read} is empty")
    counted = np.cumsum(known)
    held_out = known & (counted % HELD_OUT_OF == 0)
    learned_from = known & ~held_out

    features = rows.select(pl.col(FEATURES).cast(pl.Float64)).to_numpy()
    features = features.reshape(rows.height, len(FEATURES))
    model = fit(features[learned_from], actual[learned_from])
    prediction = model.predict(features)
    errors = np.abs(prediction - actual)[held_out]
    baseline = np.abs(actual[learned_from].mean() - actual)[held_out]
    published = rows.select(
        *KEY,
        # The last bits depend on the machine's linear algebra.
        pl.Series("prediction", prediction).round(6),
        pl.Series("actual", actual).fill_nan(None),
        pl.Series("held_out", held_out),
    )
    measured = {{
        "rows_learned_from": int(learned_from.sum()),
        "rows_held_out": int(held_out.sum()),
    }}
    if held_out.any():
        measured["mean_absolute_error"] = round(float(errors.mean()), 6)
        measured["baseline_mean_absolute_error"] = round(float(baseline.mean()), 6)
    return Produced(published, metadata=measured)
'''
_MODEL = '''\
"""The model: ridge regression, which predicts a number from numbers.

Belongs here: learning and predicting. Does not belong here: what of the rows is learned from, and
how good it is (`product.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
PENALTY = 1.0


@dataclass(frozen=True)
class Model:
    """`means` and `spreads` are those of the features that it learned from; `weights` are of the
    features in their spreads."""

    means: Floats
    spreads: Floats
    weights: Floats
    base: float

    def predict(self, features: Floats) -> Floats:
        """A number a row of features; one that is missing counts as its mean."""
        predicted: Floats = self.base + _scaled(features, self.means, self.spreads) @ self.weights
        return predicted


def fit(features: Floats, target: Floats) -> Model:
    """Learn from rows of features and their targets, of which none is missing."""
    present = ~np.isnan(features)
    number = np.maximum(present.sum(axis=0), 1)
    means = np.where(present, features, 0).sum(axis=0) / number
    apart = np.where(present, features - means, 0)
    spreads = np.sqrt((apart**2).sum(axis=0) / number)
    spreads[spreads == 0] = 1.0
    scaled = _scaled(features, means, spreads)
    base = float(target.mean())
    penalty = PENALTY * np.eye(features.shape[1])
    weights = np.linalg.solve(scaled.T @ scaled + penalty, scaled.T @ (target - base))
    return Model(means, spreads, weights, base)


def _scaled(features: Floats, means: Floats, spreads: Floats) -> Floats:
    scaled: Floats = np.where(np.isnan(features), 0.0, (features - means) / spreads)
    return scaled
'''


@dataclass(frozen=True)
class Learned:
    """What of its first input the model goes by."""

    key: tuple[Column, ...]
    target: Column
    features: tuple[Column, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Everything that it reads."""
        return tuple(one.name for one in (*self.key, self.target, *self.features))


def learned(contract: Contract) -> Learned:
    """Raises `NotMade` for an input without a key to tell its rows by, or a number to predict."""
    key = tuple(
        one for name in contract.primary_key for one in contract.columns if one.name == name
    )
    others = [one for one in contract.columns if one not in key]
    numbers = [one for one in others if one.type.family in _NUMBERS]
    if not key or not numbers:
        lacks = "a number beside its key, to be predicted" if key else "a primary key"
        raise NotMade(f"{contract.key} lacks {lacks}; name another product first with --reads")
    taken = {*(one.name for one in key)} & {"prediction", "actual", "held_out"}
    if taken:
        raise NotMade(f"{contract.key} has {taken.pop()!r} in its key, a column of the predictions")
    target = numbers[-1]
    features = [one for one in others if one.type.family in _FEATURES and one != target]
    return Learned(key, target, tuple(features))


def predicted_columns(of: Learned) -> list[dict[str, Any]]:
    """The columns beside the key. A prediction tells as much as what it was made of."""
    levels = [one.classification for one in (of.target, *of.features) if one.classification]
    level = max(levels, key=_SENSITIVE.index, default=Classification.INTERNAL).value
    number = {"logicalType": "number", "physicalType": "DOUBLE"}
    name = of.target.name
    return [
        {
            "name": "prediction",
            **number,
            "description": f"What {name} is by the model.",
            "classification": level,
            "required": True,
        },
        {
            "name": "actual",
            **number,
            "description": f"What {name} is, where it is known.",
            "classification": level,
        },
        {
            "name": "held_out",
            **column_type(ColumnType(Family.BOOLEAN)),
            "description": "Whether the row was kept from the model, so that it shows how good it is.",
            "classification": Classification.INTERNAL.value,
            "required": True,
        },
    ]


def model_code(
    key: str,
    description: str,
    inputs: Sequence[tuple[str, Contract]],
) -> dict[str, str]:
    """`product.py` and the model. `inputs` are the parameters and what each reads."""
    domain, name = key.split("/")
    (first, contract), *others = inputs
    of = learned(contract)
    columns = "".join(f'            "{column}",\n' for column in of.columns)
    reads = f"    {first}=product_input(\n"
    reads += f'        "{contract.key}",\n        columns=(\n{columns}        ),\n    ),'
    reads += "".join(f'\n    {parameter}="{one.key}",' for parameter, one in others)
    product = _PRODUCT.format(
        title=name.replace("_", " ").capitalize(),
        reads=" and ".join(one.key for _, one in inputs),
        domain=domain,
        name=name,
        key=_lines(of.key),
        target=of.target.name,
        features=_lines(of.features),
        inputs=reads,
        parameters=", ".join(f"{parameter}: pl.LazyFrame" for parameter, _ in inputs),
        description=description,
        first=first,
        read=contract.key,
    )
    return {MODEL_FILE: _MODEL, "product.py": product}


def _lines(columns: Sequence[Column]) -> str:
    """A list's insides, a column a line, as the formatter leaves it."""
    listed = "".join(f'    "{one.name}",\n' for one in columns)
    return f"\n{listed}" if listed else ""
