"""Kinds of personal data that are found within text: a pattern each, verified where one can be.

Belongs here: what they look like, chosen so that baskets' ids, article numbers, prices, sizes, software
versions and points in time do not.
Does not belong here: numbers that are told by a whole column of them (`numbers.py`), check digits
(`validating.py`).

A pattern is a regular expression that means the same in Python and in RE2. `min_length` is in bytes.
`validator` names a check (`validating.py`); `luhn` is one that DuckDB answers itself. With
`min_valid_share` a match counts only where at least that share of the column's distinct matches pass: one
random number in ten passes Luhn, a column of cards always does. `chance` is how many of such matches that
are none would pass: what is not clearly more often there is chance. `other` is how whole values look that
are something else (an order's number, a version): in a column that has more of them than of valid
matches, those must be so many that chance does not do it; where no chance is known, none count.
"""

from __future__ import annotations

from typing import Any

# Not within a longer number or word: an id that contains a card's digits is no card.
_BEFORE = r"(?:^|[^0-9A-Za-z.+\-])"
_AFTER = r"(?:$|[^0-9A-Za-z\-])"
_LOCAL = r"(?:[A-Za-z0-9._%+'\-]|[^\x00-\x7F])+"
_LABEL = r"(?:[A-Za-z0-9\-]|[^\x00-\x7F])+"

_EMAIL = rf"{_LOCAL}@(?:{_LABEL}\.)+[A-Za-z]{{2,}}"

# Digits alone are never a phone number here: basket ids and UPC codes have 11 or 12 of them.
_PHONE_LAYOUTS = (
    r"\+[1-9](?:[ ()/\-]{0,2}[0-9]){9,14}",  # +1 415-555-2671, +4915112345678
    r"\+[1-9][0-9]{0,2}(?:\.[0-9]{1,4}){3,5}",  # +33.1.23.45.67.89; one dot is a signed number
    r"(?:1[ .\-])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[ .\-])[2-9][0-9]{2}[ .\-][0-9]{4}",  # US
    r"\(0[0-9]{1,4}\) ?[0-9]{3,4}[ \-]?[0-9]{3,4}",  # (020) 7946 0958, (030) 1234567
    r"020 [0-9]{4} [0-9]{4}",  # London
    r"07[0-9]{3} [0-9]{3} ?[0-9]{3}",  # British mobiles
    r"0[67](?:[ .][0-9]{2}){4}",  # French mobiles
)
_LABELLED_PHONE = r"\b(?:tel|telephone|phone|mobile|fax)[ .:#]{1,3}(?:[ ()/.\-]{0,2}[0-9]){7,14}"
_PHONE = rf"{_BEFORE}(?:{'|'.join(_PHONE_LAYOUTS)}){_AFTER}|(?i:{_LABELLED_PHONE})"

# Issuers and lengths from ISO/IEC 7812 ranges in use: Visa, Mastercard, Discover, UnionPay, JCB.
# Visa's old 13 digits are left out: German and Japanese article numbers (EAN) look the same.
_SIXTEEN = (
    r"4[0-9]{3}|5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720"
    r"|6011|64[4-9][0-9]|65[0-9]{2}|62[0-9]{2}|352[89]|35[3-8][0-9]"
)
_CARD_LAYOUTS = (
    rf"(?:{_SIXTEEN})(?:[0-9]{{12}}|(?: [0-9]{{4}}){{3}}|(?:-[0-9]{{4}}){{3}})",
    r"3[47][0-9]{2}(?:[0-9]{11}| [0-9]{6} [0-9]{5}|-[0-9]{6}-[0-9]{5})",  # American Express
    r"3(?:0[0-5]|[68][0-9])[0-9](?:[0-9]{10}| [0-9]{6} [0-9]{4}|-[0-9]{6}-[0-9]{4})",  # Diners
)
_CARD = rf"{_BEFORE}(?:{'|'.join(_CARD_LAYOUTS)}){_AFTER}"
# The same in digits alone.
CARD_DIGITS = rf"(?:{_SIXTEEN})[0-9]{{12}}|3[47][0-9]{{13}}|3(?:0[0-5]|[68][0-9])[0-9]{{11}}"

_IBAN_REST = r"[0-9A-Z]{11,30}|(?: [0-9A-Z]{4}){2,7}(?: [0-9A-Z]{1,4})?"
_IBAN = rf"{_BEFORE}[A-Z]{{2}}[0-9]{{2}}(?:{_IBAN_REST}){_AFTER}"

_OCTET = r"[0-9]{1,3}"
# No part of a longer dotted number, such as an object's identifier; a full stop may follow.
_IPV4 = (
    rf"(?:^|[^0-9A-Za-z.\-])(?:{_OCTET}\.){{3}}{_OCTET}(?:$|[^0-9A-Za-z.\-]|\.(?:$|[^0-9A-Za-z]))"
)
# Four numbers of which one is too large for an address: a software's version.
_TOO_LARGE = r"(?:25[6-9]|2[6-9][0-9]|[3-9][0-9]{2}|[0-9]{4,6})"
_VERSION = "|".join(
    r"\.".join(_TOO_LARGE if place == large else "[0-9]{1,6}" for place in range(4))
    for large in range(4)
)
_GROUP = r"[0-9A-Fa-f]{1,4}"
_IPV6_LAYOUTS = (
    rf"(?:{_GROUP}:){{7}}{_GROUP}",
    rf"(?:{_GROUP}:){{1,6}}(?::{_GROUP}){{1,6}}",
)
_IPV6 = rf"(?:^|[^0-9A-Za-z:.])(?:{'|'.join(_IPV6_LAYOUTS)})(?:$|[^0-9A-Za-z:])"
_PAIR = r"[0-9A-Fa-f]{2}"
_MAC = rf"(?:^|[^0-9A-Za-z:\-])(?:{_PAIR}(?::{_PAIR}){{5}}|{_PAIR}(?:-{_PAIR}){{5}})(?:$|[^0-9A-Za-z:\-])"

PATTERNS: tuple[dict[str, Any], ...] = (
    {
        "name": "e-mail address",
        "pattern": _EMAIL,
        "min_length": 6,
        # A substring search is many times faster than the regular expression it saves.
        "prefilter_sql": "contains({column}, '@')",
    },
    {"name": "phone number", "pattern": _PHONE, "min_length": 11},
    {
        "name": "payment card",
        "pattern": _CARD,
        "min_length": 14,
        "validator": "luhn",
        "min_valid_share": 0.5,
        "chance": 0.1,
        "other": r"[0-9]{12,19}",
    },
    # Of random letters and digits with a country's code and length one in 97 passes.
    {"name": "IBAN", "pattern": _IBAN, "min_length": 15, "validator": "iban", "chance": 0.0104},
    {
        "name": "IP address",
        "pattern": _IPV4,
        "min_length": 11,
        "validator": "ip",
        "other": _VERSION,
    },
    {"name": "IP address", "pattern": _IPV6, "min_length": 11, "validator": "ip"},
    {"name": "MAC address", "pattern": _MAC, "min_length": 17, "validator": "mac"},
)
