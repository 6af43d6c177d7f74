"""Checks that a pattern cannot make: check digits, dates within numbers, where an address leads.

Belongs here: asking python-stdnum and the standard library.
Does not belong here: what a kind looks like (`text.py`, `number_kinds.py`), how many pass (`chance.py`).

A validator is called as python-stdnum calls the module, `nl.bsn`; beside those there are `iban`, `ip`,
`mac`, and `luhn` of numbers in groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from importlib import import_module
from ipaddress import ip_address

_ENDS = re.compile(r"^[^0-9A-Za-z]+|[^0-9A-Za-z]+$")
# Version numbers have four parts as well, which are shorter.
_DIGITS_OF_AN_ADDRESS = 8


def is_valid(validator: str, text: str) -> bool:
    """Whether the text, without what encloses it, passes.

    Raises `ModuleNotFoundError` for an unknown validator.
    """
    found = _ENDS.sub("", text)
    try:
        return _check(validator)(found)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        # Some of the library's checks stumble over what they do not expect, instead of saying no.
        return False


@cache
def _check(validator: str) -> Callable[[str], bool]:
    own = {"iban": _is_iban, "ip": _is_address, "mac": _is_device, "luhn": _is_luhn}.get(validator)
    if own is not None:
        return own
    check: Callable[[str], bool] = import_module(f"stdnum.{validator}").is_valid
    return check


def _is_luhn(text: str) -> bool:
    """Of its digits, whatever stands between them."""
    from stdnum import luhn

    return bool(luhn.is_valid(re.sub("[^0-9]", "", text)))


def _is_iban(text: str) -> bool:
    """Its country's layout, and its check digits; not whether such a bank is known."""
    from stdnum import iban  # it reads the countries' layouts

    return bool(iban.is_valid(text, check_country=False))


def _is_address(text: str) -> bool:
    """An address that leads to somebody: no private, documentation or local one."""
    address = ip_address(text)
    if address.version == 4 and sum(c.isdigit() for c in text) < _DIGITS_OF_AN_ADDRESS:
        return False
    return address.is_global and not address.is_multicast


def _is_device(text: str) -> bool:
    """One device's, not a group's, and with a letter: moments in pairs of digits have none."""
    pairs = re.split("[:-]", text)
    return bool(re.search("[A-Fa-f]", text)) and int(pairs[0], 16) & 1 == 0 and len(set(pairs)) > 1
