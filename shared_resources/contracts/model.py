"""What a contract says, once it was read: the platform's own model of an ODCS file.

Belongs here: the immutable types that everything else is compiled from (contract, column, rule,
threshold, landing source), and nothing that reads files or runs checks.
Does not belong here: parsing (`odcs.py`), kinds of rule (`contracts/rules/`), engine types (`types.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Any

from shared_resources.contracts.file_formats import FileFormat
from shared_resources.contracts.numbers import Number, comparable, is_number, percent, shown
from shared_resources.contracts.roles.model import Role
from shared_resources.contracts.serving.model import Serving
from shared_resources.contracts.streams.model import Stream
from shared_resources.contracts.types import ColumnType, FormerName


class Classification(StrEnum):
    """How sensitive a column is. The last two are *classified*: masked wherever a person looks."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def classified(self) -> bool:
        return self in (Classification.CONFIDENTIAL, Classification.RESTRICTED)


class Method(StrEnum):
    """How a column was made less personal than what it is made from."""

    AGGREGATION = "aggregation"
    KEYED_HASH = "keyedHash"
    GENERALISATION = "generalisation"


@dataclass(frozen=True)
class Anonymisation:
    """Of an aggregation, each value sums up at least `minimum_group`, whom the column `group_size`
    counts; the audit checks it on the rows."""

    method: Method
    minimum_group: int = 0
    group_size: str = ""


class Severity(StrEnum):
    """What a failed rule does: `BLOCKING` keeps the batch from readers, `WARNING` only reports."""

    BLOCKING = "blocking"
    WARNING = "warning"


# The check of each product's health, beside those of its rules: none of these may be called so.
HEALTH_CHECK = "mesh_health"


class Operator(StrEnum):
    """The eight comparison operators of ODCS 3.2, by their names in the standard."""

    MUST_BE = "mustBe"
    MUST_NOT_BE = "mustNotBe"
    GREATER_THAN = "mustBeGreaterThan"
    GREATER_OR_EQUAL = "mustBeGreaterOrEqualTo"
    LESS_THAN = "mustBeLessThan"
    LESS_OR_EQUAL = "mustBeLessOrEqualTo"
    BETWEEN = "mustBeBetween"
    NOT_BETWEEN = "mustNotBeBetween"


class Unit(StrEnum):
    ROWS = "rows"
    PERCENT = "percent"


@dataclass(frozen=True)
class Threshold:
    """What a measured number must satisfy, e.g. `mustBeLessThan 0.5 percent`.

    `bounds` holds one number, or two (smallest first, both inclusive) for the BETWEEN operators.
    """

    operator: Operator = Operator.MUST_BE
    bounds: tuple[Number, ...] = (0,)
    unit: Unit = Unit.ROWS

    def holds(self, measured: Number | float, of: int) -> bool:
        """Whether `measured` rows out of `of` satisfy the threshold (of no rows: 0 percent).

        Nothing is rounded: a float's bound is the one of `comparable`. What is no number never holds.
        """
        if not is_number(measured):
            return False
        value: Number | float | Fraction = measured
        if self.unit is Unit.PERCENT:
            value = percent(measured, of)
        low, high = (comparable(bound, value) for bound in (self.bounds[0], self.bounds[-1]))
        match self.operator:
            case Operator.MUST_BE:
                return value == low
            case Operator.MUST_NOT_BE:
                return value != low
            case Operator.GREATER_THAN:
                return value > low
            case Operator.GREATER_OR_EQUAL:
                return value >= low
            case Operator.LESS_THAN:
                return value < low
            case Operator.LESS_OR_EQUAL:
                return value <= low
            case Operator.BETWEEN:
                return low <= value <= high
            case Operator.NOT_BETWEEN:
                return not low <= value <= high

    def __str__(self) -> str:
        bounds = " and ".join(map(shown, self.bounds))
        return f"{self.operator.value} {bounds}" + (" %" if self.unit is Unit.PERCENT else " rows")


@dataclass(frozen=True)
class Rule:
    """One rule of a contract or of a policy: one asset check.

    `name` is unique within the product and fits a Dagster check name (`[A-Za-z0-9_]+`). `kind` is the
    name of a kind of rule (`contracts/rules/`), which says what `arguments` hold.
    `clause` is where it stands, e.g. `schema.transactions.properties.quantity.quality[0]`, and
    `line` the line there (0 when it is implied). `reason` is why a tolerance is what it is.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    clause: str
    threshold: Threshold = Threshold()
    severity: Severity = Severity.BLOCKING
    arguments: Mapping[str, Any] = field(default_factory=dict, hash=False)
    description: str = ""
    dimension: str | None = None
    reason: str = ""
    line: int = 0


@dataclass(frozen=True)
class Column:
    name: str
    type: ColumnType
    description: str
    classification: Classification | None
    required: bool = False
    unique: bool = False
    primary_key_position: int | None = None
    absent_before: date | None = None  # landed files of earlier days may lack the column
    business_name: str = ""
    tags: tuple[str, ...] = ()
    line: int = 0
    text_format: str = ""  # how a text is read as the value, or what a text is; see text_formats.py
    landed_as: str = ""  # what landed files call it, where that is not its name
    to_confirm: tuple[str, ...] = ()  # what was taken for true of it, and nobody has said yet
    made_from: tuple[tuple[str, str], ...] | None = None  # (product, column); None: nobody said
    anonymisation: Anonymisation | None = None
    subject: str = ""  # it is a key of this kind of subject: `mesh erase` goes by it
    former: tuple[FormerName, ...] = ()  # what it was called, the latest first


class LandingMode(StrEnum):
    """`REPLACE`: each object is a full extract. `PARTITION`: each object is one partition."""

    REPLACE = "replace"
    PARTITION = "partition"


@dataclass(frozen=True)
class Landing:
    """Where a source-aligned product's objects land, and what they look like.

    `prefix` is relative to the landing zone. `object_name` is the object's name below it; in
    PARTITION mode it holds `{partition}` once, in REPLACE mode it may hold `*`.
    """

    prefix: str
    format: FileFormat
    object_name: str
    mode: LandingMode = LandingMode.REPLACE
    encoding: str = "utf-8"
    delimiter: str = ","
    ignores_extra: bool = False  # columns that the contract does not know are left out
    null_text: str = ""  # CSV: an unquoted cell of exactly this text is a null
    line: int = 0


@dataclass(frozen=True)
class PreviousMajor:
    """The product is an earlier major version of `of` in its domain, served until `sunset` is over.

    `derived_by` is the SELECT from the current one that makes it, ``""`` where it is made by itself;
    `reads` are the columns that it reads there, None for all.
    """

    of: str
    sunset: date
    derived_by: str = ""
    reads: tuple[str, ...] | None = None
    line: int = 0


MASK = "***"  # what is shown in place of a value of a classified column
UNPARTITIONED = ""  # the partition key of a product without partitions


@dataclass(frozen=True)
class Partitioning:
    """Daily partitions by one date or timestamp column. `end` is the first day that is out. On the days
    `closed` nothing is due; what lands all the same is published.
    """

    column: str
    start: date
    end: date | None = None
    closed: tuple[date, ...] = ()


class Server(StrEnum):
    """Where a product is published: `servers[].server`, of type iceberg or duckdb/snowflake."""

    LAKE = "lake"
    WAREHOUSE = "warehouse"


@dataclass(frozen=True)
class Contract:
    """One contract: one product with one table. `digest` is the SHA-256 of the file's bytes, `text`."""

    path: Path
    digest: str
    id: str
    domain: str
    name: str
    version: str
    status: str
    description: str
    owner: str
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]
    servers: tuple[Server, ...]
    clauses: tuple[Clause, ...] = ()
    tags: tuple[str, ...] = ()
    landing: Landing | None = None
    stream: Stream | None = None
    partitioning: Partitioning | None = None
    freshness: timedelta | None = None
    retention: timedelta | None = None
    quarantine_retention: timedelta | None = None
    loss_budget_percent: Number = 0
    allow_empty: bool = False
    always_run: bool | None = None  # None: by whether its code looks at more than its inputs
    to_confirm: tuple[str, ...] = ()  # as of a column, but of the product
    previous_major: PreviousMajor | None = None
    roles: tuple[Role, ...] = ()
    serving: Serving | None = None
    text: bytes = field(default=b"", repr=False, compare=False)

    @property
    def key(self) -> str:
        return f"{self.domain}/{self.name}"

    @property
    def primary_key(self) -> tuple[str, ...]:
        keyed = [c for c in self.columns if c.primary_key_position is not None]
        return tuple(c.name for c in sorted(keyed, key=lambda c: c.primary_key_position or 0))

    @property
    def classified_columns(self) -> frozenset[str]:
        """Columns whose values no sample, log or check may show, the unclassified included."""
        return frozenset(
            c.name for c in self.columns if c.classification is None or c.classification.classified
        )

    def role(self, name: str) -> Role | None:
        return next((role for role in self.roles if role.name == name), None)

    def absent_columns(self, day: date) -> frozenset[str]:
        """The columns that a landed file of that day may lack."""
        before = ((c.name, c.absent_before) for c in self.columns)
        return frozenset(name for name, from_ in before if from_ is not None and day < from_)

    @property
    def landed_names(self) -> Mapping[str, str]:
        """What landed files call columns that have another name, with that."""
        return {c.landed_as: c.name for c in self.columns if c.landed_as}

    def column(self, name: str) -> Column:
        """The column of that name. Raises `KeyError` when there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


@dataclass(frozen=True)
class Clause:
    """One statement of the file, and whether the platform enforces it.

    `how` says by what (a check's name, the publish protocol, a policy) or why it is not enforced.
    """

    path: str
    line: int
    enforced: bool
    how: str
