"""Which release of the platform runs here: what was worked out by another may not hold any more.

Belongs here: a digest of the text of the platform's own code.
Does not belong here: what is kept under it (`mesh/kept_contracts.py`, `arrivals/listing.py`).
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

_PLATFORM = Path(__file__).parent


@cache
def code_digest(*rooms: str) -> str:
    """SHA-256 of all code in these rooms of the platform; a room is a folder or a module."""
    digest = hashlib.sha256()
    for room in rooms:
        place = _PLATFORM / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            text = file.read_bytes()
            digest.update(f"{file.relative_to(_PLATFORM)} {len(text)} ".encode() + text)
    return digest.hexdigest()
