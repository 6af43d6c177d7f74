"""RANGE: a number, a day or a point in time lies within bounds. `logicalTypeOptions.minimum` and so on.

Belongs here: the clauses, the condition, the words, the form for frames.
Does not belong here: a range with a tolerance (`invalid_values.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import (
    BOUNDS,
    ORDERED,
    bounds,
    implied_rule,
    options_of,
    within,
)
from shared_resources.contracts.rules.kind import Declared, Options, RowKind
from shared_resources.contracts.rules.view import column_of, out_of_range
from shared_resources.contracts.rules.words import range_of
from shared_resources.contracts.types import ColumnType
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Range(RowKind):
    """`Rule.arguments`: {"minimum"|"exclusiveMinimum"|"maximum"|"exclusiveMaximum": value}."""

    name = "range"
    rank = 14
    for_frames = True
    enforces_options: ClassVar[Options] = dict.fromkeys(BOUNDS, "range")

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        if column.column.type.family not in ORDERED:
            return
        options = options_of(column)
        found = bounds(options, column)
        if found:
            shown = ", ".join(f"{name} {value}" for name, value in found.items())
            yield implied_rule(
                "range", self.name, column, options.get(next(iter(found))),
                f"{column.column.name}: {shown}", **found,
            )  # fmt: skip

    def keeps(self, was: Rule, now: Rule) -> bool:
        return within(now.arguments, was.arguments)

    def valid(self, rule: Rule) -> Mapping[str, Any]:
        return rule.arguments

    def violation(self, rule: Rule, contract: Contract) -> str:
        return out_of_range(*column_of(rule, contract), rule.arguments)

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        return on.out_of_range(*on.column_of(rule, contract), rule.arguments)

    def unbroken(self, rule: Rule, contract: Contract, frame: pl.DataFrame) -> bool:
        from shared_resources.contracts.rules import expressions as on

        _, type_ = on.column_of(rule, contract)
        return on.all_within(frame.get_column(rule.columns[0]), type_, rule.arguments)

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have {a(rule.columns[0])} outside {range_of(rule.arguments)}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        return arrow.of_present(arrow.out_of_range(values, rule.arguments, type_), values)


KIND = Range()
