r"""Layouts: the order in which a producer writes the fields, as one regular expression a contract.

Belongs here: the expression of a layout and the texts that it finds in messages.
Does not belong here: texts as values (`typed_texts.py`), learning layouts (`messages.py`).

A program that writes a million messages writes the same fields in the same order. An expression that
matches the whole of a message proves that it is one JSON object of exactly these fields, each once, each
of its column's JSON type and plainly written: no escape, no exponent in an integer. What matches is
read by the expression's groups, as it is written, for a third less than a JSON parser takes; what does
not match is not refused, but read carefully (`carefully.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from shared_resources.contracts.model import Column
from shared_resources.contracts.types import ColumnType, Family

# How programs set the parts of an object apart: closely, as Python's json does, in some other way. The
# last matches what the others do, too, and takes a third longer.
_ANY_BLANK = r"[ \t\r\n]*"
_SPACINGS = ((",", ":"), (", ", ": "), (",", ": "))
_WHOLE = "(?:0|[1-9][0-9]*)"
_TEXT = r'"([^"\\\x00-\x1f]*)"'
_DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
ZONE = "Z|[+-](?:0[0-9]|1[0-3]):[0-5][0-9]"
# A field that is left out: any value that holds no other. Python reads no integer of thousands of digits.
_FEW = "(?:0|[1-9][0-9]{0,17})"
_ANY = rf'(?:null|true|false|-?{_FEW}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|"[^"\\\x00-\x1f]*")'


@dataclass(frozen=True)
class Layout:
    """`fields` are the names in a message, in its order; `names` those of the columns that `pattern`'s
    groups give, after the first, which is there when a message matches. `ignored` are the fields that
    are left out."""

    fields: tuple[str, ...]
    names: tuple[str, ...]
    pattern: str
    ignored: tuple[str, ...] = ()

    def texts(self, messages: pl.Series) -> tuple[pl.Series, pl.DataFrame]:
        """Whether each message matches, and the texts of its fields by column; null for a null."""
        first, *found = messages.str.extract_groups(self.pattern).struct.unnest().get_columns()
        texts = [text.alias(name) for text, name in zip(found, self.names, strict=True)]
        return first.is_not_null(), pl.DataFrame(texts)


def layout_of(
    text: str, fields: Sequence[str], columns: Mapping[str, Column | None]
) -> Layout | None:
    """The layout of a message with these fields, in its order; None where it is not written plainly.
    `columns` has the column of each, None for one that is left out."""
    said, names = [], []
    for name in fields:
        column = columns[name]
        key = re.escape(json.dumps(name, ensure_ascii=False))
        said.append((key, _ANY if column is None else f"(?:null|{_value(column)})"))
        if column is not None:
            names.append(column.name)
    if not names:
        return None
    message = pl.Series([text])
    for pattern in _patterns(said):
        if message.str.contains(pattern).item():
            ignored = tuple(name for name in fields if columns[name] is None)
            return Layout(tuple(fields), tuple(names), pattern, ignored)
    return None


def _patterns(said: Sequence[tuple[str, str]]) -> Iterator[str]:
    for comma, colon in _SPACINGS:
        yield f"^(\\{{){comma.join(f'{key}{colon}{value}' for key, value in said)}\\}}$"
    blank = _ANY_BLANK
    pairs = (f"{key}{blank}:{blank}{value}" for key, value in said)
    yield f"^({blank}\\{{){blank}{f'{blank},{blank}'.join(pairs)}{blank}\\}}{blank}$"


def _value(column: Column) -> str:
    type_ = column.type
    if column.text_format and type_.family is not Family.STRING:
        return _TEXT
    match type_.family:
        case Family.STRING:
            return _TEXT
        case Family.INTEGER:
            return f"(-?{_WHOLE})"
        case Family.FLOAT:
            return rf"(-?{_WHOLE}(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)"
        case Family.DECIMAL:
            return f"({_decimal(type_)})"
        case Family.BOOLEAN:
            return "(true|false)"
        case Family.DATE:
            return f'"({_DAY})"'
        case Family.TIMESTAMP:
            return f'"({_DAY}[ T]{_TIME})"'
        case Family.TIMESTAMP_TZ:
            return f'"({_DAY}[ T]{_TIME}(?:{ZONE}))"'


def _decimal(type_: ColumnType) -> str:
    """A number that the type has, whatever its digits are."""
    room = type_.precision - type_.scale
    whole = f"(?:0|[1-9][0-9]{{0,{room - 1}}})" if room else "0"
    return f"-?{whole}" + (rf"(?:\.[0-9]{{1,{type_.scale}}})?" if type_.scale else "")
