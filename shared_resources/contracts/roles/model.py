"""A role of a contract: which columns, behind which masks, of which rows.

Belongs here: the immutable types. Does not belong here: reading them from the file
(`contracts/reading/governed/roles.py`), what a mask does (`masks.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from shared_resources.contracts.types import ColumnType

Literal = str | int | float | bool | Decimal | date | datetime


@dataclass(frozen=True)
class Comparison:
    """`column operator value`; the operator is one of ``= <> < <= > >=``."""

    column: str
    operator: str
    value: Literal


@dataclass(frozen=True)
class Among:
    column: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class IsNull:
    column: str


@dataclass(frozen=True)
class StartsWith:
    column: str
    text: str


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class Every:
    """All of them hold."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class Any_:
    """At least one of them holds."""

    conditions: tuple[Condition, ...]


Condition = Comparison | Among | IsNull | StartsWith | Not | Every | Any_


def columns_of(condition: Condition) -> frozenset[str]:
    """The columns that the condition looks at."""
    match condition:
        case Comparison() | Among() | IsNull() | StartsWith():
            return frozenset((condition.column,))
        case Not():
            return columns_of(condition.condition)
        case Every() | Any_():
            return frozenset().union(*map(columns_of, condition.conditions))


@dataclass(frozen=True)
class RowFilter:
    """The rows that a role sees: those for which the condition is true, neither false nor null.

    `types` are the types of its columns in the contract: a version whose columns have others is not
    filtered by it. `text` is what the contract says.
    """

    text: str
    condition: Condition
    types: Mapping[str, ColumnType] = field(hash=False)


@dataclass(frozen=True)
class Mask:
    """`kind` is a kind of mask by its name (`masks.py`); `step` is what numbers are rounded down to."""

    kind: str
    step: Decimal | None = None

    def __str__(self) -> str:
        return self.kind if self.step is None else f"{self.kind} {self.step}"


@dataclass(frozen=True)
class Role:
    """`columns` is None for all columns of the contract. `masks` are by column."""

    name: str
    description: str = ""
    columns: tuple[str, ...] | None = None
    masks: Mapping[str, Mask] = field(default_factory=dict, hash=False)
    rows: RowFilter | None = None
    line: int = 0
