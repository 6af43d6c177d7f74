"""A writer's Avro schema against the contract: which field becomes which column, or why none can.

Belongs here: reading a schema of one record, its fields' types, what each column takes without loss.
Does not belong here: bytes (`cursors.py`), asking the registry (`../registry.py`).

A field whose type holds values that the column's does not makes all messages of that schema rejects, as
does a missing field of a required column: whether a single message would fit by luck is not asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.landing.formats.json_fields import UNKNOWN, JsonColumns
from shared_resources.landing.rejects import Reason

_PRIMITIVE = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string", "fixed", "enum"}
)
_DIGITS = {"int": 10, "long": 19}


@dataclass(frozen=True)
class AvroField:
    """A field of a record. `kind` is Avro's name of its type, ``""`` for one that only fastavro reads;
    `null` the place of null in its union, where it is one, and `value` that of the other."""

    name: str
    kind: str
    logical: str = ""
    null: int | None = None
    value: int = 0
    size: int = 0
    precision: int = 0
    scale: int = 0
    symbols: tuple[str, ...] = ()
    column: Column | None = None

    @property
    def in_union(self) -> bool:
        return self.null is not None


@dataclass(frozen=True)
class Writer:
    """How messages of one schema are read. With `problems` they are not. `parsed` is the schema for
    fastavro, where `fields` are more than is read by columns."""

    fields: tuple[AvroField, ...]
    problems: tuple[Reason, ...]
    parsed: Any = None
    ignored: frozenset[str] = frozenset()


def writer_of(schema: str, contract: Contract, ignores_extra: bool) -> Writer:
    """The plan for a schema's text."""
    try:
        tree = json.loads(schema)
    except ValueError:
        return _none("its schema is no JSON")
    if not isinstance(tree, Mapping) or tree.get("type") != "record":
        return _none("its schema is no record")
    try:
        listed = [_field(one) for one in tree["fields"]]
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return _none("its schema cannot be read")
    columns = JsonColumns(contract.columns, ignores_extra)
    own = columns.named(dict.fromkeys(field.name for field in listed))
    declared = {column.name: column for column in contract.columns}
    fields, problems, ignored = [], list[Reason](), set[str]()
    for field, name in zip(listed, own, strict=True):
        column = declared.get(name)
        if column is None:
            ignored.add(field.name)
            if not ignores_extra:
                problems.append(Reason(field.name, None, UNKNOWN))
        elif (why := _refused(field, column.type)) is not None:
            problems.append(Reason(column.name, None, why))
        fields.append(AvroField(**{**vars(field), "column": column}))
    problems += (
        Reason(column.name, None, "the writer's schema has no such field, and it is required")
        for column in contract.columns
        if column.required and column.name not in own
    )
    parsed = _parsed(tree) if any(not field.kind for field in fields) else None
    return Writer(tuple(fields), tuple(problems), parsed, frozenset(ignored))


def _none(problem: str) -> Writer:
    return Writer((), (Reason(None, None, problem),))


def _parsed(tree: Any) -> Any:
    import fastavro  # of the extra `streams`

    return fastavro.parse_schema(dict(tree))


def _field(said: Mapping[str, Any]) -> AvroField:
    name, type_ = said["name"], said["type"]
    null, value = None, 0
    if isinstance(type_, list):
        others = [place for place, branch in enumerate(type_) if branch != "null"]
        if len(type_) != 2 or len(others) != 1:
            return AvroField(name, "", logical="a union of several types")
        value = others[0]
        null, type_ = 1 - value, type_[value]
    if isinstance(type_, str):
        type_ = {"type": type_}
    kind = type_["type"]
    if not isinstance(kind, str) or kind not in _PRIMITIVE:
        return AvroField(name, "", logical=kind if isinstance(kind, str) else "a nested type")
    logical = type_.get("logicalType", "")
    return AvroField(
        name, kind, logical if isinstance(logical, str) else "", null, value,
        size=int(type_.get("size", 0)), precision=int(type_.get("precision", 0)),
        scale=int(type_.get("scale", 0)), symbols=tuple(type_.get("symbols", ())),
    )  # fmt: skip


def _refused(field: AvroField, type_: ColumnType) -> str | None:
    """Why the column's type does not hold all values of the field's; None when it does."""
    written = f"{field.kind} {field.logical}".strip() if field.kind else field.logical
    if _holds(field, type_):
        return None
    if field.logical == "decimal":
        written = f"decimal({field.precision},{field.scale})"
    return f"the writer's {written} holds values that {type_} does not"


def _holds(field: AvroField, type_: ColumnType) -> bool:
    kind, logical, room = field.kind, field.logical, type_.precision - type_.scale
    match type_.family:
        case Family.STRING:
            return kind in ("string", "enum")
        case Family.INTEGER:
            return not logical and (kind == "int" or (kind == "long" and type_.width == 64))
        case Family.FLOAT:
            wide = kind in ("double", "int") and type_.width == 64
            return not logical and (kind == "float" or wide)
        case Family.DECIMAL:
            if logical == "decimal" and kind in ("bytes", "fixed"):
                return field.scale <= type_.scale and field.precision - field.scale <= room
            return not logical and kind in _DIGITS and room >= _DIGITS[kind]
        case Family.BOOLEAN:
            return kind == "boolean"
        case Family.DATE:
            return kind == "int" and logical == "date"
        case Family.TIMESTAMP:
            return logical in ("local-timestamp-millis", "local-timestamp-micros")
        case Family.TIMESTAMP_TZ:
            return logical in ("timestamp-millis", "timestamp-micros")
