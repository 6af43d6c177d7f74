"""The frames that clients of a schema registry put around a message: a zero byte and the schema's id.

Belongs here: taking them off a whole batch at once; bytes as text.
Does not belong here: schemas (`registry.py`), what stands behind the frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from shared_resources.landing.rejects import Reason
from shared_resources.streams.decoding.decoded import Undecodable

HEADER = 5
NOT_UTF8 = "is no UTF-8 text"
NO_FRAME = "does not start with a schema registry's frame (a zero byte and the id of a schema)"
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Framed:
    """The framed messages of a batch: `positions` among all, the `ids` of their schemas, and where each
    body starts and ends in `buffer`, which goes on a little behind the last."""

    buffer: npt.NDArray[np.uint8]
    positions: Places
    ids: Places
    starts: Places
    ends: Places
    undecodable: tuple[Undecodable, ...]
    tombstones: tuple[int, ...]

    def bodies(self, chosen: npt.NDArray[Any] | slice) -> list[bytes]:
        buffer = self.buffer.tobytes()
        pairs = zip(self.starts[chosen].tolist(), self.ends[chosen].tolist(), strict=True)
        return [buffer[start:end] for start, end in pairs]


def unframed(values: pa.Array) -> Framed:
    """`values` are Arrow binary, null for a tombstone."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    values = values.cast(pa.large_binary())
    _, offsets, data = values.buffers()
    ends = np.frombuffer(offsets, np.int64)[values.offset : values.offset + len(values) + 1]
    whole = np.frombuffer(data, np.uint8) if data is not None else np.zeros(0, np.uint8)
    first = int(ends[0]) if len(ends) else 0
    last = int(ends[-1]) if len(ends) else 0
    # Whatever is read beyond a message is refused afterwards; it must be there to be read.
    buffer = np.concatenate([whole[first:last], np.zeros(16, np.uint8)])
    starts, ends = ends[:-1] - first, ends[1:] - first
    missing = np.asarray(values.is_null().to_numpy(zero_copy_only=False), dtype=bool)
    framed = ~missing & (ends - starts >= HEADER)
    framed[framed] = buffer[starts[framed]] == 0
    frameless = np.flatnonzero(~missing & ~framed).tolist()
    positions = np.flatnonzero(framed)
    at = starts[positions]
    ids = np.zeros(len(at), np.int64)
    for place in range(1, HEADER):
        ids = (ids << 8) | buffer[at + place]
    return Framed(
        buffer,
        positions,
        ids,
        at + HEADER,
        ends[positions],
        tuple(Undecodable(position, (Reason(None, None, NO_FRAME),)) for position in frameless),
        tuple(np.flatnonzero(missing).tolist()),
    )


def as_text(binary: pl.Series) -> tuple[pl.Series, dict[int, str]]:
    """The bytes as text, null for a null and for what is none, of which the reasons are given."""
    try:
        return binary.cast(pl.String), {}
    except pl.exceptions.ComputeError:
        pass  # one of them is none: which, polars does not say
    texts: list[str | None] = []
    problems = {}
    for place, value in enumerate(binary.to_list()):
        try:
            texts.append(None if value is None else value.decode())
        except UnicodeDecodeError as error:
            problems[place] = f"{NOT_UTF8}: {error.reason} at byte {error.start + 1}"
            texts.append(None)
    return pl.Series(binary.name, texts, pl.String), problems
