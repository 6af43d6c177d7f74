"""COLUMNS: the batch has exactly the contract's columns, of their types. Of every contract.

Belongs here: the clause, the verdict, the form for frames.
Does not belong here: comparing a file's schema with the contract (`governance/audit/engine/columns.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import BatchFacts, BatchKind, Declared, Judged


class Columns(BatchKind):
    """`Rule.arguments`: {}."""

    name = "columns"
    rank = 0
    restates = True
    types = True
    for_frames = True

    def of_batch(self, declared: Declared) -> Iterator[Rule]:
        table = declared.table
        yield Rule(
            "columns", self.name, (), clause=f"{table.path}.properties", line=table.line,
            dimension="conformity",
            description="the batch has exactly the contract's columns, of their types",
        )  # fmt: skip

    def judge(self, rule: Rule, contract: Contract, facts: BatchFacts) -> Judged:
        said = facts.said
        if not facts.problems:
            said = f"all {len(contract.columns)} columns are there and of the contract's types"
        return Judged(not facts.problems, facts.rows, facts.problems, said)

    def holds(self, rule: Rule, contract: Contract, names: list[str], rows: int) -> bool:
        """Neither missing nor extra nor twice; the types are checked column by column."""
        return sorted(names) == sorted(column.name for column in contract.columns)


KIND = Columns()
