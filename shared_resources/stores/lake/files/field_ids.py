"""Iceberg's field ids in the footer of a Parquet file, whose data stays as it is, byte for byte.

Belongs here: reading and writing that part of a footer (Thrift's compact protocol, `FileMetaData` of
parquet-format).
Does not belong here: which id a column has (`stores/lake/schema.py`).

A file is staged before its table is known. Without ids engines go by the table's name mapping, which
is today's: a column that changed its type since, or is gone, could not be read from older versions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

MAGIC = b"PAR1"
TAIL_BYTES = 8
# Of parquet-format's FileMetaData and SchemaElement.
SCHEMA, NAME, FIELD_ID = 2, 4, 9
# Of Thrift's compact protocol.
STOP, TRUE, FALSE, BYTE, I32, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = (
    0,
    1,
    2,
    3,
    5,
    7,
    8,
    9,
    10,
    11,
    12,
)
_LONG_LIST = 15


def write_field_ids(file: Path, ids: Mapping[str, int]) -> None:
    """Give the columns of a Parquet file these ids, in place; all columns are at its top level.

    Raises `ValueError` for what is no Parquet file.
    """
    with file.open("r+b") as parquet:
        end = parquet.seek(0, os.SEEK_END)
        if end < TAIL_BYTES + len(MAGIC):
            raise ValueError(f"{file} is no Parquet file")
        parquet.seek(end - TAIL_BYTES)
        tail = parquet.read(TAIL_BYTES)
        start = end - TAIL_BYTES - int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or start < len(MAGIC):
            raise ValueError(f"{file} is no Parquet file")
        parquet.seek(start)
        footer = parquet.read(end - TAIL_BYTES - start)
        written = with_field_ids(footer, ids)
        if written != footer:
            parquet.seek(start)
            parquet.write(written + len(written).to_bytes(4, "little") + MAGIC)
            parquet.truncate()


def with_field_ids(footer: bytes, ids: Mapping[str, int]) -> bytes:
    """The footer with these ids in its schema elements; what else it says stays as it is."""
    reader = _Reader(footer)
    schema = next(found for found in reader.fields() if found.number == SCHEMA)
    reader.position = schema.start
    _, count = reader.list_header()
    first = reader.position
    elements = [_element(footer, list(reader.fields()), ids) for _ in range(count)]
    return footer[:first] + b"".join(elements) + footer[reader.position :]


@dataclass(frozen=True)
class _Field:
    number: int
    kind: int
    start: int
    end: int


def _element(footer: bytes, fields: list[_Field], ids: Mapping[str, int]) -> bytes:
    """A schema element, its id set when its name has one."""
    held = {found.number: (found.kind, footer[found.start : found.end]) for found in fields}
    name = _Reader(held[NAME][1]).binary().decode()
    if name in ids:
        held[FIELD_ID] = I32, _varint(_zigzag(ids[name]))
    written, last = bytearray(), 0
    for number, (kind, value) in sorted(held.items()):
        written.append((number - last) << 4 | kind)  # an element has ten fields: no longer steps
        written += value
        last = number
    written.append(STOP)
    return bytes(written)


class _Reader:
    """Walks through one structure of the compact protocol, skipping what nobody asks for."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def fields(self) -> Iterator[_Field]:
        """The fields of the structure that begins here; afterwards the position is behind it."""
        number = 0
        while (header := self._byte()) & 0x0F != STOP:
            number = number + (header >> 4) if header >> 4 else self._signed()
            start, kind = self.position, header & 0x0F
            self._skip(kind)
            end = self.position
            yield _Field(number, kind, start, end)
            self.position = end  # the caller may have looked into it

    def list_header(self) -> tuple[int, int]:
        """The kind of the elements, and how many there are."""
        header = self._byte()
        size = header >> 4
        return header & 0x0F, self._unsigned() if size == _LONG_LIST else size

    def binary(self) -> bytes:
        size = self._unsigned()
        self.position += size
        return self._data[self.position - size : self.position]

    def _skip(self, kind: int, in_list: bool = False) -> None:
        if kind in (TRUE, FALSE):  # a field's header is its value
            self.position += in_list
        elif kind == BYTE:
            self.position += 1
        elif kind == DOUBLE:
            self.position += 8
        elif kind == BINARY:
            self.binary()
        elif kind in (LIST, SET):
            element, count = self.list_header()
            for _ in range(count):
                self._skip(element, in_list=True)
        elif kind == MAP:
            count = self._unsigned()
            kinds = self._byte() if count else 0
            for _ in range(count):
                self._skip(kinds >> 4, in_list=True)
                self._skip(kinds & 0x0F, in_list=True)
        elif kind == STRUCT:
            for _ in self.fields():
                pass
        else:  # integers of any width
            self._unsigned()

    def _byte(self) -> int:
        self.position += 1
        return self._data[self.position - 1]

    def _unsigned(self) -> int:
        value = shift = 0
        while True:
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def _signed(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)


def _zigzag(value: int) -> int:
    return value << 1 ^ value >> 63


def _varint(value: int) -> bytes:
    written = bytearray()
    while value >= 0x80:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)
