"""ENUMERATION: a column has one of the listed values. The clause `enum` of a property.

Belongs here: the clause, the condition, the words, the form for frames.
Does not belong here: a list with a tolerance (`invalid_values.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import constants, implied_rule
from shared_resources.contracts.rules.kind import Declared, Enforced, RowKind
from shared_resources.contracts.rules.view import column_of, not_in
from shared_resources.contracts.rules.words import listed
from shared_resources.contracts.types import ColumnType
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Enumeration(RowKind):
    """`Rule.arguments`: {"values": [...]}."""

    name = "enumeration"
    rank = 12
    for_frames = True
    enforces: ClassVar[Enforced] = {"enum": ("enumeration_{column}",)}

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        field = column.node.get("enum")
        if field is None:
            return
        values = constants(field.items(), column, lambda item: item.get("value"))
        shown = ", ".join(map(str, values[:10])) + (" ..." if len(values) > 10 else "")
        yield implied_rule(
            "enumeration", self.name, column, field,
            f"{column.column.name} is one of {shown}", values=list(values),
        )  # fmt: skip

    def keeps(self, was: Rule, now: Rule) -> bool:
        return {*now.arguments["values"]} <= {*was.arguments["values"]}

    def valid(self, rule: Rule) -> dict[str, Any]:
        return {"validValues": rule.arguments["values"]}

    def violation(self, rule: Rule, contract: Contract) -> str:
        return not_in(*column_of(rule, contract), rule.arguments["values"])

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        return on.not_in(*on.column_of(rule, contract), rule.arguments["values"])

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have {a(rule.columns[0])} other than {listed(rule.arguments['values'])}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        return arrow.of_present(arrow.not_in(values, rule.arguments["values"], type_), values)


KIND = Enumeration()
