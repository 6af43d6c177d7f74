"""A benchmark's figures: each with its peer beside it and its limit, where there is one.

Belongs here: what a figure is, printing it, keeping it for the chart.
Does not belong here: measuring, drawing (`chart.py`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

# Where `make bench` gathers the figures of all benchmarks; none are kept without it.
KEPT_IN = "BENCH_FIGURES"


@dataclass(frozen=True)
class Figure:
    """What was measured. `peer` took `of_peer` of the same unit beside it, in the same run; `limit` is
    what the figure is to keep: a ratio to the peer where there is one, else of the figure's unit."""

    what: str
    value: float
    unit: str = "s"
    peer: str = ""
    of_peer: float | None = None
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """To the peer; None where there is none."""
        return self.value / self.of_peer if self.of_peer else None

    @property
    def keeps_limit(self) -> bool | None:
        if self.limit is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.limit

    def __str__(self) -> str:
        said = f"{self.what:<58}{self.value:>9.2f} {self.unit:<3}"
        if self.ratio is not None:
            said += f" {self.ratio:5.2f} x {self.peer}"
        if self.limit is not None:
            unit = "x" if self.ratio is not None else self.unit
            kept = "keeps" if self.keeps_limit else "beyond"
            said += f" ({kept} the limit of {self.limit:g} {unit})"
        return said


def report(figures: Iterable[Figure]) -> None:
    """Print the figures, and keep them where `make bench` wants them."""
    figures = list(figures)
    for figure in figures:
        print(figure)
    if kept := os.environ.get(KEPT_IN):
        with Path(kept).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(figure)) + "\n" for figure in figures)


def kept(file: Path) -> list[Figure]:
    """The figures that a run of `make bench` kept."""
    return [Figure(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
