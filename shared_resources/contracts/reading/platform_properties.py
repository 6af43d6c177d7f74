"""The mesh's custom properties of a contract: landing, stream, partitions, what may be lost or empty, how
long what was rejected is kept, and of what the product is an earlier major version.

Belongs here: reading and checking their values.
Does not belong here: objects in the landing zone (`landing/`) or what a budget does (the audit).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from shared_resources.contracts.file_formats import (
    TEXT_OPTIONS,
    FileFormat,
    all_formats,
    format_named,
)
from shared_resources.contracts.model import Landing, LandingMode, Partitioning, PreviousMajor
from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.numbers import Number, is_number
from shared_resources.contracts.promise import major
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.reading.constants import NotOfType, constant
from shared_resources.contracts.reading.governed.stream import read_stream
from shared_resources.contracts.reading.object_names import check_key, check_object_name
from shared_resources.contracts.reading.vendor import texts, vendor_properties
from shared_resources.contracts.streams.model import Stream
from shared_resources.contracts.types import MOMENTS, ColumnType, Family

PROPERTIES = (
    "landing",
    "stream",
    "partitions",
    "lossBudgetPercent",
    "allowEmpty",
    "quarantineDays",
    "alwaysRun",
    "toConfirm",
    "previousMajor",
)
MOST_DAYS = 36_500
LANDING_FIELDS = (
    "prefix",
    "format",
    "object",
    "mode",
    "encoding",
    "delimiter",
    "nullText",
    "extraColumns",
)
PARTITION_FIELDS = ("cadence", "column", "start", "end", "closed")
PREVIOUS_FIELDS = ("of", "sunset", "derivedBy")
_ONE_SELECT = "write one SELECT from the current product, by its name, and from nothing else"
_LISTS = ("closed",)


@dataclass(frozen=True)
class PlatformProperties:
    """`nodes` are the values by name, for the lines of rules and clauses that follow from them."""

    nodes: dict[str, Node]
    landing: Landing | None = None
    stream: Stream | None = None
    partitioning: Partitioning | None = None
    loss_budget_percent: Number = 0
    allow_empty: bool = False
    quarantine_retention: timedelta | None = None
    always_run: bool | None = None
    to_confirm: tuple[str, ...] = ()
    previous_major: PreviousMajor | None = None


def read_platform_properties(root: Node, columns: dict[str, DeclaredColumn]) -> PlatformProperties:
    nodes = vendor_properties(root, PROPERTIES)
    partitions, landing = nodes.get("partitions"), nodes.get("landing")
    partitioned = partitions is not None
    return PlatformProperties(
        nodes,
        landing=_landing(landing, partitioned) if landing else None,
        stream=_stream(nodes, columns),
        partitioning=_partitioning(partitions, columns) if partitions else None,
        loss_budget_percent=_budget(nodes.get("lossBudgetPercent")),
        allow_empty=_flag(nodes.get("allowEmpty")) is True,
        quarantine_retention=_days_kept(nodes.get("quarantineDays")),
        always_run=_flag(nodes.get("alwaysRun")),
        to_confirm=texts(nodes.get("toConfirm")),
        previous_major=_previous_major(root, nodes.get("previousMajor")),
    )


def _stream(nodes: dict[str, Node], columns: dict[str, DeclaredColumn]) -> Stream | None:
    node = nodes.get("stream")
    if node is None:
        return None
    return read_stream(node, {name: one.column for name, one in columns.items()}, nodes)


def _budget(node: Node | None) -> Number:
    if node is None:
        return 0
    if not is_number(node.value) or not 0 <= node.value <= 100:
        node.problem("is no percentage", "give a number from 0 to 100")
        return 0
    budget: Number = node.value
    return budget


def _flag(node: Node | None) -> bool | None:
    if node is None:
        return None
    if not isinstance(node.value, bool):
        node.problem("is neither true nor false", "write true or false")
    return node.value is True


def _days_kept(node: Node | None) -> timedelta | None:
    if node is None:
        return None
    if not is_number(node.value) or not 1 <= node.value <= MOST_DAYS or node.value % 1:
        node.problem("is no number of days", f"give a whole number from 1 to {MOST_DAYS:,}")
        return None
    return timedelta(days=int(node.value))


def _mapping(node: Node, known: Collection[str], required: Collection[str]) -> bool:
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", f"give it {', '.join(required)}")
        return False
    node.unknown_fields(known)
    complete = True
    for name, field in node.fields():
        if name in known and name not in _LISTS and not isinstance(field.value, str):
            field.problem("must be text", "put it in quotes")
            complete = False
    for name in required:
        if node.get(name) is None:
            node.problem(f"lacks the field {name!r}", f"add `{name}:`")
            complete = False
    return complete


# Landing ---------------------------------------------------------------------------------------


def _landing(node: Node, partitioned: bool) -> Landing | None:
    if not _mapping(node, LANDING_FIELDS, ("prefix", "format", "object")):
        return None
    before = len(node.findings)
    written = node.text("format")
    chosen = format_named(written) if written else None
    format_ = chosen.name if chosen else _choice(node, "format", all_formats(), None)
    mode = _choice(node, "mode", tuple(LandingMode), LandingMode.REPLACE)
    extra = _choice(node, "extraColumns", ("refuse", "ignore"), "refuse")
    check_key(node, "prefix")
    check_key(node, "object")
    check_object_name(node, mode, format_)
    _check_text_options(node, chosen)
    if mode == LandingMode.PARTITION and not partitioned:
        node.problem("lands by partition, but the product has none", "add `partitions`")
    if mode == LandingMode.REPLACE and partitioned:
        (node.get("mode") or node).problem(
            "replaces the whole product, but it has partitions", "write `mode: partition`"
        )
    if len(node.findings) > before or chosen is None:
        return None
    return Landing(
        prefix=node.text("prefix").rstrip("/"),
        format=chosen,
        object_name=node.text("object"),
        mode=LandingMode(mode),
        encoding=node.text("encoding", "utf-8"),
        delimiter=node.text("delimiter", ","),
        null_text=node.text("nullText"),
        ignores_extra=extra == "ignore",
        line=node.line,
    )


def _choice(node: Node, name: str, allowed: Collection[str], default: str | None) -> str:
    field = node.get(name)
    if field is None:
        return default or ""
    if field.value not in allowed:
        field.problem(f"is {field.value!r}, which does not exist", suggest(field.value, allowed))
    return str(field.value)


def _check_text_options(node: Node, chosen: FileFormat | None) -> None:
    for name in TEXT_OPTIONS:
        field = node.get(name)
        if field and chosen and name not in chosen.options:
            field.problem(f"means nothing for format {chosen.name}", "remove it")
    if field := node.get("encoding"):
        try:
            "".encode(field.value)  # refuses codecs that are no encodings too, such as base64
        except (LookupError, ValueError):
            field.problem(f"is {field.value!r}, an encoding that does not exist", "write 'utf-8'")
    if (field := node.get("delimiter")) and (len(field.value) != 1 or field.value in '"\r\n\0'):
        field.problem("is no delimiter", "give one character, such as ',' or ';'")


# Partitions ------------------------------------------------------------------------------------


def _partitioning(node: Node, columns: dict[str, DeclaredColumn]) -> Partitioning | None:
    if not _mapping(node, PARTITION_FIELDS, ("cadence", "column", "start")):
        return None
    before = len(node.findings)
    _choice(node, "cadence", ("daily",), None)
    column, field = node.text("column"), node.get("column")
    if column not in columns:
        if field and columns:
            message = f"is {column!r}, a column that does not exist"
            field.problem(message, suggest(column, columns))
    elif columns[column].readable and columns[column].column.type.family not in MOMENTS and field:
        field.problem(f"is {column!r}, which holds no days", "use a date or timestamp column")
    start, end = _day(node.get("start")), _day(node.get("end"))
    if start and end and start >= end:
        (node.get("end") or node).problem(
            "does not lie after start", "end is the first day that is out"
        )
    closed = [_day(day) for day in node.each("closed")]
    if (days := node.get("closed")) and not isinstance(days.value, list):
        days.problem("is no list of days", 'write closed: ["2017-12-25"]')
    if len(node.findings) > before or start is None:
        return None
    return Partitioning(column, start, end, tuple(day for day in closed if day))


def _day(node: Node | None) -> date | None:
    if node is None:
        return None
    try:
        day: date = constant(node.value, ColumnType(Family.DATE))
    except NotOfType as error:
        node.problem(error.message, error.remedy)
        return None
    return day


# Two major versions ----------------------------------------------------------------------------


def _previous_major(root: Node, node: Node | None) -> PreviousMajor | None:
    """A finding for each thing that is wrong with it; None then, and where there is none."""
    if node is None:
        return None
    before = len(node.findings)
    if not isinstance(node.value, dict):
        node.problem("must be a mapping of fields", "give it of and sunset")
        return None
    node.unknown_fields(PREVIOUS_FIELDS)
    for name in ("of", "sunset"):
        if node.get(name) is None:
            node.problem(f"lacks the field {name!r}", f"add `{name}:`")
    of, sunset = node.text("of"), node.get("sunset")
    named = f"{of}_v{major(root.text('version'))}"
    if of and root.text("name") != named:
        node.problem(
            f"is of version {root.text('version')} of {of!r}, but the product is called "
            f"{root.text('name')!r}",
            f"call it {named!r}, by which `{of}@{major(root.text('version'))}` finds it",
        )
    day = None
    if sunset is not None:
        try:
            day = constant(sunset.value, ColumnType(Family.DATE))
        except NotOfType as error:
            sunset.problem(error.message, error.remedy)
    sql, reads = node.text("derivedBy").strip(), None
    if (field := node.get("derivedBy")) is not None and of:
        if not isinstance(field.value, str):
            field.problem("must be text", _ONE_SELECT)
        else:
            reads = _columns_read(field, sql, of)
    if len(node.findings) > before or day is None:
        return None
    return PreviousMajor(of, day, sql, reads, node.line)


def _columns_read(field: Node, sql: str, of: str) -> tuple[str, ...] | None:
    """The columns that the SELECT reads of `of`; None for all of them."""
    from sqlglot import exp, parse
    from sqlglot.errors import SqlglotError

    try:
        statements: list[Any] = [one for one in parse(sql, dialect="duckdb") if one is not None]
    except SqlglotError as problem:
        field.problem(f"is no SQL: {str(problem).splitlines()[0]}", _ONE_SELECT)
        return None
    if len(statements) != 1 or not isinstance(statements[0], exp.Select):
        field.problem("is not one SELECT", _ONE_SELECT)
        return None
    [select] = statements
    named = {cte.alias for cte in select.find_all(exp.CTE)}
    read = [table for table in select.find_all(exp.Table) if table.sql() not in named]
    if {table.name for table in read} != {of} or any(table.db for table in read):
        field.problem(f"reads something else than {of!r}, or not that", _ONE_SELECT)
        return None
    if any(not isinstance(star.parent, exp.Count) for star in select.find_all(exp.Star)):
        return None
    return tuple(dict.fromkeys(column.name for column in select.find_all(exp.Column)))
