"""Late messages: those that are about a moment long before they came.

Belongs here: which messages a contract's `late` sets aside.
Does not belong here: what becomes of what is set aside (`window.py`).
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.model import Contract
from shared_resources.landing.rejects import Reason
from shared_resources.streams.window_rows import WindowRows

_MICROSECONDS_AN_HOUR = 3_600_000_000


def set_late_apart(contract: Contract, decoded: WindowRows, messages: pa.Table) -> WindowRows:
    """Without the rows that are late by the log's own timestamp of their message."""
    late = contract.stream.late if contract.stream else None
    if late is None or not decoded.places:
        return decoded
    came = messages.column("timestamp").take(pa.array(decoded.places, pa.int64()))
    came_at = came.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    about = decoded.rows.column(late.column).cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    behind = pc.greater(pc.subtract(came_at, about), late.hours * _MICROSECONDS_AN_HOUR)
    rows = pc.indices_nonzero(pc.fill_null(behind, False)).to_pylist()
    why = Reason(late.column, None, f"is late: more than {late.hours} hours before it came")
    return decoded.without(dict.fromkeys(rows, why))
