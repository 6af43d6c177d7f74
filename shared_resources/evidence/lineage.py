"""Column lineage: which columns of which products each column of a version is made from.

Belongs here: what is known of it and how it is known; writing it into a version's evidence.
Does not belong here: finding it out (`data_products/`, `rehearsing/`), judging it (`governance/`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class How(StrEnum):
    """`DECLARED` by the contract, `DERIVED` from the statement that dbt ran, `OBSERVED` of runs on marked
    samples: seen there, and proven by nothing."""

    DECLARED = "declared"
    DERIVED = "derived"
    OBSERVED = "observed"


@dataclass(frozen=True)
class ColumnLineage:
    """By column the (product, column) pairs that it is made from. A column that is not among them is one
    of which nothing is known; one with none is made from no product."""

    how: How
    columns: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def text(self) -> str:
        """How it stands in a version's evidence; `read` is the inverse."""
        columns = {name: [f"{key}.{of}" for key, of in made] for name, made in self.columns.items()}
        return json.dumps({"how": self.how.value, "columns": columns}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> ColumnLineage:
        """Raises `ValueError`, `KeyError`, `TypeError` or the like for what `text` never wrote."""
        written = json.loads(text)
        return cls(
            How(written["how"]),
            {
                str(name): tuple(_pair(one) for one in made)
                for name, made in written["columns"].items()
            },
        )


def _pair(written: str) -> tuple[str, str]:
    product, dot, column = written.partition(".")
    if not dot:
        raise ValueError(f"{written!r} names no column")
    return product, column
