"""NOT_EMPTY: the batch has a row. Of every contract without `allowEmpty`.

Belongs here: the clause, the verdict and its words, the form for frames.
Does not belong here: how many rows there should be (`row_count.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules import words
from shared_resources.contracts.rules.kind import BatchFacts, BatchKind, Declared, Judged


class NotEmpty(BatchKind):
    """`Rule.arguments`: {}."""

    name = "not_empty"
    rank = 2
    restates = True
    for_frames = True

    def of_batch(self, declared: Declared) -> Iterator[Rule]:
        # A stream adds rows to what is there: a window without any takes nothing from readers.
        if not declared.platform.allow_empty and declared.platform.stream is None:
            table = declared.table
            yield Rule(
                "not_empty", self.name, (), clause=table.path, line=table.line,
                dimension="completeness", description="the batch has at least one row",
            )  # fmt: skip

    def judge(self, rule: Rule, contract: Contract, facts: BatchFacts) -> Judged:
        rows = facts.rows
        message = f"the batch has {words.rows(rows)}" if rows else "the batch is empty"
        return Judged(rows > 0 or contract.allow_empty, rows, rows, message)

    def holds(self, rule: Rule, contract: Contract, names: list[str], rows: int) -> bool:
        return rows > 0


KIND = NotEmpty()
