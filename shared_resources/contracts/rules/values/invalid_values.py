"""INVALID_VALUES: values that are none of a list, a pattern or a range. The metric `invalidValues`.

Belongs here: the metric's arguments, the condition, the words, the form for frames.
Does not belong here: the same without a tolerance, as clauses of a property (`enumeration.py`,
`pattern.py`, `range.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.node import Node
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import BOUNDS, bounds, constants, pattern_of, within
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.view import column_of, not_in, not_matching, out_of_range
from shared_resources.contracts.types import ColumnType, Family

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class InvalidValues(RowKind):
    """`Rule.arguments`: {"validValues": [...]}, {"pattern": str}, or bounds as RANGE has them."""

    name = "invalid_values"
    rank = 53
    for_frames = True
    metric = "invalidValues"
    on_column = True

    def read_metric(
        self,
        node: Node,
        given: Node,
        of: DeclaredColumn | None,
        columns: Mapping[str, DeclaredColumn],
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        assert of is not None
        family = of.column.type.family
        known = ["validValues"]
        known += ["pattern"] if family is Family.STRING else []
        known += BOUNDS if family not in (Family.STRING, Family.BOOLEAN) else []
        given.unknown_fields(known)
        found: dict[str, Any] = {}
        if field := given.get("validValues"):
            found["validValues"] = list(constants(field.items(), of, lambda item: item))
            if not list(field.items()):
                field.problem("lists no values", "write `validValues: [a, b]`")
        if "pattern" in known and (field := given.get("pattern")):
            if not isinstance(field.value, str):
                field.problem("is no text", "put the pattern in quotes")
            elif (pattern := pattern_of(field)) is not None:
                found["pattern"] = pattern
        if known[1:] != ["pattern"]:
            found |= bounds(given, of)
        if not any(given.get(name) for name in known):
            remedy = f"add `arguments:` with {' or '.join(known)}"
            node.problem("does not say what is valid", remedy)
        return (of.column.name,), found

    def keeps(self, was: Rule, now: Rule) -> bool:
        listed, had = (one.arguments.get("validValues") for one in (now, was))
        if had is not None and (listed is None or not {*listed} <= {*had}):
            return False
        pattern = was.arguments.get("pattern")
        return pattern in (None, now.arguments.get("pattern")) and within(
            now.arguments, was.arguments
        )

    def valid(self, rule: Rule) -> Mapping[str, Any]:
        return rule.arguments

    def violation(self, rule: Rule, contract: Contract) -> str:
        column, type_ = column_of(rule, contract)
        given, conditions = rule.arguments, []
        if "validValues" in given:
            conditions.append(not_in(column, type_, given["validValues"]))
        if "pattern" in given:
            conditions.append(not_matching(column, given["pattern"]))
        if given.keys() & set(BOUNDS):
            conditions.append(f"({out_of_range(column, type_, given)})")
        return " OR ".join(conditions) or "FALSE"

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        column, type_ = on.column_of(rule, contract)
        given, conditions = rule.arguments, []
        if "validValues" in given:
            conditions.append(on.not_in(column, type_, given["validValues"]))
        if "pattern" in given:
            conditions.append(on.not_matching(column, given["pattern"]))
        if given.keys() & set(BOUNDS):
            conditions.append(on.out_of_range(column, type_, given))
        return on.any_of(conditions)

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have an invalid {rule.columns[0]}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        given, masks = rule.arguments, []
        if "validValues" in given:
            masks.append(arrow.not_in(values, given["validValues"], type_))
        if "pattern" in given:
            masks.append(arrow.not_matching(values, given["pattern"]))
        if given.keys() & set(BOUNDS):
            masks.append(arrow.out_of_range(values, given, type_))
        return arrow.of_present(arrow.any_of(masks), values)


KIND = InvalidValues()
