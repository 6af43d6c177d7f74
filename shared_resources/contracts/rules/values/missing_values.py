"""MISSING_VALUES: values that stand for none. The library metric `missingValues`.

Belongs here: the metric's arguments, the condition, the words, the form for frames.
Does not belong here: nulls alone (`null_values.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import constants
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.view import column_of, listed
from shared_resources.contracts.rules.words import listed as in_words
from shared_resources.contracts.types import ColumnType
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class MissingValues(RowKind):
    """`Rule.arguments`: {"missingValues": [...]}. A null is missing whether it is listed or not."""

    name = "missing_values"
    rank = 52
    for_frames = True
    metric = "missingValues"
    on_column = True

    def read_metric(
        self,
        node: Node,
        given: Node,
        of: DeclaredColumn | None,
        columns: Mapping[str, DeclaredColumn],
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        assert of is not None
        names = (of.column.name,)
        given.unknown_fields(("missingValues",))
        field = given.get("missingValues")
        if field is None or not list(field.items()):
            (field or node).problem(
                "lists no missing values",
                "add `arguments: {missingValues: [null, 'N/A']}`, or use nullValues",
            )
            return names, {}
        present = (item for item in field.items() if item.value is not None)
        return names, {"missingValues": list(constants(present, of, lambda item: item))}

    def keeps(self, was: Rule, now: Rule) -> bool:
        return {*was.arguments["missingValues"]} <= {*now.arguments["missingValues"]}

    def violation(self, rule: Rule, contract: Contract) -> str:
        column, type_ = column_of(rule, contract)
        values = listed(type_, rule.arguments["missingValues"])
        return f"{column} IS NULL" + (f" OR {column} IN ({values})" if values else "")

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        column, type_ = on.column_of(rule, contract)
        return column.is_null() | on.one_of(column, type_, rule.arguments["missingValues"])

    def failing(self, rule: Rule, contract: Contract) -> str:
        values = in_words(rule.arguments["missingValues"])
        return f"have {a(rule.columns[0])} that counts as missing: {values}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        return arrow.any_of(
            [values.is_null(), arrow.one_of(values, rule.arguments["missingValues"], type_)]
        )


KIND = MissingValues()
