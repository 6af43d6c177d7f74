"""The server `serving` of a contract, as the platform's own model.

Belongs here: the immutable type, its name and its defaults. Does not belong here: reading it
(`contracts/reading/governed/serving.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SERVING = "serving"
GRACE = timedelta(minutes=10)
KEPT = 3


@dataclass(frozen=True)
class Serving:
    """Each version is served by its primary key, as one generation after the other.

    `columns` is None for all; the key's are served whether named or not. A generation that was
    replaced is kept for `grace`, for readers that are at it; of all, the newest `kept` at most stay,
    the current one among them.
    """

    columns: tuple[str, ...] | None = None
    grace: timedelta = GRACE
    kept: int = KEPT
