"""VOLUME: a batch has about as many rows as those before it. Central policies ask for it.

Belongs here: the verdict and its words.
Does not belong here: the bounds (`governance/policies/`), what came before (`data_products/history.py`).
"""

from __future__ import annotations

from fractions import Fraction
from statistics import median

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules import words
from shared_resources.contracts.rules.kind import BatchFacts, BatchKind, Judged

HISTORY = "history"


class Volume(BatchKind):
    """`Rule.arguments`: {"lowestPercent", "highestPercent", "versions", "least"} and, where it is known,
    "history", the rows of the batches before, the last first. With fewer than `least` of them, anything
    is usual."""

    name = "volume"
    rank = 90
    of_one_file = False

    def judge(self, rule: Rule, contract: Contract, facts: BatchFacts) -> Judged:
        rows = facts.rows + facts.published
        before = [int(rows) for rows in rule.arguments.get(HISTORY, ())]
        if len(before) < rule.arguments["least"]:
            said = f"{len(before)} batches before it are too few to say how many rows are usual"
            return Judged(True, rows, rows, said)
        usual = Fraction(median(before))
        low, high = (
            Fraction(rule.arguments["lowestPercent"]),
            Fraction(rule.arguments["highestPercent"]),
        )
        what = "product" if facts.published else "batch"
        passed = usual * low <= rows * 100 <= usual * high
        said = (
            f"the {what} has {words.amount(rows)} rows; {words.amount(round(usual))} are usual "
            f"(median of {len(before)} batches before it)"
        )
        if not passed:
            said += f", and it may have from {float(low):g} to {float(high):g} % of that"
        return Judged(passed, rows, rows, said)


KIND = Volume()
