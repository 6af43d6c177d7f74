"""MULTIPLE_OF: a number is a multiple of another. `logicalTypeOptions.multipleOf`.

Belongs here: the clause, the condition, the words, the form for frames.
Does not belong here: what is a value of the column's type (`contracts/reading/constants.py`).

Exact for integers and decimals. A float is a multiple when it is the nearest one, but for rounding:
within 1e-9 of a step or, far from zero, within a few units in the last place. An infinity is none.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.constants import NotOfType, constant
from shared_resources.contracts.rules.implied import implied_rule, options_of
from shared_resources.contracts.rules.kind import Declared, Options, RowKind
from shared_resources.contracts.rules.view import column_of, literal
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.wording import a

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa


class MultipleOf(RowKind):
    """`Rule.arguments`: {"multipleOf": number}."""

    name = "multiple_of"
    rank = 16
    for_frames = True
    enforces_options: ClassVar[Options] = {"multipleOf": "multiple_of"}

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        field = options_of(column).get("multipleOf")
        name, type_ = column.column.name, column.column.type
        if field is None or type_.family not in (Family.INTEGER, Family.FLOAT, Family.DECIMAL):
            return
        try:
            step = constant(field.value, type_)
        except NotOfType as error:
            field.problem(f"{error.message} (column {name})", error.remedy)
            return
        yield implied_rule(
            "multiple_of", self.name, column, field, f"{name} is a multiple of {step}",
            multipleOf=step,
        )  # fmt: skip

    def keeps(self, was: Rule, now: Rule) -> bool:
        # As they are written: a float is not exactly the tenth that stands in the file.
        steps, of = (Fraction(str(one.arguments["multipleOf"])) for one in (now, was))
        return steps % of == 0

    def violation(self, rule: Rule, contract: Contract) -> str:
        column, type_ = column_of(rule, contract)
        factor = rule.arguments["multipleOf"]
        if type_.family is not Family.FLOAT:
            return f"{column} % {literal(factor, type_)} <> 0"
        steps = f"({column}::DOUBLE / {literal(factor, ColumnType(Family.FLOAT))})"
        slack = "4e-7" if type_.width == 32 else "1e-15"
        return (
            f"(isinf({column}) OR abs({steps} - round({steps})) > greatest(1e-9, "
            f"abs({steps}) * {slack}))"
        )

    def violation_on(self, rule: Rule, contract: Contract, engine: str) -> str:
        said = self.violation(rule, contract)
        if engine != "flink" or contract.column(rule.columns[0]).type.family is not Family.FLOAT:
            return said
        # Its ROUND goes by decimals, and fails at an infinity.
        column = column_of(rule, contract)[0]
        step = literal(rule.arguments["multipleOf"], ColumnType(Family.FLOAT))
        steps = f"({column}::DOUBLE / {step})"
        slack = "4e-7" if contract.column(rule.columns[0]).type.width == 32 else "1e-15"
        return (
            f"(isinf({steps}) OR abs({steps} - floor({steps} + 0.5)) > greatest(1e-9, "
            f"abs({steps}) * {slack}))"
        )

    def broken(self, rule: Rule, contract: Contract) -> pl.Expr:
        import polars as pl

        from shared_resources.contracts.rules import expressions as on

        column, type_ = on.column_of(rule, contract)
        factor = rule.arguments["multipleOf"]
        if type_.family is not Family.FLOAT:
            return (column % on.literal(factor, type_)) != on.literal(0, type_)
        steps = column.cast(pl.Float64) / on.literal(factor, ColumnType(Family.FLOAT))
        slack = 4e-7 if type_.width == 32 else 1e-15
        allowed = pl.max_horizontal(pl.lit(1e-9), steps.abs() * slack)
        return column.is_infinite() | ((steps - steps.round()).abs() > allowed)

    def failing(self, rule: Rule, contract: Contract) -> str:
        return f"have {a(rule.columns[0])} that is no multiple of {rule.arguments['multipleOf']}"

    def mask(
        self, rule: Rule, contract: Contract, values: pa.ChunkedArray, type_: ColumnType
    ) -> pa.ChunkedArray:
        from shared_resources.contracts.rules import arrow

        return arrow.of_present(_no_multiple(values, rule.arguments["multipleOf"], type_), values)


def _no_multiple(values: pa.ChunkedArray, step: Any, type_: ColumnType) -> pa.ChunkedArray:
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    if type_.family is Family.FLOAT:
        numbers = pc.cast(values, pa.float64()).to_numpy(zero_copy_only=False)
        with np.errstate(all="ignore"):
            steps = numbers / float(step)
            slack = 4e-7 if type_.width == 32 else 1e-15
            close = np.abs(steps - np.round(steps)) <= np.maximum(1e-9, np.abs(steps) * slack)
        return pa.chunked_array([pa.array(~close | np.isinf(numbers))])
    if type_.family is Family.INTEGER:
        whole = pc.multiply(pc.divide(values, step), step)
        return pc.not_equal(values, whole)
    size = Fraction(step)
    broken = [None if v is None else Fraction(v) % size != 0 for v in values.to_pylist()]
    return pa.chunked_array([pa.array(broken, pa.bool_())])


KIND = MultipleOf()
