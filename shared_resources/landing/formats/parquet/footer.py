"""A Parquet file's footer before any engine reads it: is it whole, and is anything encrypted or strange?

Belongs here: finding the footer, walking over its Thrift structure, encryption, what is ordinary.
Does not belong here: what the columns are (`reader.py`), or what the pages hold (`pages.py`).

Arrow ends the whole process when it is asked for a column of which the footer is encrypted while
the file's own is not. Nothing of Arrow's tells that beforehand, so the footer is walked here: it is
written in Thrift's compact protocol, of which only the shape matters.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from shared_resources.landing.errors import UnreadableObject

MAGIC, ENCRYPTED_MAGIC = b"PAR1", b"PARE"
_DEEPEST = 32
# Where the format says that something is encrypted, by the numbers of Thrift's fields: the file's
# algorithm, and in row_groups.columns the crypto_metadata and the encrypted_column_metadata.
_ENCRYPTED = frozenset({(8,), (4, 1, 8), (4, 1, 9)})
# The physical type of a column: in the schema, whose inner nodes have none, and in each row group.
_DECLARED, _STORED = (2, 1), (4, 1, 3, 1)
# By the numbers of the structs around them, the fields that a file has that this platform is tested
# with: the schema and its logical types up to half floats, row groups, chunks (none in another
# file), their metadata and statistics, keys and values, column orders. No geography, no variants.
_KNOWN: Mapping[tuple[int, ...], range] = {
    (): range(1, 8),
    (2,): range(1, 11),
    (2, 10): range(1, 16),
    **{(2, 10, kind): range(1, 3) for kind in (5, 7, 8, 10)},
    **{(2, 10, kind, 2): range(1, 4) for kind in (7, 8)},
    (4,): range(1, 8),
    (4, 4): range(1, 4),
    (4, 1): range(2, 8),
    (4, 1, 3): range(1, 17),
    (4, 1, 3, 8): range(1, 3),
    (4, 1, 3, 12): range(1, 9),
    (4, 1, 3, 13): range(1, 4),
    (4, 1, 3, 16): range(1, 4),
    (5,): range(1, 3),
    (7,): range(1, 2),
}
_TRUTHS, _INTEGERS, _LISTS = frozenset({1, 2}), frozenset({4, 5, 6}), frozenset({9, 10})
_BYTE, _DOUBLE, _BINARY, _MAP, _STRUCT = 3, 7, 8, 11, 12
_DECRYPT = "decrypt it before it is landed; the mesh has none of its keys"


class NotParquet(ValueError):
    """A file that is not framed as Parquet, or whose footer has no shape."""


def refuse_encrypted(file: Path, object_key: str) -> None:
    """Raise `UnreadableObject` for what is encrypted, and `NotParquet` for what has no footer."""
    try:
        fields = _fields(file)
    except _Encrypted:
        raise UnreadableObject(object_key, "is an encrypted Parquet file", _DECRYPT) from None
    if not fields.isdisjoint(_ENCRYPTED):
        raise UnreadableObject(object_key, "holds encrypted columns", _DECRYPT)


def is_ordinary(file: Path) -> bool:
    """Whether the footer holds nothing but what writers have long written and Arrow is known to read.

    What is no Parquet, or encrypted, is ordinary: it is refused before anything reads it.
    """
    try:
        fields = _fields(file)
    except (_Encrypted, NotParquet):
        return True
    strange = {path for path in fields if path[-1] not in _KNOWN.get(path[:-1], ())}
    return not strange or not fields.isdisjoint(_ENCRYPTED)


class _Encrypted(Exception):
    """The footer itself is encrypted."""


def _fields(file: Path) -> set[tuple[int, ...]]:
    """The footer's fields, each by its number behind those of the structs around it."""
    with file.open("rb") as raw:
        start = raw.read(4)
        size = raw.seek(0, 2)
        raw.seek(max(0, size - 8))
        end = raw.read(8)
        if ENCRYPTED_MAGIC in (start, end[4:]):
            raise _Encrypted
        if start != MAGIC:
            raise NotParquet("it does not start as one")
        if end[4:] != MAGIC:
            raise NotParquet("it does not end as one")
        length = int.from_bytes(end[:4], "little")
        if length > size - 12:
            raise NotParquet("it is shorter than its footer")
        raw.seek(size - 8 - length)
        footer = raw.read(length)
    walk = _Walk(footer)
    try:
        fields = walk.fields()
    except (IndexError, ValueError, RecursionError) as error:
        raise NotParquet("its footer has no shape") from error
    declared, stored = (walk.numbers[path] for path in (_DECLARED, _STORED))
    if stored and (not declared or stored != declared * (len(stored) // len(declared))):
        # Decoding does not notice, and asking for the statistics would end the process.
        raise NotParquet("its footer says two types of one column")
    return fields


class _Walk:
    """One pass over a struct of Thrift's compact protocol."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0
        self.numbers: dict[tuple[int, ...], list[int]] = {_DECLARED: [], _STORED: []}

    def fields(self) -> set[tuple[int, ...]]:
        """The numbers of the fields that are there, each behind those of the structs around it."""
        found: set[tuple[int, ...]] = set()
        self._struct((), found)
        return found

    def _struct(self, path: tuple[int, ...], found: set[tuple[int, ...]]) -> None:
        if len(path) > _DEEPEST:
            raise ValueError("too deep")
        content, number = self._content, 0
        while head := content[self._at]:
            self._at += 1
            step, kind = head >> 4, head & 15
            number = number + step if step else self._signed()
            here = (*path, number)
            found.add(here)
            if here in self.numbers and kind in _INTEGERS:
                self.numbers[here].append(self._signed())
            elif kind in _INTEGERS:
                while content[self._at] > 127:
                    self._at += 1
                self._at += 1
            elif kind not in _TRUTHS:  # a field's truth is in its head
                self._value(kind, here, found)
        self._at += 1

    def _value(self, kind: int, path: tuple[int, ...], found: set[tuple[int, ...]]) -> None:
        if kind == _STRUCT:
            self._struct(path, found)
        elif kind in _INTEGERS:
            self._number()
        elif kind == _BINARY:
            self._forward(self._number())
        elif kind in _LISTS:
            head = self._byte()
            count = head >> 4
            count = self._number() if count == 15 else count
            for _ in range(count):  # each has a byte at least: too many end at the footer's end
                self._value(head & 15, path, found)
        elif kind == _MAP:
            count = self._number()
            kinds = self._byte() if count else 0
            for _ in range(count):
                self._value(kinds >> 4, path, found)
                self._value(kinds & 15, path, found)
        elif kind == _DOUBLE:
            self._forward(8)
        elif kind in _TRUTHS or kind == _BYTE:  # in a collection a truth is a byte, too
            self._forward(1)
        else:
            raise ValueError(f"no type {kind}")

    def _forward(self, count: int) -> None:
        self._at += count
        if self._at > len(self._content):
            raise ValueError("cut off")

    def _byte(self) -> int:
        byte = self._content[self._at]
        self._at += 1
        return byte

    def _number(self) -> int:
        number, shift = 0, 0
        while (byte := self._byte()) > 127:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("a number without end")
        return number | byte << shift

    def _signed(self) -> int:
        number = self._number()
        return (number >> 1) ^ -(number & 1)
