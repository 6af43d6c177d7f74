"""A file as a listing shows it, wherever it is stored.

Belongs here: its location, size and age.
Does not belong here: listing a place (`s3_objects.py`, `stores/lake/files/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class StoredFile:
    """A file as a listing shows it: its location, its bytes, when it was last written."""

    location: str
    size: int
    modified: datetime
