"""What a column holds by a few of its distinct values: names, addresses, positions; and the rows, as SQL.

Belongs here: which values are asked, how many of them must look so, the condition for rows that count.
Does not belong here: what a value looks like (`people.py`, `places.py`), kinds that are told by one value
or by check digits (`searching.py`).

The libraries take a tenth of a millisecond a value, so no more than `ASKED` distinct ones of a column are
looked at, chosen by their hash: the same ones of the same values, wherever they are stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from shared_resources.personal_data import people, places
from shared_resources.sql import quote_identifier, quote_literal

Ask = Callable[[str], tuple[Any, ...]]
ASKED = 300
NAME, ADDRESS, POSITION = "name of a person", "postal address", "geographic position"
_LONGEST = 200


@dataclass(frozen=True)
class Look:
    """One way to tell a kind. `share` of the distinct values asked must look so, and `least` of them;
    where the column's name says it (`called`), `share_called` and one. `rows`: a condition on `{column}`.
    """

    kind: str
    looks: Callable[[str], bool]
    share: float
    least: int
    rows: str
    called: str = ""
    share_called: float = 1.0
    by_name_only: bool = False
    library: bool = False

    def says(self, column: str) -> bool:
        return bool(self.called) and bool(re.search(self.called, column, re.IGNORECASE))

    def held(self, values: Sequence[str], column: str) -> bool:
        called = self.says(column)
        if not values or (self.by_name_only and not called):
            return False
        looking = sum(self.looks(value) for value in values)
        share, least = (self.share_called, 1) if called else (self.share, self.least)
        return looking >= max(least, share * len(values))


def _written(pattern: str) -> str:
    return f"regexp_full_match({{column}}, {quote_literal(pattern)})"


_LETTERS = _written(r"\pL[\pL\pM.,'\x{2019} \-]+")
_AN_ADDRESS = _written(r"(?s).*[0-9].*") + " AND " + _written(r"(?s).*\pL.*")
_OF_A_PERSON = (
    r"(customer|person|passenger|employee|contact|patient|holder|owner|recipient|guest|author|full|display)"
    r"s?_?name|^name_of_|nachname_vorname|nom_complet"
)
_GIVEN = r"(first|given|fore|middle)_?name|vorname|prenom|voornaam|fornavn|fornamn|^nombre$|imie"
_FAMILY = r"(last|family|maiden|sur)_?name|nachname|familienname|nom_de_famille|achternaam|apellido"
_ADDRESSED = r"address(?!ed)|street|strasse|straße|adresse|indirizzo|direccion|endereco|ulica"
LOOKS = (
    Look(NAME, people.is_name, 0.25, 8, _LETTERS, _OF_A_PERSON, 0.1, library=True),
    Look(NAME, people.is_given, 1, 0, _LETTERS, _GIVEN, 0.2, by_name_only=True, library=True),
    Look(NAME, people.is_family, 1, 0, _LETTERS, _FAMILY, 0.3, by_name_only=True, library=True),
    Look(
        ADDRESS,
        people.is_address,
        0.25,
        3,
        _AN_ADDRESS,
        _ADDRESSED,
        0.1,
    ),
    # One in such a notation is enough.
    Look(POSITION, places.is_marked, 0, 1, _written(f"(?is)(?:{places.MARKED})")),
    Look(POSITION, places.is_pair, 0.5, 3, _written(places.PAIR)),
    Look(
        POSITION,
        places.is_geohash,
        1,
        0,
        _written(places.GEOHASH),
        "geo_?hash",
        0.9,
        by_name_only=True,
    ),
)


@dataclass(frozen=True)
class Texts:
    """A column of text. `names`: whether the libraries may be asked."""

    name: str
    names: bool

    @property
    def suspicion(self) -> str:
        """A cheap condition that every row fulfils which is looked at."""
        column = quote_identifier(self.name)
        if any(look.says(self.name) for look in LOOKS):
            return f"{column} IS NOT NULL"
        # Of two words, of two numbers, or a code of a place.
        return " OR ".join(f"contains({column}, '{mark}')" for mark in " ,+").join("()")

    def held(self, view: str, ask: Ask) -> Iterator[tuple[str, str]]:
        """Each kind that it holds, and the condition for the rows that count."""
        values = self._asked(view, ask)
        looks = [look for look in LOOKS if self.names or not look.library]
        for look in looks:
            if look.held(values, self.name):
                yield look.kind, look.rows.replace("{column}", quote_identifier(self.name))

    def _asked(self, view: str, ask: Ask) -> list[str]:
        column = quote_identifier(self.name)
        source = f"{view} WHERE {self.suspicion} AND strlen({column}) <= {_LONGEST}"
        distinct = int(ask(f"SELECT approx_count_distinct({column}) FROM {source}")[0] or 0)
        # Twice as many as are wanted: the number is known to a few per cent only.
        some = max(1, distinct // (2 * ASKED))
        query = (
            f"SELECT list(v ORDER BY h, v) FROM (SELECT DISTINCT {column} AS v, hash({column}) AS h "
            f"FROM {source} AND hash({column}) % {some} = 0 ORDER BY h, v LIMIT {ASKED})"
        )
        return [str(value) for value in ask(query)[0] or ()]


@dataclass(frozen=True)
class Numbers:
    """Two columns whose names say latitude and longitude."""

    latitude: str
    longitude: str

    @property
    def suspicion(self) -> str:
        one, other = quote_identifier(self.latitude), quote_identifier(self.longitude)
        return f"({one} BETWEEN -90 AND 90 AND {other} BETWEEN -180 AND 180)"

    def held(self, view: str, ask: Ask) -> Iterator[tuple[str, str]]:
        one, other = (
            f"CAST({quote_identifier(name)} AS VARCHAR)" for name in (self.latitude, self.longitude)
        )
        query = (
            f"SELECT list([a, b]) FROM (SELECT DISTINCT {one} AS a, {other} AS b FROM {view} "
            f"WHERE {self.suspicion} ORDER BY hash(a), a, b LIMIT {ASKED})"
        )
        pairs = ask(query)[0] or ()
        if pairs and 2 * sum(places.is_position(*pair) for pair in pairs) >= len(pairs):
            yield POSITION, self.suspicion
