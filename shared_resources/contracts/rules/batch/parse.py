"""PARSE: every cell of a landing object, or of a message, is a value of its column's type.

Belongs here: the clause, the verdict and its words.
Does not belong here: reading objects (`landing/`).
"""

from __future__ import annotations

from collections.abc import Iterator

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules import words
from shared_resources.contracts.rules.kind import BatchFacts, BatchKind, Declared, Judged

_OF = {"landing": "the landing object", "stream": "the messages"}


class Parse(BatchKind):
    """`Rule.arguments`: {}. The rows that fail are apart already: they could not be read."""

    name = "parse"
    rank = 1
    row_level = True
    restates = True

    def of_batch(self, declared: Declared) -> Iterator[Rule]:
        table = declared.table
        of = next((what for name, what in _OF.items() if name in declared.platform.nodes), None)
        if of is not None:
            yield Rule(
                "parse", self.name, (), clause=f"{table.path}.properties", line=table.line,
                dimension="conformity",
                description=f"every cell of {of} is a value of its column's type",
            )  # fmt: skip

    def judge(self, rule: Rule, contract: Contract, facts: BatchFacts) -> Judged:
        of, failed = facts.rows + facts.rejected_rows, facts.rejected_rows
        passed = rule.threshold.holds(failed, of)
        message = words.row_level(rule, self.failing(rule, contract), failed, of, passed)
        if failed and (reasons := facts.reasons()):
            message += f": {reasons}"
        sample = facts.sample() if not passed else ()
        return Judged(passed, of, failed, message, rows_failed=failed, sample=sample)

    def failing(self, rule: Rule, contract: Contract) -> str:
        return "could not be read as the contract's types"


KIND = Parse()
