"""A row filter as Lake Formation's expression.

Belongs here: what of a condition its language can say (a part of PartiQL: columns compared with
constants, no functions, no casts), and what it cannot.
Does not belong here: parsing conditions (`contracts/roles/conditions.py`).

NOT goes down to the comparisons, as the language knows it of those alone. A null makes a comparison
null there as here; what is not a number (NaN) is greater than all numbers here and like none there, so
that a row can be missing there that is shown here, and never the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from shared_resources.contracts.roles.conditions import OPPOSITE
from shared_resources.contracts.roles.model import (
    Among,
    Any_,
    Comparison,
    Condition,
    Every,
    IsNull,
    Literal,
    Not,
    RowFilter,
    StartsWith,
)
from shared_resources.contracts.types import MOMENTS, ColumnType
from shared_resources.sql import quote_literal

# "Total length of the expression must be less than 2048 characters."
LONGEST = 2_047


class Inexpressible(ValueError):
    """The language has no words for it; the message says for what."""


def filter_expression(rows: Sequence[RowFilter]) -> str:
    """The rows that one of the filters lets through. Raises `Inexpressible`."""
    said = [_said(row.condition, row.types, negated=False) for row in rows]
    whole = " OR ".join(said) if len(said) > 1 else said[0]
    if len(whole) > LONGEST:
        raise Inexpressible(
            f"its rows are an expression of {len(whole):,} characters, and Lake Formation takes "
            f"{LONGEST:,}"
        )
    return whole


def _said(condition: Condition, types: Mapping[str, ColumnType], *, negated: bool) -> str:
    match condition:
        case Comparison(column, operator, value):
            by = OPPOSITE[operator] if negated else operator
            return f"({_column(column, types)} {by} {_constant(value)})"
        case Among(column, values):
            listed = ", ".join(map(_constant, values))
            return f"({_column(column, types)} {'NOT ' if negated else ''}IN ({listed}))"
        case IsNull(column):
            return f"({_column(column, types)} IS {'NOT ' if negated else ''}NULL)"
        case StartsWith(column, text):
            pattern = quote_literal(text + "%")
            return f"({_column(column, types)} {'NOT ' if negated else ''}LIKE {pattern})"
        case Not(inner):
            return _said(inner, types, negated=not negated)
        case Every(conditions):
            return _joined("OR" if negated else "AND", conditions, types, negated)
        case Any_(conditions):
            return _joined("AND" if negated else "OR", conditions, types, negated)


def _joined(
    word: str, conditions: Sequence[Condition], types: Mapping[str, ColumnType], negated: bool
) -> str:
    return f"({f' {word} '.join(_said(one, types, negated=negated) for one in conditions)})"


def _column(name: str, types: Mapping[str, ColumnType]) -> str:
    if types[name].family in MOMENTS:
        raise Inexpressible(
            f"its rows depend on {name!r}, a {types[name].family}, which Lake Formation compares with "
            "nothing"
        )
    return name  # a column of a contract is called as identifiers are: letters, digits and _


def _constant(value: Literal) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return quote_literal(value)
        case Decimal():
            return format(value, "f")
        case float():
            return repr(value) if "e" not in repr(value) else format(Decimal(repr(value)), "f")
        case int():
            return str(value)
        case _:
            raise Inexpressible(f"{value} is no constant of Lake Formation")
