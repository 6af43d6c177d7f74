"""Messages that are kept in quarantine: whole, byte for byte, with what is wrong with each.

Belongs here: which messages of a window are kept, the file of them, reading it again.
Does not belong here: the quarantine (`governance/quarantine/`), what is wrong (`window_rows.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.governance.audit.loss import PLACE, REASONS
from shared_resources.landing.rejects import Reason
from shared_resources.streams.log.port import message_schema
from shared_resources.streams.window_rows import WindowRows

UNREADABLE = "parse"


@dataclass(frozen=True)
class WindowMessages:
    """`data_products.batch.MessagesOfBatch`: the messages of a window, and what they were read as."""

    messages: pa.Table
    decoded: WindowRows

    def keep(self, to: Path, rejected: Path | None = None, *, whole: bool = False) -> Path:
        broken = {place: [_said(why[0])] for place, why in self.decoded.faults.items()}
        if rejected is not None:
            for row in pq.read_table(rejected, columns=[PLACE, REASONS]).to_pylist():
                broken[self.decoded.places[row[PLACE]]] = row[REASONS]
        wanted: Sequence[int] = range(self.messages.num_rows) if whole else sorted(broken)
        kept = self.messages.take(pa.array(wanted, pa.int64()))
        reasons = pa.array([broken.get(place, []) for place in wanted], pa.list_(pa.string()))
        pq.write_table(kept.append_column(REASONS, reasons), to, compression="zstd")
        return to


def _said(reason: Reason) -> str:
    """Which names no value: it may be classified."""
    return f"{UNREADABLE}: " + (f"{reason.column}: " if reason.column else "") + reason.problem


def kept_messages(file: Path) -> pa.Table:
    """The messages in a file that `keep` wrote, as they came."""
    return pq.read_table(file, columns=message_schema().names).cast(message_schema())
