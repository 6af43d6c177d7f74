"""MINIMUM_GROUP: what sums up too few is not there. The mesh's property `anonymisation` of a column.

Belongs here: the property's check, the condition, the words.
Does not belong here: reading the property (`contracts/reading/governed/origins.py`), where it is
asked for (`governance/policies/`).

That the column of the sizes counts what it says is its own contract's and author's: no rule can count
again whom the rows sum up.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.model import Contract, Method, Rule
from shared_resources.contracts.reading.columns import COLUMN_PROPERTIES, DeclaredColumn
from shared_resources.contracts.reading.vendor import vendor_properties
from shared_resources.contracts.rules.kind import Declared, RowKind
from shared_resources.contracts.types import Family
from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    import polars as pl


class MinimumGroup(RowKind):
    """`Rule.arguments`: {"minimum": number}. The columns are the value's and that of the group's size."""

    name = "minimum_group"
    rank = 19
    # A row of few says what one of them did.
    conceals = True

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        said = column.column.anonymisation
        if said is None or said.method is not Method.AGGREGATION:
            return
        node = vendor_properties(column.node, COLUMN_PROPERTIES)["anonymisation"]
        size = declared.by_name.get(said.group_size)
        if size is None or (size.readable and size.column.type.family is not Family.INTEGER):
            (node.get("groupSize") or node).problem(
                f"is {said.group_size!r}, which is no column of whole numbers",
                "name the column that counts whose data a row sums up",
            )
            return
        name = column.column.name
        yield Rule(
            f"minimum_group_{name}", self.name, (name, said.group_size), clause=node.path,
            line=node.line, arguments={"minimum": said.minimum_group}, dimension="conformity",
            description=f"{name} sums up at least {said.minimum_group} ({said.group_size})",
        )  # fmt: skip

    def keeps(self, was: Rule, now: Rule) -> bool:
        fewer = now.arguments["minimum"] < was.arguments["minimum"]
        return was.columns == now.columns and not fewer

    def bounds_on(self, rule: Rule, column: str) -> Mapping[str, Any]:
        return {"minimum": rule.arguments["minimum"]} if column == rule.columns[1] else {}

    def violation(self, rule: Rule, contract: Contract) -> str:
        value, size = map(quote_identifier, rule.columns)
        least = int(rule.arguments["minimum"])
        return f"({value} IS NOT NULL AND ({size} IS NULL OR {size} < {least}))"

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        import polars as pl

        value, size = map(pl.col, rule.columns)
        few = size.is_null() | (size < int(rule.arguments["minimum"]))
        return value.is_not_null() & few

    def failing(self, rule: Rule, contract: Contract) -> str:
        value, size = rule.columns
        return f"have a {value} that sums up fewer than {rule.arguments['minimum']} ({size})"


KIND = MinimumGroup()
