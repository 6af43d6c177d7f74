"""Geographic positions: as text, and as two columns of numbers.

Belongs here: their notations, and when two columns of numbers are one.
Does not belong here: postal addresses (`people.py`), which values are looked at (`sampling.py`).

Two numbers are a position only where the columns' names say so: scores, rates and prices of many decimals
look the same. Their values must agree: within the globe, and to a hundred metres at least.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_DEGREES = r"[-+]?[0-9]{1,3}\.[0-9]{3,15}"
_NUMBER = r"[-+]?[0-9]{1,3}(?:\.[0-9]+)?"
_PRIME, _SECOND = "\u2032", "\u2033"
# Notations that mean nothing else: RFC 5870, well-known text with or without its system, degrees with
# minutes and seconds, GeoJSON, Open Location Codes of full length.
_MARKED = (
    rf"geo:{_NUMBER},{_NUMBER}.*",
    rf"(?:SRID=[0-9]+;)?POINT ?Z?M? ?\( ?{_NUMBER} {_NUMBER}(?: {_NUMBER})*\)",
    rf"""[0-9]{{1,3}}° ?[0-9]{{1,2}}['{_PRIME}] ?[0-9.]*["'{_SECOND}]{{0,2}} ?[NSEWO],?.*""",
    r"""\{.*"type": ?"Point".*"coordinates": ?\[.*\].*\}""",
    r"[23456789CFGHJMPQRVWX]{8}\+[23456789CFGHJMPQRVWX]{2,3}",
)
MARKED = "|".join(_MARKED)
PAIR = rf"[\[(]? ?{_DEGREES} ?[,; ] ?{_DEGREES} ?[\])]?"
GEOHASH = r"[0-9b-hjkmnp-z]{6,12}"
_MARKED_ONE = re.compile(MARKED, re.IGNORECASE | re.DOTALL)
_PAIR = re.compile(PAIR)

LATITUDE = re.compile(r"(?:^|_)(?:lat|latitude|breite|breitengrad|latitud)(?:_|$)", re.IGNORECASE)
LONGITUDE = re.compile(
    r"(?:^|_)(?:lon|lng|long|longitude|laenge|laengengrad|longitud)(?:_|$)", re.IGNORECASE
)
_DIGITS = 3


def is_marked(text: str) -> bool:
    """Whether it is a position in a notation that says so."""
    return bool(_MARKED_ONE.fullmatch(text))


def is_pair(text: str) -> bool:
    """Whether it is two numbers with decimals that may be degrees."""
    if not _PAIR.fullmatch(text):
        return False
    one, other = (float(number) for number in re.findall(_DEGREES, text))
    return _on_globe(one, other) or _on_globe(other, one)


def is_geohash(text: str) -> bool:
    """Whether it has the layout of one; whether it is, the column's name says."""
    return bool(re.fullmatch(GEOHASH, text)) and any(character.isdigit() for character in text)


def pairs_of(columns: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Columns whose names say latitude and longitude, of which the rest of the name is the same."""
    longitudes = {
        LONGITUDE.sub("_", name).lower(): name for name in columns if LONGITUDE.search(name)
    }
    for name in columns:
        if LATITUDE.search(name):
            other = longitudes.get(LATITUDE.sub("_", name).lower())
            if other is not None and other != name:
                yield name, other


def is_position(latitude: str, longitude: str) -> bool:
    """Whether two numbers, as texts, are one to a hundred metres; no position is 0, 0."""
    try:
        one, other = float(latitude), float(longitude)
    except ValueError:
        return False
    precise = any(len(text.partition(".")[2]) >= _DIGITS for text in (latitude, longitude))
    return precise and _on_globe(one, other) and (one, other) != (0, 0)


def _on_globe(latitude: float, longitude: float) -> bool:
    return abs(latitude) <= 90 and abs(longitude) <= 180
