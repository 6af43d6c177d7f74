"""ODCS types: which column type `logicalType`, `physicalType` and the options mean together.

Belongs here: the closed mapping from the standard's type names to the platform's.
Does not belong here: the options that are rules, such as `minimum` (`contracts/compiling/rules.py`).

Where `physicalType` says nothing: integers have 64 bits, numbers are doubles, timestamps carry no
time zone unless `timezone: true`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.types import ColumnType, Family

_TEXT = ColumnType(Family.STRING)
_INTEGERS = {32: ColumnType(Family.INTEGER, width=32), 64: ColumnType(Family.INTEGER)}
_FLOATS = {32: ColumnType(Family.FLOAT, width=32), 64: ColumnType(Family.FLOAT)}
_NAIVE, _ZONED = ColumnType(Family.TIMESTAMP), ColumnType(Family.TIMESTAMP_TZ)

PHYSICAL_TYPES: Mapping[str, Mapping[str, ColumnType]] = {
    "string": dict.fromkeys(("VARCHAR", "STRING", "TEXT", "CHAR"), _TEXT),
    "integer": {
        **dict.fromkeys(("INTEGER", "INT", "INT4", "INT32"), _INTEGERS[32]),
        **dict.fromkeys(("BIGINT", "LONG", "INT8", "INT64"), _INTEGERS[64]),
    },
    "number": {
        **dict.fromkeys(("DOUBLE", "DOUBLE PRECISION", "FLOAT8", "FLOAT64"), _FLOATS[64]),
        **dict.fromkeys(("FLOAT", "REAL", "FLOAT4", "FLOAT32"), _FLOATS[32]),
        **dict.fromkeys(("DECIMAL", "NUMERIC", "NUMBER"), ColumnType(Family.DECIMAL)),
    },
    "boolean": dict.fromkeys(("BOOLEAN", "BOOL"), ColumnType(Family.BOOLEAN)),
    "date": {"DATE": ColumnType(Family.DATE)},
    "timestamp": {
        **dict.fromkeys(
            ("TIMESTAMP", "DATETIME", "TIMESTAMP_NTZ", "TIMESTAMP WITHOUT TIME ZONE"), _NAIVE
        ),
        **dict.fromkeys(("TIMESTAMPTZ", "TIMESTAMP_TZ", "TIMESTAMP WITH TIME ZONE"), _ZONED),
    },
}
LOGICAL_TYPES = {
    "string": _TEXT,
    "integer": _INTEGERS[64],
    "number": _FLOATS[64],
    "boolean": ColumnType(Family.BOOLEAN),
    "date": ColumnType(Family.DATE),
    "timestamp": _NAIVE,
}
_FORMATS = {"i32": _INTEGERS[32], "i64": _INTEGERS[64], "f32": _FLOATS[32], "f64": _FLOATS[64]}
REFUSED_TYPES = {
    "object": "make each of its fields a column of its own",
    "map": "make each of its keys a column, or a product of (key, name, value) rows",
    "array": "make it a product of its own with one row an item",
    "vector": "store it where vectors are searched, and keep its identifier in a column",
    "time": "use a string with a pattern, or a timestamp",
}
_SPELLING = re.compile(r"([A-Za-z][A-Za-z0-9_ ]*?)\s*(?:\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\))?\s*")


@dataclass(frozen=True)
class DeclaredType:
    """`max_length` is the n of VARCHAR(n), which promises what `maxLength: n` promises."""

    type: ColumnType
    max_length: int | None = None


def declared_type(column: Node) -> DeclaredType | None:
    """The type of a property, or None after a finding."""
    logical = column.text("logicalType")
    if logical in REFUSED_TYPES:
        node = column.get("logicalType") or column
        why = (
            "which no column can be yet" if logical == "time" else "but columns hold single values"
        )
        node.problem(f"is {logical!r}, {why}", REFUSED_TYPES[logical])
        return None
    if logical not in LOGICAL_TYPES:
        if column.get("logicalType") is None:
            column.problem("has no logicalType", f"add one of {', '.join(LOGICAL_TYPES)}")
        return None  # another value was reported against the standard
    declared = DeclaredType(LOGICAL_TYPES[logical])
    if _states_physical(column):
        physical = _physical_type(column, logical)
        if physical is None:
            return None
        declared = physical
    return _with_options(column, declared)


def _states_physical(column: Node) -> bool:
    field = column.get("physicalType")
    return field is not None and isinstance(field.value, str)


def _physical_type(column: Node, logical: str) -> DeclaredType | None:
    node = column.get("physicalType")
    assert node is not None
    spelling = _SPELLING.fullmatch(node.value)
    name = " ".join(spelling[1].upper().split()) if spelling else ""
    known = {name: family for family, names in PHYSICAL_TYPES.items() for name in names}
    if spelling is None or name not in known:
        node.problem(f"is {node.value!r}, a type that does not exist", suggest(name, known))
        return None
    if known[name] != logical:
        fitting = ", ".join(PHYSICAL_TYPES[logical])
        message = f"is {node.value!r}, which does not fit logicalType {logical!r}"
        node.problem(message, f"use one of {fitting}, or logicalType: {known[name]}")
        return None
    found = PHYSICAL_TYPES[logical][name]
    first, second = (int(n) if n is not None else None for n in spelling.groups()[1:])
    if found.family is Family.DECIMAL:
        return _decimal(node, first, second)
    if found.family is Family.STRING and second is None:
        if first == 0:
            node.problem("allows only the empty text", "give a length of 1 or more")
            return None
        return DeclaredType(found, max_length=first)
    if first is not None:
        node.problem(f"is {node.value!r}, but {name} takes no numbers", f"write {name}")
        return None
    return DeclaredType(found)


def _decimal(node: Node, precision: int | None, scale: int | None) -> DeclaredType | None:
    if precision is None or scale is None:
        message = f"is {node.value!r}, which says neither how many digits nor how many decimals"
        node.problem(message, "write DECIMAL(precision, scale), e.g. DECIMAL(12,2)")
        return None
    if not 1 <= precision <= 38 or scale > precision:
        node.problem(f"is {node.value!r}", "use a precision of 1 to 38 and a scale of at most that")
        return None
    return DeclaredType(ColumnType(Family.DECIMAL, precision=precision, scale=scale))


def _with_options(column: Node, declared: DeclaredType) -> DeclaredType | None:
    options = column.get("logicalTypeOptions")
    if options is None:
        return declared
    type_ = declared.type
    stated = _states_physical(column)
    format_ = options.get("format")
    if type_.family in (Family.INTEGER, Family.FLOAT, Family.DECIMAL) and format_ is not None:
        wanted = _FORMATS.get(str(format_.value))
        if wanted is None:
            format_.problem(
                f"is {format_.value!r}, a width that is not stored",
                "use i32 or i64 (f32 or f64 for numbers), and minimum and maximum",
            )
            return None
        if stated and wanted != type_:
            format_.problem(f"contradicts physicalType {type_}", "remove one of the two")
            return None
        type_ = wanted
    timezone = options.get("timezone")
    if type_.family in (Family.TIMESTAMP, Family.TIMESTAMP_TZ) and timezone is not None:
        wanted = _ZONED if timezone.value is True else _NAIVE
        if stated and wanted != type_:
            timezone.problem(f"contradicts physicalType {type_}", "remove one of the two")
            return None
        type_ = wanted
    return DeclaredType(type_, declared.max_length)
