"""Text cells to typed values, strictly: a cell that is not exactly a value of its type is no value.

Belongs here: which texts are values of which type (as DuckDB expressions), and in words why a text
is none.
Does not belong here: how cells are found in an object (`csv.py`, `jsonl.py`).

Nothing is coerced: no rounding (3.7), no dropped zeros (007), no guessed zone or date order, no
truncation. What a text means must be readable from the value again, up to the way of writing it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared_resources.contracts.model import Column
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_literal

_PLAIN_NUMBER = r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)"
_FLOAT = _PLAIN_NUMBER + r"(?:[eE][+-]?[0-9]+)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
_TIMESTAMP = f"{_DAY}[ T]{_TIME}"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
_FIRST, _LAST = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"


def parse_query(columns: Sequence[Column], source: str) -> str:
    """SQL that parses the text columns of `source` (a relation's SQL), row for row, in order.

    `source` has them as `c0`, `c1` and so on, since a contract's names may be anything. Gives the
    values as `v0`, `v1`, then `bad` (the positions of the cells that are no value; null for a good
    row) and `raw` (a bad row's cells as a JSON object by column name; null for a good row).
    """
    places = range(len(columns))
    values = ", ".join(
        f"{_value(column.type, f'c{i}')} AS v{i}" for i, column in enumerate(columns)
    )
    failed = [f"(c{i} IS NOT NULL AND v{i} IS NULL)" for i in places]
    positions = ", ".join(f"CASE WHEN {test} THEN {i} END" for i, test in enumerate(failed))
    cells = ", ".join(f"{quote_literal(column.name)}, c{i}" for i, column in enumerate(columns))
    results = ", ".join(f"v{i}" for i in places)
    return f"""
        SELECT {results},
               CASE WHEN failed THEN list_filter([{positions}], lambda x: x IS NOT NULL) END AS bad,
               CASE WHEN failed THEN CAST(json_object({cells}) AS VARCHAR) END AS raw
        FROM (SELECT *, {" OR ".join(failed)} AS failed FROM (SELECT *, {values} FROM {source}))
    """  # noqa: S608 -- the names are quoted


def _value(type_: ColumnType, text: str) -> str:
    """The SQL expression that is the value of the cell `text`, or NULL where it is none."""
    cast = f"TRY_CAST({text} AS {type_.duckdb})"
    match type_.family:
        case Family.STRING:
            return text
        case Family.INTEGER:
            # Written back it must be the same text: refuses 3.7, 007, +7, 1e3, 0x10 and blanks.
            return f"CASE WHEN CAST({cast} AS VARCHAR) = {text} THEN {cast} END"
        case Family.DATE:
            same = f"CAST({cast} AS VARCHAR) = {text} AND length({text}) = 10"
            return f"CASE WHEN {same} THEN {cast} END"
        case Family.BOOLEAN:
            return f"CASE lower({text}) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
        case Family.FLOAT:
            zero = f"regexp_full_match({text}, '-?[0.]+(?:[eE].*)?')"
            fits = f"isfinite({cast}) AND ({cast} <> 0 OR {zero})"
            return f"CASE WHEN {_matches(text, _FLOAT)} AND {fits} THEN {cast} END"
        case Family.DECIMAL:
            places = f"length(rtrim(split_part({text}, '.', 2), '0'))"
            fits = f"{places} <= {type_.scale}"
            return f"CASE WHEN {_matches(text, _PLAIN_NUMBER)} AND {fits} THEN {cast} END"
        case Family.TIMESTAMP:
            return _instant(text, _TIMESTAMP, cast, "TIMESTAMP", "")
        case Family.TIMESTAMP_TZ:
            return _instant(text, _TIMESTAMP + _ZONE, cast, "TIMESTAMPTZ", "+00")


def _matches(text: str, pattern: str) -> str:
    return f"regexp_full_match({text}, {quote_literal(pattern)})"


def _instant(text: str, pattern: str, cast: str, kind: str, zone: str) -> str:
    within = f"{cast} BETWEEN {kind} '{_FIRST}{zone}' AND {kind} '{_LAST}{zone}'"
    return f"CASE WHEN {_matches(text, pattern)} AND {within} THEN {cast} END"


def problem(type_: ColumnType, text: str) -> str:
    """Why `text`, which `parse_query` found to be no value of the type, is none."""
    if text == "":
        return f"an empty text is no {type_}; leave the cell out of quotes if it is a null"
    if text != text.strip():
        return f"blanks around the value; a {type_} is written without them"
    match type_.family:
        case Family.INTEGER:
            return _integer_problem(type_, text)
        case Family.FLOAT:
            return _float_problem(type_, text)
        case Family.DECIMAL:
            return _decimal_problem(type_, text)
        case Family.BOOLEAN:
            return "neither true nor false"
        case Family.DATE:
            known = "no day of the calendar" if re.fullmatch(_DAY, text) else "not a date"
            return f"{known}; a DATE is written 2017-03-31"
        case Family.TIMESTAMP if re.fullmatch(_TIMESTAMP + _ZONE, text):
            return (
                "has a time zone and the column has none; declare it with physicalType: TIMESTAMPTZ"
            )
        case Family.TIMESTAMP_TZ if re.fullmatch(_TIMESTAMP, text):
            return "has no time zone and the column needs one; write it as 2017-03-31T13:00:00Z"
    return _timestamp_problem(type_, text)


def _integer_problem(type_: ColumnType, text: str) -> str:
    if re.fullmatch(r"-?[1-9][0-9]*", text):
        return f"out of the range of {type_}"
    if re.fullmatch(r"-?0[0-9]+", text):
        return "leading zeros, which a number would lose; declare the column as a string"
    if re.fullmatch(r"-?[0-9]*\.[0-9]*", text):
        return "has a decimal point and is no integer as it is written"
    return "not an integer; digits alone, with '-' before a negative one"


def _float_problem(type_: ColumnType, text: str) -> str:
    if re.fullmatch(_FLOAT, text):
        return f"out of the range of {type_}"
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity", "1.#inf", "1.#qnan"):
        return "not a number; leave the cell empty if it is a null"
    return "not a number; digits with '.' as the decimal point"


def _decimal_problem(type_: ColumnType, text: str) -> str:
    if re.fullmatch(_PLAIN_NUMBER, text):
        if len(text.partition(".")[2].rstrip("0")) > type_.scale:
            return f"more decimal places than the {type_.scale} of {type_}"
        return f"out of the range of {type_}"
    return "not a decimal number; digits with '.' as the decimal point, no exponent"


def _timestamp_problem(type_: ColumnType, text: str) -> str:
    if re.fullmatch(_DAY, text):
        return "a day without a time of day"
    if re.fullmatch(rf"{_DAY}[ T].*\.[0-9]{{7,}}.*", text):
        return "finer than microseconds, which would be lost"
    if re.fullmatch(rf"{_TIMESTAMP}{_ZONE}?", text):
        return "no day of the calendar, or out of the years 1 to 9999 in UTC"
    example = "2017-03-31T13:00:00"
    if type_.family is Family.TIMESTAMP_TZ:
        example += "Z or 2017-03-31T13:00:00+02:00"
    return f"not a point in time; a {type_} is written {example}"
