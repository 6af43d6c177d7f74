"""Avro's bytes of many messages at once: one field of all of them after the other.

Belongs here: the binary form of each type, and what is wrong with a message's bytes.
Does not belong here: schemas (`schemas.py`), columns (`messages.py`).

A batch that is wrapped into one container is read as fast by polars, but not as surely: it takes bytes
that are left over, a branch that a union does not have, an integer of more bits for values, reads on in
the next message after a wrong length, and panics at others. Here each message has its own place and its
own end, and one that is malformed stops no other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from shared_resources.streams.decoding.framing import Places

Bytes = npt.NDArray[np.uint8]
PROBLEMS = (
    "",
    "ends before its last field",
    "has more bytes than its schema says",
    "holds an integer of more bits than its type has",
    "holds a text or bytes of a negative length",
    "holds a branch that the union of its schema does not have",
    "holds a boolean that is neither true nor false",
    "holds a symbol that the enum of its schema does not have",
    "holds a decimal of more digits than its schema says",
    "holds a day or a point in time out of the years 1 to 9999",
)
ENDS, MORE, BITS, NEGATIVE, BRANCH, BOOLEAN, SYMBOL, DIGITS, YEARS = range(1, 10)
_MOST_BYTES = 10  # of a varint of 64 bits
_DECIMAL = 16  # bytes of Arrow's decimal


class Cursors:
    """Where each message is read. `problem` is the first that was found of each, 0 for none."""

    def __init__(self, buffer: Bytes, starts: Places, ends: Places) -> None:
        self._buffer = buffer
        self._last = len(buffer) - 1
        self._at = starts.copy()
        self._ends = ends
        self.problem = np.zeros(len(starts), np.uint8)

    def refuse(self, rows: Places, problem: int) -> None:
        first = rows[self.problem[rows] == 0]
        self.problem[first] = problem

    def finish(self) -> None:
        """Every message must end where its last field does."""
        everything = np.arange(len(self._at))
        self.refuse(everything[self._at > self._ends], ENDS)
        self.refuse(everything[self._at < self._ends], MORE)

    def _byte(self, rows: Places) -> Bytes:
        at = self._at[rows]
        self._at[rows] = at + 1
        return self._buffer[np.minimum(at, self._last)]

    def long(self, rows: Places) -> Places:
        """A whole number, written in as few bytes as it needs or in more."""
        byte = self._byte(rows)
        value = (byte & 0x7F).astype(np.uint64)
        more = np.flatnonzero(byte >= 0x80)
        for place in range(1, _MOST_BYTES):
            if not len(more):
                break
            byte = self._byte(rows[more])
            value[more] |= (byte & 0x7F).astype(np.uint64) << np.uint64(7 * place)
            if place == _MOST_BYTES - 1:
                self.refuse(rows[more[byte > 1]], BITS)
            more = more[byte >= 0x80]
        signed = (value >> np.uint64(1)).astype(np.int64)
        return signed ^ -((value & np.uint64(1)).astype(np.int64))

    def integer(self, rows: Places) -> Places:
        value = self.long(rows)
        self.refuse(rows[(value > 2**31 - 1) | (value < -(2**31))], BITS)
        return value

    def boolean(self, rows: Places) -> npt.NDArray[np.bool_]:
        byte = self._byte(rows)
        self.refuse(rows[byte > 1], BOOLEAN)
        return np.equal(byte, 1)

    def floats(self, rows: Places, size: int) -> npt.NDArray[Any]:
        return np.ascontiguousarray(self.fixed(rows, size)).view(f"<f{size}").reshape(-1)

    def fixed(self, rows: Places, size: int) -> Bytes:
        at = self._at[rows]
        self._at[rows] = at + size
        whole = np.minimum(at[:, None] + np.arange(size), self._last)
        found: Bytes = self._buffer[whole]
        return found

    def span(self, rows: Places) -> tuple[Places, Places]:
        """Where the bytes of a text start, and how many they are."""
        length = self.long(rows)
        start = self._at[rows]
        self.refuse(rows[length < 0], NEGATIVE)
        self.refuse(rows[length > self._ends[rows] - start], ENDS)
        length[self.problem[rows] > 0] = 0
        self._at[rows] = start + length
        return start, length

    def gathered(self, start: Places, length: Places) -> tuple[Bytes, Places]:
        """The bytes of spans one after the other, and the offsets between them."""
        offsets = np.zeros(len(length) + 1, np.int64)
        np.cumsum(length, out=offsets[1:])
        source = np.repeat(start - offsets[:-1], length) + np.arange(offsets[-1])
        return self._buffer[source], offsets

    def decimals(self, rows: Places, size: int = 0) -> Bytes:
        """Whole numbers of up to 16 bytes, written from the highest on, as Arrow has them: from the
        lowest on. Of `size` bytes, or as many as each says."""
        if size:
            start, length = self._at[rows], np.full(len(rows), size)
            self._at[rows] = start + size
        else:
            start, length = self.span(rows)
        self.refuse(rows[length > _DECIMAL], DIGITS)
        first = self._buffer[np.minimum(start, self._last)]
        sign = np.where((length > 0) & (first >= 0x80), 0xFF, 0).astype(np.uint8)
        out = np.empty((len(rows), _DECIMAL), np.uint8)
        for place in range(_DECIMAL):
            there = place < length
            at = np.clip(start + length - 1 - place, 0, self._last)
            out[:, place] = np.where(there, self._buffer[at], sign)
        return out
