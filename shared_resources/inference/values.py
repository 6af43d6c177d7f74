"""What the values of a column have in common: present, within bounds, one of few, of one shape.

Belongs here: what is proposed as a rule of one column, and the evidence for it.
Does not belong here: types (`types.py`), keys (`keys.py`), personal data (`personal_data.py`).

Proposed is what will hold for other data of the same kind as well: a count is never below zero, a code
has its shape. What was merely the largest so far is no bound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import duckdb

from shared_resources.contracts.patterns import re2
from shared_resources.contracts.text_formats import STRING_FORMATS
from shared_resources.contracts.types import Family
from shared_resources.inference.first_look import Field
from shared_resources.sql import quote_identifier, quote_literal

NUMBERS = frozenset({Family.INTEGER, Family.FLOAT, Family.DECIMAL})
# So few different texts, each so often on average, are all that there are.
MOST_OF_A_SET = 12
_ROWS_OF_EACH = 20
_LEAST_OF_A_SHAPE = 20
_LONGEST_SHAPE = 64
_FORMATS = ("email", "uuid", "ipv4", "uri")
_PLACES = {"latitude": 90, "lat": 90, "longitude": 180, "lon": 180, "lng": 180}
# What was above zero so far by chance.
_SIGNED = re.compile(
    r"(^|_)(temp|temperature|dew_point|change|delta|diff|difference|offset|elevation|altitude|balance|"
    r"profit|margin|growth|anomaly|deviation|longitude|latitude|coefficient|moment)($|_)"
)
_SHARE = re.compile(r"(^|_)(percent|percentage|pct)($|_)")
_CODE = re.compile("A{2,4}")
_TOKEN = re.compile(r"9+|A+|a+|.", re.DOTALL)
_CLASSES = {"9": "[0-9]", "A": "[A-Z]", "a": "[a-z]"}


@dataclass(frozen=True)
class Values:
    """A column's values. `least` and `greatest` are None for text and where there are none."""

    field: Field
    rows: int
    present: int
    distinct: int
    least: Any = None
    greatest: Any = None

    @property
    def required(self) -> bool:
        return 0 < self.rows == self.present

    @property
    def unique(self) -> bool:
        return self.required and self.distinct == self.rows


@dataclass(frozen=True)
class Common:
    """`options` are `logicalTypeOptions`; `shown` are sentences that quote values."""

    options: Mapping[str, Any]
    enumeration: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()


def values_of(connection: duckdb.DuckDBPyConnection, source: str, field: Field) -> Values:
    """`source` is a relation that has the column."""
    name = quote_identifier(field.name)
    if field.type.family is Family.FLOAT:
        name = f"CASE WHEN isfinite({name}) OR isinf({name}) THEN {name} END"  # NaN is none
    ordered = field.type.family not in (Family.STRING, Family.BOOLEAN)
    bounds = f"min({name}), max({name})" if ordered else "NULL, NULL"
    query = f"SELECT count(*), count({name}), count(DISTINCT {name}), {bounds} FROM {source}"
    return Values(field, *connection.execute(query).fetchall()[0])


def common(connection: duckdb.DuckDBPyConnection, source: str, values: Values) -> Common:
    """What is proposed of the column."""
    if not values.present:
        return Common({})
    if values.field.type.family is Family.STRING:
        return _of_texts(connection, source, values)
    if values.field.type.family in NUMBERS:
        return _of_numbers(values)
    if values.least is None:
        return Common({})
    return Common({}, shown=(f"from {values.least} to {values.greatest}",))


def _of_numbers(values: Values) -> Common:
    name, least, greatest = values.field.name, values.least, values.greatest
    shown = (f"from {least} to {greatest}",)
    last = name.rpartition("_")[2]
    if last in _PLACES and -_PLACES[last] <= least and greatest <= _PLACES[last]:
        return Common({"minimum": -_PLACES[last], "maximum": _PLACES[last]}, shown=shown)
    if least < 0:
        return Common({}, shown=shown)
    if _SIGNED.search(name):
        return Common({}, shown=shown)
    options: dict[str, Any] = {"minimum": 0}
    if _SHARE.search(name) and greatest <= 100:
        options["maximum"] = 100
    return Common(options, shown=shown)


def _of_texts(connection: duckdb.DuckDBPyConnection, source: str, values: Values) -> Common:
    name = quote_identifier(values.field.name)
    there = f"FROM {source} WHERE {name} IS NOT NULL"
    for format_ in _FORMATS:
        pattern = quote_literal(re2(STRING_FORMATS[format_] or ""))
        query = f"SELECT bool_and(regexp_matches({name}, {pattern})) {there}"
        if connection.execute(query).fetchall()[0][0]:
            return Common({"format": format_}, evidence=(f"every text is of the format {format_}",))
    if 2 <= values.distinct <= MOST_OF_A_SET and values.present >= values.distinct * _ROWS_OF_EACH:
        found = connection.execute(f"SELECT DISTINCT {name} {there} ORDER BY 1").fetchall()
        if all(text.strip() for (text,) in found):
            said = f"{values.distinct} different texts in {values.present:,} rows"
            return Common({}, tuple(text for (text,) in found), (said,))
    shape = _shape(connection, name, there)
    if values.distinct >= _LEAST_OF_A_SHAPE and shape:
        return Common({"pattern": shape}, evidence=("every text has this shape",))
    return Common({}, evidence=(f"{values.distinct:,} different texts",))


def _shape(connection: duckdb.DuckDBPyConnection, name: str, there: str) -> str:
    """The pattern of which all texts are: of a fixed length, with a digit, or a short code."""
    shape = (
        f"regexp_replace(regexp_replace(regexp_replace({name}, '[0-9]', '9', 'g'), "
        "'[A-Z]', 'A', 'g'), '[a-z]', 'a', 'g')"
    )
    found = connection.execute(f"SELECT DISTINCT {shape} {there} LIMIT 2").fetchall()
    text = found[0][0] if len(found) == 1 else ""
    if not ("9" in text or _CODE.fullmatch(text)) or len(text) > _LONGEST_SHAPE:
        return ""
    if not text.isascii():
        return ""
    return "^" + "".join(map(_of_token, _TOKEN.findall(text))) + "$"


def _of_token(token: str) -> str:
    if token[0] not in _CLASSES:
        return f"\\{token}" if token in r"\.^$*+?{}[]()|/" else token
    return _CLASSES[token[0]] + (f"{{{len(token)}}}" if len(token) > 1 else "")
