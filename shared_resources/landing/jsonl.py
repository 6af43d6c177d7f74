"""A JSON lines object: one JSON object a line, its fields the contract's columns.

Belongs here: strict JSON, unknown and repeated fields, JSON's own types against the column's.
Does not belong here: text values such as dates, and ranges (`parsing.py`).

Python's own reader is used since it alone keeps numbers as they are written: a reader that makes a
double of each loses digits of decimals and of large integers before anyone can tell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from shared_resources.contracts.model import Column
from shared_resources.contracts.types import Family
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.rejects import TEXT, Reason, Reject, RejectsWriter
from shared_resources.landing.text import TextFile
from shared_resources.landing.typed_rows import BATCH_CHARACTERS, BATCH_ROWS, TextBatch

# An exponent beyond this is out of every type's range, and writing it out would cost memory.
LARGEST_EXPONENT = 400
UNKNOWN = "the contract has no such column, so its value would be lost"
NUMBERS = frozenset({Family.INTEGER, Family.FLOAT, Family.DECIMAL})
NAMES = {"Number": "number", "str": "string", "bool": "true or false", "dict": "object"}


class Number(str):
    """A JSON number, as it is written."""

    __slots__ = ()


class _NotJson(ValueError):
    """What Python's reader would let pass: repeated fields, NaN."""


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise _NotJson(f"the field {name!r} occurs twice")
            seen.add(name)
    return fields


def _constant(name: str) -> Any:
    raise _NotJson(f"{name} is no JSON value; write null")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_fields, parse_int=Number, parse_float=Number, parse_constant=_constant
)


class JsonRowReader:
    """Reads JSON objects as rows of the contract's columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = tuple(columns)
        self._names = frozenset(column.name for column in columns)

    def fields(self, line: str) -> dict[str, Any] | Reason:
        """The fields of a JSON object, or why the line is none."""
        try:
            found = _DECODER.decode(line)
        except json.JSONDecodeError as error:
            return Reason(None, None, f"is no JSON: {error.msg} at character {error.pos + 1}")
        except _NotJson as error:
            return Reason(None, None, str(error))
        except RecursionError:
            return Reason(None, None, "is nested too deeply")
        if isinstance(found, dict):
            return found
        return Reason(None, None, "is no JSON object")

    def reasons(self, fields: dict[str, Any]) -> tuple[Reason, ...]:
        """Why an object is no row of the contract; puts numbers into their plain form."""
        reasons = [
            Reason(name, _shown(fields[name]), UNKNOWN)
            for name in fields
            if name not in self._names
        ]
        for column in self._columns:
            value = fields.get(column.name)
            if value is None:
                continue
            fault = _fault(column, value)
            if fault:
                reasons.append(Reason(column.name, _shown(value), fault))
            elif column.type.family in NUMBERS:
                fields[column.name] = _plain_number(column.type.family, value)
            elif value is True or value is False:
                fields[column.name] = "true" if value else "false"
        return tuple(reasons)


class JsonLinesObject:
    """A JSON lines object and the contract's columns."""

    def __init__(self, text: TextFile, object_key: str, columns: Sequence[Column]) -> None:
        self._text = text
        self._key = object_key
        self._columns = tuple(columns)

    def batches(self, rejects: RejectsWriter) -> Iterator[TextBatch]:
        """The rows as text; lines that are no row of the contract become rejects.

        Raises `UnreadableObject` when no line holds a JSON object.
        """
        reader = JsonRowReader(self._columns)
        batch = _Batch(self._columns)
        row = objects = 0
        for number, line in self._lines():
            row += 1
            found = reader.fields(line)
            if isinstance(found, Reason):
                self._refuse_document(line, number)
                rejects.add(Reject(row, number, _as_text(line), (found,)))
                continue
            objects += 1
            reasons = reader.reasons(found)
            if reasons:
                rejects.add(Reject(row, number, line, reasons))
                continue
            batch.add(found, row, number, line)
            if batch.full:
                yield batch.finish()
                batch = _Batch(self._columns)
        if row and not objects:
            raise UnreadableObject(
                self._key, "holds no JSON object", "land one JSON object a line", "line 1"
            )
        if batch.rows:
            yield batch.finish()

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, with their numbers."""
        with self._text.path.open("rb") as file:
            file.seek(self._text.start)
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, line.decode("utf-8").strip(" \t\r\n")

    def _refuse_document(self, line: str, number: int) -> None:
        """Refuse one whole document in place of lines, where its first line shows it."""
        if number != 1:
            return
        if line.startswith("["):
            problem, remedy = "is a JSON array", "land its elements, one a line (`jq -c '.[]'`)"
        elif line == "{":
            problem, remedy = "spreads an object over lines", "land one object a line (`jq -c .`)"
        else:
            return
        raise UnreadableObject(self._key, problem, remedy, "line 1")


class _Batch:
    """Rows on their way into a `TextBatch`."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._names = [column.name for column in columns]
        self.rows: list[int] = []
        self._objects: list[dict[str, Any]] = []
        self._lines: list[int] = []
        self._raw: list[str] = []
        self._characters = 0

    def add(self, fields: dict[str, Any], row: int, line: int, raw: str) -> None:
        self._objects.append(fields)
        self.rows.append(row)
        self._lines.append(line)
        self._raw.append(raw)
        self._characters += len(raw)

    @property
    def full(self) -> bool:
        return len(self.rows) >= BATCH_ROWS or self._characters >= BATCH_CHARACTERS

    def finish(self) -> TextBatch:
        return TextBatch(
            columns=[[fields.get(name) for fields in self._objects] for name in self._names],
            rows=self.rows,
            lines=self._lines,
            raw=self._raw,
        )


def _fault(column: Column, value: Any) -> str:
    """Why a JSON value is none for the column, by JSON's own types; ``""`` when it may be one."""
    family = column.type.family
    wanted = Number if family in NUMBERS else bool if family is Family.BOOLEAN else str
    if type(value) is not wanted:
        found = NAMES.get(type(value).__name__, "array")
        return f"a JSON {found} where {column.type} is a JSON {NAMES[wanted.__name__]}"
    if wanted is str:
        if "\0" in value:
            return "holds the character NUL, where many programs cut a text off"
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            return "holds half of a surrogate pair, which is no character"
    return ""


def _plain_number(family: Family, text: str) -> str:
    """A JSON number without exponent, and an integral one without point, if its type is exact."""
    if family is Family.FLOAT or (text.isdigit() and text != "0"):
        return text
    try:
        number = Decimal(text)
    except InvalidOperation:
        return text
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) + abs(number.adjusted()) > LARGEST_EXPONENT:
        return text
    if family is Family.DECIMAL:
        return format(number, "f") if "e" in text.lower() else text
    if number == 0:
        return "0"
    return format(number.to_integral_value(), "f") if number == number.to_integral_value() else text


def _shown(value: Any) -> str | None:
    """A value as a reason shows it; half of a surrogate pair cannot be stored and is escaped."""
    if value is None:
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")


def _as_text(line: str) -> str:
    return json.dumps({TEXT: line}, ensure_ascii=False)
