"""How much memory a code server may hold before it is replaced: `MESH_SERVER_MEMORY`.

Belongs here: reading it. Does not belong here: what happens at the limit (`watching.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from shared_resources.serving.problems import CannotServe

_DEFAULT = "2GB"
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?([KMGT])(i?)B", re.IGNORECASE)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}


def memory_limit(variables: Mapping[str, str]) -> int:
    """In bytes. Raises `CannotServe` for what is no amount of memory."""
    text = variables.get("MESH_SERVER_MEMORY") or _DEFAULT
    found = _AMOUNT.fullmatch(text)
    if not found:
        raise CannotServe(
            f"MESH_SERVER_MEMORY={text!r} is no amount of memory; write e.g. 512MB or 2GB"
        )
    number, unit, binary = found.groups()
    base = 1024.0 if binary else 1000.0
    return int(float(number) * float(base ** _POWERS[unit.upper()]))
