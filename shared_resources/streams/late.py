"""Late messages: those that are about a moment long before they came.

Belongs here: which messages a contract's `late` sets aside.
Does not belong here: what becomes of what is set aside (`window.py`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Late
from shared_resources.landing.rejects import Reason
from shared_resources.streams.window_rows import WindowRows

_MICROSECONDS_AN_HOUR = 3_600_000_000


def set_late_apart(contract: Contract, decoded: WindowRows, messages: pa.Table) -> WindowRows:
    """Without the rows that are late by the log's own timestamp of their message."""
    late = contract.stream.late if contract.stream else None
    if late is None or not decoded.places:
        return decoded
    places = pa.array(decoded.places, pa.int64())
    rows = late_rows(late, decoded.rows.column(late.column), messages, places)
    return decoded.without(dict.fromkeys(rows, reason_of(late)))


def late_rows(
    late: Late, about: pa.ChunkedArray | pa.Array, messages: pa.Table, places: pa.Array
) -> list[int]:
    """Which rows are late, by their number: `about` is the column of each that says when it was, and
    `places` (int64) where among the messages each was."""
    came = messages.column("timestamp").take(places)
    came_at = came.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    about_at = about.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    behind = pc.greater(pc.subtract(came_at, about_at), late.hours * _MICROSECONDS_AN_HOUR)
    found: list[int] = pc.indices_nonzero(pc.fill_null(behind, False)).to_pylist()
    return found


def reason_of(late: Late) -> Reason:
    return Reason(late.column, None, f"is late: more than {late.hours} hours before it came")
