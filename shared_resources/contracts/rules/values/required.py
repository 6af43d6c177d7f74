"""REQUIRED: a column is never null. `required: true`, and the columns of the primary key.

Belongs here: the clause, the condition, the words, the form for frames.
Does not belong here: a tolerance for nulls (`null_values.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import implied_rule
from shared_resources.contracts.rules.kind import Declared, Enforced, RowKind
from shared_resources.contracts.rules.view import column_of
from shared_resources.contracts.types import ColumnType

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Required(RowKind):
    """`Rule.arguments`: {}."""

    name = "required"
    rank = 10
    restates = True
    of_any_type = True
    for_frames = True
    enforces: ClassVar[Enforced] = {"required": ("required_{column}",)}

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        if column.column.required:
            node = column.node
            field = node.get("required") if node.flag("required") else node.get("primaryKey")
            yield implied_rule(
                "required", self.name, column, field, f"{column.column.name} is never null",
                dimension="completeness",
            )  # fmt: skip

    def violation(self, rule: Rule, contract: Contract) -> str:
        return f"{column_of(rule, contract)[0]} IS NULL"

    def count(self, rule: Rule, contract: Contract) -> str:
        # Unlike a condition, `count(column)` is answered from the Parquet footers alone.
        return f"count(*) - count({column_of(rule, contract)[0]})"

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        return on.column_of(rule, contract)[0].is_null()

    def unbroken(self, rule: Rule, contract: Contract, frame: pl.DataFrame) -> bool:
        return frame.get_column(rule.columns[0]).null_count() == 0

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have no {rule.columns[0]}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        return values.is_null()


KIND = Required()
