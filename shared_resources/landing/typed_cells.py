"""Text cells to typed values, strictly: a cell that is not exactly a value of its type is no value.

Belongs here: which texts are values of which type (as DuckDB expressions), and in words why a text
is none.
Does not belong here: how cells are found in an object (`landing/formats/csv.py`,
`landing/formats/jsonl.py`).

Nothing is coerced: no rounding (3.7), no dropped zeros (007), no guessed zone or date order, no
truncation. What a text means must be readable from the value again, up to the way of writing it.
Only a fraction in a float column is rounded to the nearest float, since hardly any is one: 0.1 is
fine in DOUBLE and in FLOAT, 9007199254740993 and 4503599627370497.5 are no DOUBLE. (In Parquet, 0.1
as a DOUBLE is another number, of 55 digits, and no FLOAT.)
"""

from __future__ import annotations

import math
import re
import struct

from shared_resources.contracts.text_formats import moment_format
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.sql import quote_literal
from shared_resources.wording import a

_PLAIN_NUMBER = r"-?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|\.[0-9]+)"
_FLOAT = _PLAIN_NUMBER + r"(?:[eE][+-]?[0-9]+)?"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6}0*)?)?"
_TIMESTAMP = f"{_DAY}[ T]{_TIME}"
_ZONE = r"(?:Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?)"
# What others write where there is no value.
_NULLS = frozenset({"", "NA", "N/A", "N.A", "NULL", "NONE", "NIL", "N", "MISSING", "UNKNOWN"})
# A double has at most 767 significant digits when it is written out.
_MOST_DIGITS = 800
_FIRST, _LAST = "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999"


def value_query(type_: ColumnType, source: str, format_: str = "") -> str:
    """SQL that gives `value` for each text `cell` of `source`, in its order; null where it is none.

    `format_` is how the contract says that a date or timestamp is written; by default as ISO 8601.
    One query serves all columns of a type, however many: what DuckDB plans does not grow with them.
    """
    if format_ and type_.family is not Family.STRING:
        source = f"(SELECT {_as_iso(type_, format_)} AS cell FROM {source})"  # noqa: S608
    cast = f"SELECT cell, TRY_CAST(cell AS {type_.duckdb}) AS found FROM {source}"  # noqa: S608
    return f"SELECT {_value(type_)} AS value FROM ({cast})"  # noqa: S608 -- no name of a contract


def _value(type_: ColumnType) -> str:
    """The value of the text `cell`, of which `found` is DuckDB's cast, or NULL where it is none."""
    match type_.family:
        case Family.STRING:
            return "cell"
        case Family.INTEGER:
            # Written back it must be the same text: refuses 3.7, 007, +7, 1e3, 0x10 and blanks.
            return "CASE WHEN CAST(found AS VARCHAR) = cell THEN found END"
        case Family.DATE:
            return "CASE WHEN CAST(found AS VARCHAR) = cell AND length(cell) = 10 THEN found END"
        case Family.BOOLEAN:
            return "CASE lower(cell) WHEN 'true' THEN TRUE WHEN 'false' THEN FALSE END"
        case Family.FLOAT:
            return _float_value(type_)
        case Family.DECIMAL:
            places = "length(rtrim(split_part(cell, '.', 2), '0'))"
            fits = f"{places} <= {type_.scale}"
            return f"CASE WHEN {_matches(_PLAIN_NUMBER)} AND {fits} THEN found END"
        case Family.TIMESTAMP:
            return _instant(_TIMESTAMP, "TIMESTAMP", "")
        case Family.TIMESTAMP_TZ:
            return _instant(_TIMESTAMP + _ZONE, "TIMESTAMPTZ", "+00")


def _as_iso(type_: ColumnType, format_: str) -> str:
    """The text `cell`, written by the contract's format, as ISO 8601; NULL when it is not."""
    wanted = moment_format(format_, type_.family)
    regex = quote_literal(wanted.regex)
    part = {
        name: f"regexp_extract(cell, {regex}, {place})"
        for place, name in enumerate(wanted.parts, start=1)
    }
    two = {name: f"lpad({text}, 2, '0')" for name, text in part.items()}
    iso = [part["year"], "'-'", two["month"], "'-'", two["day"]]
    if type_.family is not Family.DATE:
        iso += ["' '", two["hour"], "':'", part["minute"]]
        iso += ["':'", part["second"]] if "second" in part else []
        iso += ["'.'", part["fraction"]] if "fraction" in part else []
    if type_.family is Family.TIMESTAMP_TZ:
        iso.append(part.get("zone", "'Z'"))  # without one it is in UTC, as the contract says
    return f"CASE WHEN regexp_full_match(cell, {regex}) THEN {' || '.join(iso)} END"


def _float_value(type_: ColumnType) -> str:
    """The nearest float, unless it is a whole number of other digits than the text's.

    A fraction is rounded, as floats are for: 0.1 is the nearest to 0.1. From `_whole_from` on a
    float has no fraction, and not every whole number: there the digits that are written must come
    back when as many are printed. All of a whole number count; of one with an exponent, the zeros
    at its end do not, as in 1e300, which is how floats are written.
    """
    written = "ltrim(cell, '-')"
    mantissa = f"split_part(lower({written}), 'e', 1)"
    significant = f"trim(replace({mantissa}, '.', ''), '0')"
    plain = f"regexp_replace({mantissa}, '\\.0*$', '')"
    digits = f"CASE WHEN lower(cell) LIKE '%e%' THEN {significant} ELSE {plain} END"
    # More digits than any float has cannot come back, however many are printed.
    places = f"least(greatest(length({digits}), 1), {_MOST_DIGITS}) - 1"
    printed = f"printf('%.' || ({places}) || 'e', abs(found))"
    same = f"replace(split_part({printed}, 'e', 1), '.', '') = {digits}"
    zero = "regexp_full_match(cell, '-?[0.]+(?:[eE].*)?')"
    return f"""CASE
        WHEN NOT {_matches(_FLOAT)} OR NOT isfinite(found) THEN NULL
        WHEN found = 0 THEN CASE WHEN {zero} THEN found END
        WHEN abs(found) < {_whole_from(type_)} THEN found
        WHEN {same} THEN found
    END"""


def _whole_from(type_: ColumnType) -> int:
    """From this on, neighbouring floats are 1 apart or more."""
    return 1 << 23 if type_.width == 32 else 1 << 52


def _matches(pattern: str) -> str:
    return f"regexp_full_match(cell, {quote_literal(pattern)})"


def _instant(pattern: str, kind: str, zone: str) -> str:
    within = f"found BETWEEN {kind} '{_FIRST}{zone}' AND {kind} '{_LAST}{zone}'"
    return f"CASE WHEN {_matches(pattern)} AND {within} THEN found END"


def problem(type_: ColumnType, text: str, format_: str = "") -> str:
    """Why `text`, which `value_query` found to be no value of the type, is none."""
    if format_ and text == text.strip() != "" and type_.family is not Family.STRING:
        if re.fullmatch(moment_format(format_, type_.family).regex, text):
            return f"no day of the calendar, or no time of it; the contract's format is {format_}"
        return f"not written in the contract's format {format_}"
    if text == "":
        return f"an empty text is no {type_}; leave the cell out of quotes if it is a null"
    if text != text.strip():
        return f"blanks around the value; {a(str(type_))} is written without them"
    if text.strip("().<>#-\\?").upper() in _NULLS:
        return f"no {type_}; if it stands for a null, say so as the landing's nullText"
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
        nearest = _nearest(type_, text)
        if nearest in (0, math.inf, -math.inf):
            return f"out of the range of {type_}"
        return (
            f"more digits than {type_} holds exactly; declare the column as an integer or a DECIMAL"
        )
    if text.lower().lstrip("+-") in ("nan", "inf", "infinity", "1.#inf", "1.#qnan"):
        return "not a number; leave the cell empty if it is a null"
    return "not a number; digits with '.' as the decimal point"


def _nearest(type_: ColumnType, text: str) -> float:
    """The float that is meant, but for the last bit of one of 32."""
    number = float(text)
    if type_.width == 64 or math.isinf(number):
        return number
    try:
        return float(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return math.copysign(math.inf, number)


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
    return f"not a point in time; {a(str(type_))} is written {example}"
