"""What a foreign footer says that decoding the pages does not prove, and the footer without it.

Belongs here: which those claims are, and writing the footer again without them.
Does not belong here: proving minima, maxima and null counts (`pages.py`); Iceberg's field ids
(`stores/lake/files/field_ids.py`).

A filter or an index that lies, or in which a bit was flipped, makes an engine leave out rows that are
there, without an error: nothing decodes it, and no checksum covers it. All of it may be missing.

Minima, maxima and null counts are proven where Arrow shows them. It does not show those of which it
doubts the order or the writer, and DuckDB, which answers from them, doubts neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

MAGIC = b"PAR1"
TAIL_BYTES = 8
# By the numbers of Thrift's fields: of a row group the order of its rows; of a column chunk where
# its offset index, column index and Bloom filter are; of its statistics how many values differ, and
# whether bounds are values, which is proven of all that are left.
_UNPROVEN = frozenset(
    {
        (4, 4),
        (4, 1, 4), (4, 1, 5), (4, 1, 6), (4, 1, 7),
        (4, 1, 3, 14), (4, 1, 3, 15),
        (4, 1, 3, 12, 4),
    }
)  # fmt: skip
# Bounds that old readers look at, beside those of today: the same, or nothing.
_STATISTICS = (4, 1, 3, 12)
_OLD_BOUNDS: Mapping[int, int] = {1: 5, 2: 6}
_NULLS, _BOUNDS = 3, (1, 2, 5, 6)
_GROUP, _COLUMN = (4,), (4, 1)
# How a column's bounds are ordered: as its type is, the one order that there is for all types.
_ORDERS, _ORDER_OF_TYPE = (7,), b"\x1c\x00\x00"
_ABOVE = frozenset(path[:length] for path in {*_UNPROVEN, (*_STATISTICS, 1)} for length in range(5))
_STOP, _TRUTHS, _BYTE, _DOUBLE, _BINARY, _STRUCT = 0, (1, 2), 3, 7, 8, 12
_LISTS, _MAP, _LONG_LIST = (9, 10), 11, 15


@dataclass(frozen=True)
class _Shown:
    """What Arrow shows of a column chunk's statistics: `pages.py` has compared that, and no more."""

    nulls: bool
    bounds: bool

    @staticmethod
    def of(column: pq.ColumnChunkMetaData) -> _Shown:
        said = column.statistics
        if said is None:
            return _Shown(nulls=False, bounds=False)
        return _Shown(nulls=said.has_null_count, bounds=said.has_min_max)


def proven_footer(file: Path, metadata: pq.FileMetaData) -> bytes | None:
    """The footer without what is not proven; None when there is nothing of that in it.

    Of a file that an engine has decoded: its footer has the shape that it must have. `metadata` is
    what Arrow read of the same footer.
    """
    footer = _footer(file)
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    shown = [[_Shown.of(group.column(i)) for i in range(group.num_columns)] for group in groups]
    reading = _Footer(footer, shown)
    kept = reading.kept(())
    if reading.orders != _ORDER_OF_TYPE * metadata.num_columns:
        # Arrow took the old bounds for those of today, of which each engine has its own opinion.
        shown = [[replace(one, bounds=False) for one in group] for group in shown]
        kept = _Footer(footer, shown).kept(())
    return None if kept == footer else kept


def write_footer(file: Path, footer: bytes) -> None:
    """Give the file another footer, in place; its pages stay where they are."""
    start = file.stat().st_size - TAIL_BYTES - len(_footer(file))
    with file.open("r+b") as parquet:
        parquet.seek(start)
        parquet.write(footer + len(footer).to_bytes(4, "little") + MAGIC)
        parquet.truncate()


def _footer(file: Path) -> bytes:
    with file.open("rb") as parquet:
        end = parquet.seek(-TAIL_BYTES, 2)
        length = int.from_bytes(parquet.read(4), "little")
        parquet.seek(end - length)
        return parquet.read(length)


class _Footer:
    """One pass over a structure of Thrift's compact protocol, copying what is kept of it."""

    def __init__(self, content: bytes, shown: Sequence[Sequence[_Shown]]) -> None:
        self._content = content
        self._at = 0
        self._shown = shown
        self._group = self._column = 0  # the one that is being copied
        self.orders = b""  # of the columns, once all was copied

    def kept(self, path: tuple[int, ...]) -> bytes:
        """The structure that begins here, without what is unproven; the position is behind it."""
        held: dict[int, tuple[int, bytes]] = {}
        number = 0
        while (head := self._byte()) != _STOP:
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind, here, start = head & 15, (*path, number), self._at
            if here in _ABOVE and kind == _STRUCT:
                value = self.kept(here)
            elif here in _ABOVE and kind in _LISTS:
                value = self._kept_list(here)
            elif here == _ORDERS and kind in _LISTS:
                self._list_head()
                first, self._at = self._at, start
                self._skip(kind, in_list=False)
                value, self.orders = (
                    self._content[start : self._at],
                    self._content[first : self._at],
                )
            else:
                self._skip(kind, in_list=False)
                value = self._content[start : self._at]
            if here not in _UNPROVEN:
                held[number] = kind, value
        if path == _STATISTICS:
            self._take_out_unproven(held)
        return _written(held)

    def _take_out_unproven(self, statistics: dict[int, tuple[int, bytes]]) -> None:
        shown = self._shown[self._group][self._column]
        gone = [] if shown.nulls else [_NULLS]
        gone += [] if shown.bounds else _BOUNDS
        for old, new in _OLD_BOUNDS.items():
            if statistics.get(old) != statistics.get(new):
                gone.append(old)
        for number in gone:
            statistics.pop(number, None)

    def _kept_list(self, path: tuple[int, ...]) -> bytes:
        start = self._at
        kind, count = self._list_head()
        first = self._at
        if kind != _STRUCT:
            self._at = start
            self._skip(_LISTS[0], in_list=True)
            return self._content[start : self._at]
        elements = []
        for place in range(count):
            if path == _GROUP:
                self._group = place
            elif path == _COLUMN:
                self._column = place
            elements.append(self.kept(path))
        return self._content[start:first] + b"".join(elements)

    def _skip(self, kind: int, *, in_list: bool) -> None:
        if kind in _TRUTHS:  # a field's truth is in its head
            self._at += in_list
        elif kind == _BYTE:
            self._at += 1
        elif kind == _DOUBLE:
            self._at += 8
        elif kind == _BINARY:
            size = self._unsigned()
            self._at += size
        elif kind in _LISTS:
            element, count = self._list_head()
            for _ in range(count):
                self._skip(element, in_list=True)
        elif kind == _MAP:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            for _ in range(count):
                self._skip(kinds >> 4, in_list=True)
                self._skip(kinds & 15, in_list=True)
        elif kind == _STRUCT:
            while (head := self._byte()) != _STOP:
                if not head >> 4:
                    self._signed()
                self._skip(head & 15, in_list=False)
        else:  # integers of any width
            self._unsigned()

    def _list_head(self) -> tuple[int, int]:
        head = self._byte()
        count = head >> 4
        return head & 15, self._unsigned() if count == _LONG_LIST else count

    def _byte(self) -> int:
        self._at += 1
        return self._content[self._at - 1]

    def _unsigned(self) -> int:
        value = shift = 0
        while (byte := self._byte()) > 127:
            value |= (byte & 127) << shift
            shift += 7
        return value | byte << shift

    def _signed(self) -> int:
        value = self._unsigned()
        return (value >> 1) ^ -(value & 1)


def _written(fields: Mapping[int, tuple[int, bytes]]) -> bytes:
    """A structure of these fields; each is told by its distance from the one before, if that is short."""
    written, last = bytearray(), 0
    for number, (kind, value) in sorted(fields.items()):
        step = number - last
        if 0 < step < 16:
            written.append(step << 4 | kind)
        else:
            written.append(kind)
            written += _zigzag(number)
        written += value
        last = number
    written.append(_STOP)
    return bytes(written)


def _zigzag(number: int) -> bytes:
    rest, written = (number << 1) ^ (number >> 63), bytearray()
    while rest > 127:
        written.append(rest & 127 | 128)
        rest >>= 7
    written.append(rest)
    return bytes(written)
