"""PATTERN: a text matches. `logicalTypeOptions.pattern`, and `format` where it names a pattern.

Belongs here: both clauses, the condition, the words, the form for frames.
Does not belong here: which patterns mean the same everywhere (`contracts/patterns.py`), the formats
(`contracts/text_formats.py`), a pattern with a tolerance (`invalid_values.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import implied_rule, options_of, pattern_of
from shared_resources.contracts.rules.kind import Declared, Options, RowKind
from shared_resources.contracts.rules.view import column_of, not_matching
from shared_resources.contracts.text_formats import STRING_FORMATS
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Pattern(RowKind):
    """`Rule.arguments`: {"pattern": str}, an ECMA-262 search as in JSON Schema; with the "format"
    that it stands for."""

    name = "pattern"
    rank = 13
    for_frames = True
    enforces_options: ClassVar[Options] = {"pattern": "pattern"}

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        if column.column.type.family is not Family.STRING:
            return
        options, name = options_of(column), column.column.name
        field = options.get("pattern")
        pattern = pattern_of(field) if field is not None else None
        if pattern is not None:
            yield implied_rule(
                "pattern", self.name, column, field, f"{name} matches {pattern}", pattern=pattern
            )
        format_ = column.column.text_format
        written = STRING_FORMATS.get(format_)
        if written is not None:
            yield implied_rule(
                "format", self.name, column, options.get("format"),
                f"{name} is written as {format_}", pattern=written, format=format_,
            )  # fmt: skip

    def keeps(self, was: Rule, now: Rule) -> bool:
        """Of the same pattern, under whatever name; of two nobody knows which matches more."""
        return bool(was.arguments["pattern"] == now.arguments["pattern"])

    def valid(self, rule: Rule) -> Mapping[str, Any]:
        return rule.arguments

    def violation(self, rule: Rule, contract: Contract) -> str:
        return not_matching(column_of(rule, contract)[0], rule.arguments["pattern"])

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        return on.not_matching(on.column_of(rule, contract)[0], rule.arguments["pattern"])

    def failing(self, rule: Rule, contract: Contract) -> str:
        column = a(rule.columns[0])
        if "format" in rule.arguments:
            return f"have {column} that is not written as {rule.arguments['format']}"
        return f"have {column} that does not match {rule.arguments['pattern']}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        return arrow.of_present(arrow.not_matching(values, rule.arguments["pattern"]), values)


KIND = Pattern()
