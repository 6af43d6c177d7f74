"""Names of persons and postal addresses: told by the share of a column's distinct values that look so.

Belongs here: asking the libraries of the extra `personal-data`, what a name and an address look like, and
whether somebody could be asked at all.
Does not belong here: which values are asked (`sampling.py`), places (`places.py`).

A name is one where probablepeople takes the words for a person's and one of the first three is known to
be given to children more often than it is a family's name. Its lists are those of US censuses: names of
other countries are found less often (`docs/benchmarks.md`), those in other scripts not at all. Addresses
of the US and their like are told by usaddress; those in German, Dutch, Swedish, French, Italian, Spanish,
Portuguese and Polish by their words for a street, which needs no library, as British postcodes do not.
Both libraries keep their models in their wheels: nothing is downloaded.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.util import find_spec
from typing import Any

EXTRA = "personal-data"
_LIBRARIES = ("probablepeople", "usaddress")

_WORD = r"[^\W\d_]+\.?(?:['\u2019.\-][^\W\d_]+\.?)*"
_NAME = re.compile(rf"{_WORD}(?:,? {_WORD}){{1,5}}")
_GIVEN_MORE_OFTEN = 0.5
_AMONG_THE_FIRST = 3
# The first word of places and streets that are called after somebody.
_NO_NAMES_BEGIN = frozenset(
    (
        *("north", "south", "east", "west", "new", "lake", "port", "san", "santa", "saint", "st"),
        *("mount", "fort", "rue", "boulevard", "avenue", "chemin", "impasse", "place", "via"),
        *("viale", "piazza", "strada", "corso", "contrada", "vicolo", "largo", "calle", "avenida"),
        *(
            "paseo",
            "plaza",
            "camino",
            "ronda",
            "acceso",
            "cuesta",
            "glorieta",
            "pasadizo",
            "pasaje",
        ),
        *("rua", "alameda", "travessa", "callejón", "rambla", "urbanización", "vial"),
    )
)

_NUMBER = r"[0-9]{1,5} ?[A-Za-z]?(?:[-/][0-9]{1,4}[A-Za-z]?)?"
# Endings and words that goods have as well (a ring, an arcade, a place setting) are left out.
_STREETS = (
    r"[^\W\d_][\w.'\u2019 \-]*(?:stra(?:ß|ss)e|str\.|gasse|allee|platz|weg|ufer|damm|straat|laan"
    rf"|singel|plein|gracht|vägen|gatan|stigen|gränd|vej|veien|katu),? {_NUMBER}",
    rf"{_NUMBER},? (?:bis |ter )?(?:rue|avenue|boulevard|chemin|impasse|allée|quai"
    r"|(?:place|route) d(?:e|u|es)\b) ?[^\W\d_].+",
    rf"(?:via|viale|piazza|corso|strada|contrada|vicolo|largo|borgo) [^\W\d_][^\d]*,? {_NUMBER}",
    r"(?:calle|c/|avenida|avda\.?|paseo|plaza|camino|ronda|rúa|rua|travessa|alameda|rodovia|praça) "
    rf"[^\W\d_][^\d]*,? {_NUMBER}",
    rf"(?:(?:ul|al|pl|os)\. ?|(?:ulica|aleja|plac|osiedle) )[^\W\d_][^\d]* {_NUMBER}",
)
_STREET = re.compile(rf"(?:{'|'.join(_STREETS)})(?:[\s,;].*)?", re.IGNORECASE | re.DOTALL)
_BRITISH_CODE = re.compile(r"\b[A-Z]{1,2}[0-9][A-Z0-9]? ?[0-9][A-Z]{2}$")
_BRITISH = re.compile(r".*[A-Za-z]{3}.*[,\n].+", re.DOTALL)


@cache
def missing() -> tuple[str, ...]:
    """The libraries of the extra that are not installed here."""
    return tuple(name for name in _LIBRARIES if find_spec(name) is None)


@cache
def lists() -> str:
    """Whose lists and models are asked, with their versions; empty where they are not installed."""
    from importlib.metadata import version

    return "" if missing() else ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)


def is_name(text: str) -> bool:
    """Whether it is the name of a person, of two words at least. The libraries must be there."""
    if not _NAME.fullmatch(text):
        return False
    words = [_plain(word) for word in text.split()]
    if words[0].lower() in _NO_NAMES_BEGIN or words[-1].lower() in _street_words():
        return False
    if not any(is_given(part) for word in words[:_AMONG_THE_FIRST] for part in word.split("-")):
        return False
    labels = [label for _, label in _names().parse(text)]
    return "Surname" in labels and not any(label.startswith("Corporation") for label in labels)


def is_given(word: str) -> bool:
    """Whether the single word is a given name, and seldom a family's."""
    return bool(_ratios().get(_plain(word), 0) >= _GIVEN_MORE_OFTEN)


def is_family(word: str) -> bool:
    """Whether the single word is somebody's name."""
    return _plain(word) in _ratios()


def is_address(text: str) -> bool:
    """Whether it is a street with its number, alone or with a place."""
    if not any(character.isdigit() for character in text):
        return False
    if _STREET.fullmatch(text) or (_BRITISH_CODE.search(text) and _BRITISH.fullmatch(text)):
        return True
    return not missing() and _is_american(text)


def _is_american(text: str) -> bool:
    parser = _addresses()
    try:
        found, kind = parser.tag(text.replace("\n", ", "))
    except parser.RepeatedLabelError:
        return False
    if kind != "Street Address" or not {"AddressNumber", "StreetName"} <= set(found):
        return False
    placed = "PlaceName" in found and ("ZipCode" in found or "StateName" in found)
    # A parser finds a street in anything: it counts where its last word is one of the post's.
    named = str(found.get("StreetNamePostType", "")).lower().strip(".,") in _street_words()
    return named or placed


def _plain(word: str) -> str:
    """Upper case without accents, as the lists have it."""
    letters = unicodedata.normalize("NFKD", word).encode("ascii", "ignore").decode()
    return letters.upper().strip(".,'\"")


def _names() -> Any:
    import probablepeople  # reads its models: not on import of this module

    return probablepeople


@cache
def _ratios() -> dict[str, float]:
    from probablepeople.ratios import ratios

    found: dict[str, float] = ratios
    return found


def _addresses() -> Any:
    import usaddress

    return usaddress


@cache
def _street_words() -> frozenset[str]:
    return frozenset(_addresses().STREET_NAMES)
