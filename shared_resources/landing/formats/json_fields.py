"""JSON objects against the contract's columns, by JSON's own types.

Belongs here: strict JSON, unknown and repeated fields, which JSON type a column wants, values as
text.
Does not belong here: where objects come from (`jsonl.py`, `landing/rejects_again.py`), dates and ranges
(`landing/typed_cells.py`).

Python's own reader is used since it alone keeps numbers as they are written: a reader that makes a
double of each loses digits of decimals and of large integers before anyone can tell. Columns are
looked at whole, which costs a fraction of looking at each cell.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from shared_resources.contracts.model import Column
from shared_resources.contracts.types import Family
from shared_resources.landing.header import letters
from shared_resources.landing.rejects import Reason

# An exponent beyond this is out of every type's range, and writing it out would cost memory.
LARGEST_EXPONENT = 400
UNKNOWN = "the contract has no such column, so its value would be lost"

Fields = dict[str, Any]


class Number(str):
    """A JSON number with a point or an exponent, as it is written."""

    __slots__ = ()


_NUMBERS = frozenset({int, Number})
_ALLOWED = {
    Family.STRING: frozenset({str}),
    Family.INTEGER: _NUMBERS,
    Family.FLOAT: _NUMBERS,
    Family.DECIMAL: _NUMBERS,
    Family.BOOLEAN: frozenset({bool}),
    Family.DATE: frozenset({str}),
    Family.TIMESTAMP: frozenset({str}),
    Family.TIMESTAMP_TZ: frozenset({str}),
}
_NAMES = {int: "number", Number: "number", str: "string", bool: "true or false", dict: "object"}


class _NotJson(ValueError):
    """What Python's reader would let pass: repeated fields, NaN."""


def _fields(pairs: list[tuple[str, Any]]) -> Fields:
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


_DECODER = json.JSONDecoder(object_pairs_hook=_fields, parse_float=Number, parse_constant=_constant)


def read_fields(line: str) -> Fields | Reason:
    """The fields of a JSON object, or why the line is none."""
    try:
        found = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        return Reason(None, None, f"is no JSON: {error.msg} at character {error.pos + 1}")
    except _NotJson as error:
        return Reason(None, None, str(error))
    except RecursionError:
        return Reason(None, None, "is nested too deeply")
    except ValueError:  # Python's limit on the digits of an integer
        return Reason(None, None, "holds a number of thousands of digits")
    return found if isinstance(found, dict) else Reason(None, None, "is no JSON object")


class JsonColumns:
    """The contract's columns as JSON objects have them.

    With `ignores_extra`, fields that are none of them are left out, and kept in `ignored` by name;
    but not one that stands where a column's own, misspelt, should.
    """

    def __init__(self, columns: Sequence[Column], ignores_extra: bool = False) -> None:
        self._columns = tuple(columns)
        self._ignores_extra = ignores_extra
        self.ignored: set[str] = set()
        self._names = frozenset(column.name for column in columns)
        self._landed = {c.landed_as: c.name for c in columns if c.landed_as}
        self._spelt = {letters(name): name for name in self._names}
        self._spelt |= {letters(landed): name for landed, name in self._landed.items()}

    def __len__(self) -> int:
        return len(self._columns)

    def named(self, fields: Fields) -> Fields:
        """The fields by the contract's names, where it has others for them than the object."""
        if self._landed.keys().isdisjoint(fields):
            return fields
        # Two fields for one column: each keeps its name, and the second is none of the contract's.
        taken = fields.keys()
        return {
            own
            if (own := self._landed.get(name, name)) == name or own not in taken
            else name: value
            for name, value in fields.items()
        }

    def faults(self, objects: Sequence[Fields], raw: Sequence[str]) -> dict[int, list[Reason]]:
        """Why objects are no rows of the contract, by position; `raw` are they as written."""
        faults: dict[int, list[Reason]] = defaultdict(list)
        for i, fields in enumerate(objects):
            if not fields.keys() <= self._names:
                unknown = [name for name in fields if name not in self._names]
                if self._ignores_extra:
                    self.ignored.update(map(_storable, unknown))
                    # What is still called so stands beside the column's own name: one too many.
                    unknown = [
                        name
                        for name in unknown
                        if name in self._landed or self._misspelt(name, fields)
                    ]
                if unknown:
                    faults[i] += [
                        Reason(_storable(name), _shown(fields[name]), UNKNOWN) for name in unknown
                    ]
        # Only an escape can bring in what a text may not hold: raw bytes were checked before.
        escaped = [i for i, line in enumerate(raw) if "\\u" in line]
        for column in self._columns:
            name, allowed = column.name, _ALLOWED[column.type.family]
            if not {type(fields.get(name)) for fields in objects} <= allowed | {type(None)}:
                for i, fields in enumerate(objects):
                    value = fields.get(name)
                    if value is not None and type(value) not in allowed:
                        faults[i].append(Reason(name, _shown(value), _mistyped(column, value)))
            for i in escaped:
                value = objects[i].get(name)
                if type(value) is str and (problem := unstorable(value)):
                    faults[i].append(Reason(name, _shown(value), problem))
        return faults

    def _misspelt(self, name: str, fields: Fields) -> bool:
        column = self._spelt.get(letters(name))
        return column is not None and column not in fields

    def texts(self, objects: Sequence[Fields]) -> list[list[str | None]]:
        """The values by column, as text; the objects have no faults."""
        return [
            _texts(column.type.family, [fields.get(column.name) for fields in objects])
            for column in self._columns
        ]


def _texts(family: Family, values: list[Any]) -> list[str | None]:
    match family:
        case Family.BOOLEAN:
            return [None if v is None else "true" if v else "false" for v in values]
        case Family.INTEGER | Family.DECIMAL:
            return [None if v is None else _plain_number(family, v) for v in values]
        case Family.FLOAT:
            return [None if v is None else str(v) for v in values]
    return values


def _plain_number(family: Family, value: int | Number) -> str:
    """A number without exponent, and an integral one without point, if its type is exact."""
    if isinstance(value, int):
        return str(value)
    if family is Family.DECIMAL and "e" not in value and "E" not in value:
        return value
    try:
        number = Decimal(value)
    except InvalidOperation:
        return value
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or abs(exponent) + abs(number.adjusted()) > LARGEST_EXPONENT:
        return value
    if family is Family.DECIMAL:
        return format(number, "f")
    whole = number.to_integral_value()
    return format(abs(whole) if whole == 0 else whole, "f") if number == whole else value


def _mistyped(column: Column, value: Any) -> str:
    wanted = _NAMES[next(iter(_ALLOWED[column.type.family]))]
    return f"a JSON {_NAMES.get(type(value), 'array')} where {column.type} is a JSON {wanted}"


def unstorable(value: str) -> str:
    """Why a text cannot be stored as it is, or ``""``."""
    if "\0" in value:
        return "holds the character NUL, where many programs cut a text off"
    if any("\ud800" <= character <= "\udfff" for character in value):
        return "holds half of a surrogate pair, which is no character"
    return ""


def _shown(value: Any) -> str | None:
    """A value as a reason shows it; half of a surrogate pair cannot be stored and is escaped."""
    if value is None:
        return None
    return _storable(value if isinstance(value, str) else json.dumps(value))


def _storable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\0")
