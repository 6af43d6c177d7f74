"""Row-level rules as SQL: for each, the condition under which a row of the view `batch` fails.

Belongs here: rules that one row alone decides. NaN is null already in the view (`batch_view.py`).
Does not belong here: rules that need other rows or another table (`sets.py`), personal data
(`personal_data.py`), or running them.

A condition that is NULL counts as not failing: a missing value breaks no rule but those that ask
for a value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from shared_resources.contracts.model import Contract, Rule, RuleKind
from shared_resources.contracts.patterns import re2
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.rules.engine import PARTITION
from shared_resources.sql import quote_identifier, quote_literal

ROW_PREDICATES = frozenset(
    {
        RuleKind.REQUIRED,
        RuleKind.NULL_VALUES,
        RuleKind.MISSING_VALUES,
        RuleKind.ENUMERATION,
        RuleKind.PATTERN,
        RuleKind.RANGE,
        RuleKind.LENGTH,
        RuleKind.MULTIPLE_OF,
        RuleKind.INVALID_VALUES,
        RuleKind.PARTITION,
    }
)


def violation(rule: Rule, contract: Contract) -> str:
    """The SQL condition under which a row breaks `rule`, which is of a kind in `ROW_PREDICATES`.

    Raises `ValueError` when a value in the rule's arguments is none of the column's type.
    """
    if rule.kind is RuleKind.PARTITION:
        return _outside_partition(contract)
    name = rule.columns[0]
    column, type_ = quote_identifier(name), contract.column(name).type
    arguments = rule.arguments
    match rule.kind:
        case RuleKind.REQUIRED | RuleKind.NULL_VALUES:
            return f"{column} IS NULL"
        case RuleKind.MISSING_VALUES:
            return _missing(column, type_, arguments["missingValues"])
        case RuleKind.ENUMERATION:
            return _not_in(column, type_, arguments["values"])
        case RuleKind.PATTERN:
            return _not_matching(column, arguments["pattern"])
        case RuleKind.RANGE:
            return _out_of_range(column, type_, arguments)
        case RuleKind.LENGTH:
            return _wrong_length(column, arguments)
        case RuleKind.MULTIPLE_OF:
            return _no_multiple(column, type_, arguments["multipleOf"])
        case RuleKind.INVALID_VALUES:
            return _invalid(column, type_, arguments)
    raise ValueError(f"{rule.kind.value} is no rule that a row alone decides")


def literal(value: Any, type_: ColumnType) -> str:
    """`value`, as YAML gave it, as a SQL literal of the column's type.

    A float is cast to the column's own width, so that 0.1 equals what a 32-bit column holds for it.
    """
    match type_.family:
        case Family.STRING:
            return quote_literal(str(value))
        case Family.INTEGER | Family.DECIMAL:
            return f"CAST({quote_literal(_digits(value))} AS {type_.duckdb})"
        case Family.FLOAT:
            return f"CAST({quote_literal(repr(float(value)))} AS {type_.duckdb})"
        case Family.BOOLEAN:
            return quote_literal(bool(value))
        case Family.DATE:
            return quote_literal(_as_date(value))
        case Family.TIMESTAMP | Family.TIMESTAMP_TZ:
            return quote_literal(_as_datetime(value, type_.family is Family.TIMESTAMP_TZ))


def _digits(value: Any) -> str:
    """An integer or decimal as digits: never through a binary float, never with an exponent."""
    number = Decimal(str(value))
    if not number.is_finite():
        raise ValueError(f"{value!r} is no finite number")
    return format(number, "f")


def _as_date(value: Any) -> date:
    if isinstance(value, datetime):
        return value.date()
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _as_datetime(value: Any, aware: bool) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    if aware:
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if moment.tzinfo is not None:
        raise ValueError(f"{value} has a time zone and the column has none")
    return moment


def _missing(column: str, type_: ColumnType, values: Iterable[Any]) -> str:
    """A null is missing whether it is listed or not."""
    listed = _listed(type_, values)
    return f"{column} IS NULL" + (f" OR {column} IN ({listed})" if listed else "")


def _not_in(column: str, type_: ColumnType, values: Iterable[Any]) -> str:
    listed = _listed(type_, values)
    # A null is no value; in the list it would make every comparison NULL.
    return f"{column} NOT IN ({listed})" if listed else f"{column} IS NOT NULL"


def _listed(type_: ColumnType, values: Iterable[Any]) -> str:
    return ", ".join(literal(value, type_) for value in values if value is not None)


def _not_matching(column: str, pattern: str) -> str:
    return f"NOT regexp_matches({column}, {quote_literal(re2(pattern))})"


_BOUNDS = {
    "minimum": "<",
    "exclusiveMinimum": "<=",
    "maximum": ">",
    "exclusiveMaximum": ">=",
}


def _out_of_range(column: str, type_: ColumnType, arguments: Mapping[str, Any]) -> str:
    return " OR ".join(
        f"{column} {outside} {literal(arguments[bound], type_)}"
        for bound, outside in _BOUNDS.items()
        if arguments.get(bound) is not None
    )


def _wrong_length(column: str, arguments: Mapping[str, Any]) -> str:
    conditions = []
    if arguments.get("minLength") is not None:
        conditions.append(f"length({column}) < {int(arguments['minLength'])}")
    if arguments.get("maxLength") is not None:
        conditions.append(f"length({column}) > {int(arguments['maxLength'])}")
    return " OR ".join(conditions)


def _no_multiple(column: str, type_: ColumnType, factor: Any) -> str:
    """Exact for integers and decimals. A float is a multiple when it is the nearest one, but for
    rounding: within 1e-9 of a step, or, far from zero, within a few units in the last place.
    """
    if type_.family is not Family.FLOAT:
        return f"{column} % {literal(factor, type_)} <> 0"
    steps = f"({column}::DOUBLE / {literal(factor, ColumnType(Family.FLOAT))})"
    slack = "4e-7" if type_.width == 32 else "1e-15"
    return (
        f"(isinf({column}) OR abs({steps} - round({steps})) > greatest(1e-9, "
        f"abs({steps}) * {slack}))"
    )


def _invalid(column: str, type_: ColumnType, arguments: Mapping[str, Any]) -> str:
    conditions = []
    if "validValues" in arguments:
        conditions.append(_not_in(column, type_, arguments["validValues"]))
    if "pattern" in arguments:
        conditions.append(_not_matching(column, arguments["pattern"]))
    if _BOUNDS.keys() & arguments.keys():
        conditions.append(f"({_out_of_range(column, type_, arguments)})")
    return " OR ".join(conditions) or "FALSE"


def _outside_partition(contract: Contract) -> str:
    """A row whose day is not the one that its file stands for, or that has none."""
    partitioning = contract.partitioning
    if partitioning is None:
        return "FALSE"
    day = f"CAST({quote_identifier(partitioning.column)} AS DATE)"
    outside = f"{day} IS NULL OR {day} < {quote_literal(partitioning.start)}"
    if partitioning.end is not None:
        outside += f" OR {day} >= {quote_literal(partitioning.end)}"
    # A file that stands for no partition can still hold days that the product does not have.
    return (
        f"CASE WHEN {PARTITION} = '' THEN {outside} "
        f"ELSE {day} IS DISTINCT FROM TRY_CAST({PARTITION} AS DATE) END"
    )
