"""Which type the texts of a column have: the narrowest of which every one of them is a value.

Belongs here: the types and formats that are tried, in their order, and which are alike for all there is.
Does not belong here: which text is a value of which type (`landing/typed_cells.py` decides it, here as
when a file lands), finding the texts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass

import duckdb

from shared_resources.contracts.text_formats import moment_format
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.landing.typed_cells import value_query
from shared_resources.sql import quote_literal

TEXT = ColumnType(Family.STRING)
# What is written for no value where a type's values are expected (`landing.nullText`).
NULL_TEXTS = (
    "NA",
    "N/A",
    "#N/A",
    "n/a",
    "NULL",
    "null",
    "None",
    "NaN",
    "nan",
    "\\N",
    "-",
    "?",
    ".",
)
_BOTH_WAYS = "every day fits {other} as well: no day of the data is after the 12th"
_DAYS = (
    ("dd/MM/yyyy", "MM/dd/yyyy"),
    ("d/M/yyyy", "M/d/yyyy"),
    ("dd.MM.yyyy", ""),
    ("d.M.yyyy", ""),
    ("dd-MM-yyyy", "MM-dd-yyyy"),
    ("yyyy/MM/dd", ""),
)
_TIMES = (" HH:mm", " HH:mm:ss", " H:mm", " H:mm:ss", "'T'HH:mm:ss")
# Eight digits are a day only where the name says so: numbers of articles have them, too.
_COMPACT_DAY = "yyyyMMdd"
_NAMES_A_DAY = re.compile(r"(^|_)(date|day|dt)($|_)|_on$|_date", re.IGNORECASE)
_NAMES_MONEY = re.compile(
    r"(^|_)(amount|price|cost|fee|total|subtotal|tax|fare|tip|revenue|value|salary|balance|discount|"
    r"payment|charge|budget)(s|es)?($|_)",
    re.IGNORECASE,
)
_CENTS = 4  # decimal places up to which an amount of money is exact
_LARGEST_PRECISION = 18


@dataclass(frozen=True)
class Typed:
    """A type, how its texts are written (`text_format`; by default as ISO 8601), and why."""

    type: ColumnType
    text_format: str = ""
    evidence: str = ""
    to_confirm: str = ""


class Texts:
    """The different texts of one column, in the table `cells` of a connection."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, column: str, source: str) -> None:
        """`column` is quoted; `source` is a relation that has it."""
        self._connection = connection
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE cells AS SELECT {column} AS cell, count(*) AS times "
            f"FROM {source} WHERE {column} IS NOT NULL GROUP BY 1"
        )
        self.distinct, self.rows = connection.execute(
            "SELECT count(*), coalesce(sum(times), 0)::BIGINT FROM cells"
        ).fetchall()[0]

    def null_texts(self) -> frozenset[str]:
        """Those of `NULL_TEXTS` that are among them."""
        listed = self._connection.execute(
            "SELECT cell FROM cells WHERE list_contains(?, cell)", [[*NULL_TEXTS]]
        )
        return frozenset(text for (text,) in listed.fetchall())

    def first(self, but: str = "") -> str:
        """One of them."""
        found = self._connection.execute("SELECT min(cell) FROM cells WHERE cell <> ?", [but])
        return str(found.fetchall()[0][0])

    def are(self, type_: ColumnType, format_: str = "", but: str = "") -> bool:
        """Whether every one of them (`but` for a text that means null) is a value of the type."""
        kept = f"SELECT cell FROM cells WHERE cell <> {quote_literal(but)}"
        # A thousand of them rule out nearly every type that they are none of.
        sources = (f"({kept} LIMIT 1000)", f"({kept})")
        return all(self._all(source, type_, format_) for source in sources)

    def _all(self, source: str, type_: ColumnType, format_: str) -> bool:
        values = value_query(type_, source, format_)
        bad = self._connection.execute(
            f"SELECT count(*) - count(value), count(*) FROM ({values})"
        ).fetchall()[0]
        return bool(bad[0] == 0 and bad[1] > 0)

    def places(self, but: str = "") -> tuple[int, int, bool]:
        """Digits before and after the point, at most, and whether one has an exponent."""
        query = (
            "SELECT max(length(split_part(ltrim(cell, '-'), '.', 1))), "
            "max(length(rtrim(split_part(cell, '.', 2), '0'))), "
            f"bool_or(lower(cell) LIKE '%e%') FROM cells WHERE cell <> {quote_literal(but)}"
        )
        before, after, exponent = self._connection.execute(query).fetchall()[0]
        return before or 0, after or 0, bool(exponent)


def typed(name: str, texts: Texts, families: Set[Family], but: str = "") -> Typed:
    """The narrowest type, of the `families` besides text, of which all the texts are values."""
    count, first = f"all {texts.distinct:,} different texts", texts.first(but)
    for type_, format_ in _candidates(name, families):
        if format_ and not re.fullmatch(moment_format(format_, type_.family).regex, first):
            continue  # by far the most of them, without asking for more
        if not texts.are(type_, format_, but):
            continue
        said = f"{count} are {_plural(type_)}" + (f" written {format_}" if format_ else "")
        if type_.family is Family.FLOAT and (money := _money(name, texts, but)):
            return Typed(money, "", f"{said}, with at most {money.scale} decimal places")
        other = _other_way(format_)
        if other and texts.are(type_, other, but):
            return Typed(type_, format_, said, _BOTH_WAYS.format(other=other))
        if format_ == _COMPACT_DAY:
            return Typed(type_, format_, said, "its whole numbers are days, by its name")
        return Typed(type_, format_, said)
    return Typed(TEXT, "", f"{texts.distinct:,} different texts" if texts.rows else "")


def _candidates(name: str, families: Set[Family]) -> Iterator[tuple[ColumnType, str]]:
    listed: list[tuple[ColumnType, str]] = [(ColumnType(Family.BOOLEAN), "")]
    if _NAMES_A_DAY.search(name):
        listed.append((ColumnType(Family.DATE), _COMPACT_DAY))
    listed += [(ColumnType(family), "") for family in (Family.INTEGER, Family.FLOAT, Family.DATE)]
    moments = (ColumnType(Family.TIMESTAMP), ColumnType(Family.TIMESTAMP_TZ))
    listed += [(moment, "") for moment in moments]
    days = [day for pair in _DAYS for day in pair if day]
    listed += [(ColumnType(Family.DATE), day) for day in days]
    listed += [(moments[0], day + time) for day in days for time in _TIMES]
    return ((type_, format_) for type_, format_ in listed if type_.family in families)


def _other_way(format_: str) -> str:
    """The format with day and month the other way round, if the first of the two is `format_`."""
    for one, other in _DAYS:
        if other and format_.startswith(one):
            return other + format_.removeprefix(one)
    return ""


def _money(name: str, texts: Texts, but: str) -> ColumnType | None:
    """A decimal for amounts of money, which are added up to the cent."""
    before, after, exponent = texts.places(but)
    if exponent or not _NAMES_MONEY.search(name) or not 0 < after <= _CENTS:
        return None
    scale = max(after, 2)
    if before + scale > _LARGEST_PRECISION:
        return None
    return ColumnType(Family.DECIMAL, precision=_LARGEST_PRECISION, scale=scale)


def _plural(type_: ColumnType) -> str:
    return {
        Family.BOOLEAN: "true or false",
        Family.INTEGER: "whole numbers",
        Family.FLOAT: "numbers",
        Family.DATE: "days",
        Family.TIMESTAMP: "points in time without a zone",
        Family.TIMESTAMP_TZ: "points in time with a zone",
    }[type_.family]
