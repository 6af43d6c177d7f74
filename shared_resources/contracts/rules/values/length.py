"""LENGTH: a text has so many characters. `logicalTypeOptions.minLength` and `maxLength`, and the n of
VARCHAR(n).

Belongs here: the clauses, the condition, the words, the form for frames.
Does not belong here: types (`contracts/reading/logical_types.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import implied_rule, options_of
from shared_resources.contracts.rules.kind import Declared, Options, RowKind
from shared_resources.contracts.rules.view import column_of
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class Length(RowKind):
    """`Rule.arguments`: {"minLength"|"maxLength": int}, in Unicode code points."""

    name = "length"
    rank = 15
    for_frames = True
    enforces_options: ClassVar[Options] = {"minLength": "length", "maxLength": "length"}

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        if column.column.type.family is not Family.STRING:
            return
        options = options_of(column)
        low, high = options.whole("minLength"), options.whole("maxLength")
        field = options.get("maxLength") or options.get("minLength")
        if column.max_length is not None and (high is None or column.max_length < high):
            high, field = column.max_length, column.node.get("physicalType")
        if low is not None and high is not None and low > high and field is not None:
            field.problem(f"is less than minLength {low}", "correct one of them")
        found: dict[str, Any] = {
            name: n for name, n in (("minLength", low), ("maxLength", high)) if n is not None
        }
        if found:
            shown = ", ".join(f"{name} {value}" for name, value in found.items())
            yield implied_rule(
                "length", self.name, column, field, f"{column.column.name}: {shown}", **found
            )

    def keeps(self, was: Rule, now: Rule) -> bool:
        low, lowest = (one.arguments.get("minLength") or 0 for one in (now, was))
        high, highest = (one.arguments.get("maxLength") for one in (now, was))
        return low >= lowest and (highest is None or (high is not None and high <= highest))

    def violation(self, rule: Rule, contract: Contract) -> str:
        column, given, conditions = column_of(rule, contract)[0], rule.arguments, []
        if given.get("minLength") is not None:
            conditions.append(f"length({column}) < {int(given['minLength'])}")
        if given.get("maxLength") is not None:
            conditions.append(f"length({column}) > {int(given['maxLength'])}")
        return " OR ".join(conditions)

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        from shared_resources.contracts.rules import expressions as on

        lengths, given = on.column_of(rule, contract)[0].str.len_chars(), rule.arguments
        conditions = []
        if given.get("minLength") is not None:
            conditions.append(lengths < int(given["minLength"]))
        if given.get("maxLength") is not None:
            conditions.append(lengths > int(given["maxLength"]))
        return on.any_of(conditions)

    def failing(self, rule: Rule, contract: Contract) -> str:
        low, high = rule.arguments.get("minLength"), rule.arguments.get("maxLength")
        bounds = [f"at least {low}"] if low is not None else []
        bounds += [f"at most {high}"] if high is not None else []
        return f"have {a(rule.columns[0])} whose length is not {' and '.join(bounds)} characters"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        import pyarrow.compute as pc

        from shared_resources.contracts.rules import arrow

        lengths, masks = pc.utf8_length(values), []
        if "minLength" in rule.arguments:
            masks.append(pc.less(lengths, rule.arguments["minLength"]))
        if "maxLength" in rule.arguments:
            masks.append(pc.greater(lengths, rule.arguments["maxLength"]))
        return arrow.of_present(arrow.any_of(masks), values)


KIND = Length()
