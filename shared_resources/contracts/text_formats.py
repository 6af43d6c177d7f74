"""`logicalTypeOptions.format` of texts, dates and timestamps: what it asks of a text.

Belongs here: which formats there are, the parts of a pattern such as `dd.MM.yyyy`, refusing what is
ambiguous. Does not belong here: the width of numbers (`contracts/reading/logical_types.py`),
reading text by a pattern (`landing/typed_cells.py`).

Patterns are those of JDK's DateTimeFormatter, as ODCS says, without what depends on a language or on
a guess: names of months, two-digit years, clocks of twelve hours, optional parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.patterns import BadPattern
from shared_resources.contracts.types import Family

_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
_BYTE = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = rf"{_BYTE}(\.{_BYTE}){{3}}"
_H = "[0-9A-Fa-f]{1,4}"
_IPV6 = "|".join(
    [
        f"({_H}:){{7}}{_H}",
        f"({_H}:){{6}}{_IPV4}",
        *(f"({_H}:){{{n}}}(:{_H}){{1,{7 - n}}}" for n in range(1, 7)),
        f":((:{_H}){{1,7}}|:)",
        f"({_H}:){{1,7}}:",
        f"::(({_H}:){{0,5}}){_IPV4}",
    ]
)
# Texts of these formats match; None: the format says how a text is treated, not which it is.
STRING_FORMATS: dict[str, str | None] = {
    "email": rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]+@{_HOST}$",
    "uuid": "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]+$",
    "hostname": rf"^{_HOST}$",
    "ipv4": f"^{_IPV4}$",
    "ipv6": f"^({_IPV6})$",
    "date": r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    "password": None,
    "byte": None,
    "binary": None,
}
SUPPORTED = (
    "yyyy, MM or M, dd or d, HH, mm, ss, S to SSSSSSSSS, a zone as XXX, XX or X, "
    "and text in quotes or punctuation between them"
)
# Each part by its letters: what it is of, and its digits.
_PARTS = {
    **dict.fromkeys(("yyyy", "uuuu"), ("year", "[0-9]{4}")),
    "MM": ("month", "[0-9]{2}"),
    "M": ("month", "[1-9][0-2]?"),
    "dd": ("day", "[0-9]{2}"),
    "d": ("day", "[1-9][0-9]?"),
    "HH": ("hour", "[0-9]{2}"),
    "H": ("hour", "[0-9]|[12][0-9]"),
    "mm": ("minute", "[0-9]{2}"),
    "ss": ("second", "[0-9]{2}"),
    "XXX": ("zone", "Z|[+-][0-9]{2}:[0-9]{2}"),
    "XX": ("zone", "Z|[+-][0-9]{4}"),
    "X": ("zone", "Z|[+-][0-9]{2}(?:[0-9]{2})?"),
    "xxx": ("zone", "[+-][0-9]{2}:[0-9]{2}"),
    "xx": ("zone", "[+-][0-9]{4}"),
    **{"S" * n: ("fraction", f"[0-9]{{{n}}}") for n in range(1, 10)},
}
UTC_NAMES = frozenset({"UTC", "Etc/UTC", "Z", "GMT", "Etc/GMT", "Universal", "Zulu"})
_OPEN_ENDED = frozenset({"M", "d", "H", "X"})
_MEANT = {
    "YYYY": "is the year of a week; the year is yyyy",
    "yy": "leaves the century open; land four digits and write yyyy",
    "MMM": "is a month's name, which depends on a language; land its number and write MM",
    "DD": "is the day of the year; the day of the month is dd",
    "hh": "is a clock of twelve hours; land 00 to 23 and write HH",
}
_TOKEN = re.compile(r"([A-Za-z])\1*|'((?:[^']|'')*)'|[^A-Za-z']")
_DATE = ("year", "month", "day")


@dataclass(frozen=True)
class MomentFormat:
    """A pattern of a date or a timestamp. `regex` matches what it writes, each of `parts` a group."""

    pattern: str
    regex: str
    parts: tuple[str, ...]


def text_format(options: Node | None, family: Family) -> str:
    """The format of a text, date or timestamp; ``""`` for none, or after a finding."""
    field = options.get("format") if options else None
    if options is None or field is None or not isinstance(field.value, str):
        return ""
    if family is Family.STRING:
        if field.value in STRING_FORMATS:
            return field.value
        field.problem(
            f"is {field.value!r}, a format of text that nothing checks",
            suggest(field.value, STRING_FORMATS) + "; or say it as `pattern`",
        )
    elif family in (Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ):
        try:
            wanted = moment_format(field.value, family)
            if family is Family.TIMESTAMP_TZ and "zone" not in wanted.parts:
                _check_default_zone(options)
            return wanted.pattern
        except BadPattern as error:
            field.problem(f"is {field.value!r}: {error.message}", error.remedy)
    return ""


@lru_cache(maxsize=256)
def moment_format(pattern: str, family: Family) -> MomentFormat:
    """The parts of `pattern`. Raises `BadPattern` for what cannot be read back exactly."""
    tokens = list(_TOKEN.finditer(pattern))
    if "".join(token[0] for token in tokens) != pattern or set(pattern) & set("[]{}#"):
        raise BadPattern("has optional parts or an open quote", f"use {SUPPORTED}")
    regex, parts, before = "", list[str](), ""
    for token in tokens:
        letters = token[0] if token[1] else ""
        if not letters:
            text = token[0] if token[2] is None else token[2].replace("''", "'") or "'"
            zone = text == "Z" and family is Family.TIMESTAMP_TZ
            regex += "(Z)" if zone else re.escape(text)
            parts += ["zone"] * zone
            before = ""
            continue
        if letters not in _PARTS:
            raise BadPattern(f"{letters} {_meaning(letters)}", f"use {SUPPORTED}")
        if before in _OPEN_ENDED:
            raise BadPattern(
                f"nothing parts {before} from {letters}, so two readings are possible",
                f"write {before * 2}, or punctuation between them",
            )
        part, digits = _PARTS[letters]
        parts.append(part)
        regex += f"({digits})"
        before = letters
    _check_whole(parts, family)
    return MomentFormat(pattern, regex, tuple(parts))


def _meaning(letters: str) -> str:
    return _MEANT.get(letters, "is no part that can be read back exactly")


def _check_default_zone(options: Node) -> None:
    """Raise `BadPattern` unless a text without a zone is one in UTC: others skip and repeat hours."""
    if options.text("defaultTimezone") not in UTC_NAMES:
        raise BadPattern(
            "says nothing of the zone, which the column needs",
            "add XXX, or defaultTimezone: Etc/UTC if the texts are in UTC",
        )


def _check_whole(parts: list[str], family: Family) -> None:
    doubled = [part for part in dict.fromkeys(parts) if parts.count(part) > 1]
    if doubled:
        raise BadPattern(f"holds the {doubled[0]} twice", "keep one of the two")
    wanted = _DATE if family is Family.DATE else (*_DATE, "hour", "minute")
    allowed = {*wanted} if family is Family.DATE else {*wanted, "second", "fraction"}
    if family is Family.TIMESTAMP_TZ:
        allowed.add("zone")
    missing = [part for part in wanted if part not in parts]
    if missing:
        raise BadPattern(f"says nothing of the {missing[0]}", f"use {SUPPORTED}")
    beside = [part for part in parts if part not in allowed]
    if beside:
        kind = "date" if family is Family.DATE else "timestamp without a time zone"
        minutes = "; months are MM" if beside[0] == "minute" else ""
        raise BadPattern(f"holds the {beside[0]}, which a {kind} lacks{minutes}", "remove it")
    if "fraction" in parts and "second" not in parts:
        raise BadPattern("holds fractions of a second and no second", "add ss")
