"""ROW_COUNT: how many rows the batch has. The library metric `rowCount`.

Belongs here: the metric, the verdict and its words, the form for frames.
Does not belong here: that there is a row at all (`not_empty.py`).
"""

from __future__ import annotations

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules import words
from shared_resources.contracts.rules.kind import BatchFacts, BatchKind, Judged


class RowCount(BatchKind):
    """`Rule.arguments`: {}."""

    name = "row_count"
    rank = 55
    for_frames = True
    metric = "rowCount"
    on_table = True

    def judge(self, rule: Rule, contract: Contract, facts: BatchFacts) -> Judged:
        rows = facts.rows + facts.published
        passed = rule.threshold.holds(rows, rows)
        what = "product" if facts.published else "batch"
        subject = f"the {what} has {words.amount(rows)} rows"
        return Judged(
            passed, rows, rows, words.number(rule, subject, self.limit(rule), rows, rows, passed)
        )

    def holds(self, rule: Rule, contract: Contract, names: list[str], rows: int) -> bool:
        return rule.threshold.holds(rows, rows)


KIND = RowCount()
