"""Quoting a setting in a message, unless it may hold a secret.

Belongs here: which values may, by their looks. Does not belong here: what is wrong with them
(`checks.py`, `aws_settings.py`, `snowflake_settings.py`).

A variable whose purpose is a secret is never quoted. This is for those that hold none if they are
right, but may if they are wrong: an address with a password, a key in the place of its file.
"""

from __future__ import annotations

import re

HIDDEN = "<not shown: it may hold a secret>"
# What goes before a colon is a user, unless a port follows it, or it is a scheme or an ARN.
_LOGIN = re.compile(r"@|%40|(^|//)[^/:\[]+:(?!\d*([/?#]|$)|//|aws)")
_SECRET = re.compile(
    r"(?i:(secret|passw|pwd|token|signature|credential)\w*=)"  # parameters of an address
    r"|-----BEGIN|\beyJ"  # a private key; a token in JSON
    r"|\b(AKIA|ASIA)[A-Z0-9]{4}"  # a key of AWS, which may stand beside its secret
)


def holds_login(address: object) -> bool:
    """Whether an address names a user or a password."""
    return _LOGIN.search(str(address)) is not None


def quoted(value: object, within: object = "") -> str:
    """In quotes. `within` is what the value is a part of: a secret in it may have been divided."""
    return HIDDEN if _suspect(value) or _suspect(within) else repr(str(value))


def plain(value: object) -> str:
    """Without quotes, as files are named."""
    return HIDDEN if _suspect(value) else str(value)


def _suspect(value: object) -> bool:
    return holds_login(value) or _SECRET.search(str(value)) is not None
