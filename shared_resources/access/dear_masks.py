"""Masks that cost more than looking up what they made of a value before: hashes, and redacted text.

Belongs here: these masks on Arrow's columns, each worked out once for each different value.
Does not belong here: what a mask means (`contracts/roles/masks.py`, whose SQL these agree with), the
masks that cost less than a look (moments, numbers, one value for all), which the engine works out.

What was worked out is kept for one reading, at most so many values of a column, and is gone with it: a
table of hashes and what they hide is what a hash is to keep from being made.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from shared_resources import arrow_functions as pc
from shared_resources.contracts.roles.masks import KEYED_HASH, QUERY_LOCAL
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

# Rows that are looked at together: the more there are, the more of them are the same.
MOST_ROWS, MOST_BYTES = 1 << 20, 64 << 20
# Values of a column that are kept for the rows that come later.
_KEPT = 1 << 18
# Integers that lie this close together are looked up by their place.
_CLOSE = 1 << 22

Hash = Callable[[bytes], Any]
_REDACTED = ("mask-alphanum", "show-first-4", "show-last-4")
_HASHED = ("sha-256-global", QUERY_LOCAL, KEYED_HASH)


def is_dear(mask: Mask) -> bool:
    return mask.kind in _REDACTED or mask.kind in _HASHED


class DearMask:
    """A column's mask in one reading. `inner` and `outer` are the halves of the mesh's key, `salt` is
    the reading's own; a mask that needs none is given none."""

    def __init__(
        self, mask: Mask, type_: ColumnType, inner: bytes, outer: bytes, salt: bytes
    ) -> None:
        self._column: _Texts | _Integers
        if mask.kind in _REDACTED:
            self._column = _Texts(redacting(mask.kind))
        elif type_.family is Family.STRING:
            hashed = hashing(mask.kind, inner, outer, salt)
            self._column = _Texts(lambda text: hashed(text.encode()).hexdigest())
        else:
            self._column = _Integers(hashing(mask.kind, inner, outer, salt), type_)

    @property
    def looks_up(self) -> bool:
        """Whether it is faster with many rows at once."""
        return isinstance(self._column, _Texts)

    def __call__(self, values: Sequence[pa.Array]) -> pa.Array:
        """The masked values of the arrays, in their order; of a null a null. Raises what Arrow raises."""
        return self._column.masked(values)


def together(
    batches: Iterable[pa.RecordBatch], wanted: bool = True
) -> Iterator[list[pa.RecordBatch]]:
    """More and more batches at once, so that who looks at the first few rows waits for no more; one by
    one where it is not `wanted`."""
    waiting: list[pa.RecordBatch] = []
    rows = size = most = 0
    for batch in batches:
        waiting.append(batch)
        rows, size = rows + batch.num_rows, size + batch.nbytes
        if not wanted or rows >= most or size >= MOST_BYTES:
            yield waiting
            most = min(MOST_ROWS, 2 * rows)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield waiting


class _Texts:
    """Texts are told apart by Arrow, and what is new among them is masked one by one."""

    def __init__(self, one: Callable[[str], str]) -> None:
        import pyarrow as pa

        self._one = one
        self._known = self._masked = pa.array([], pa.string())

    def masked(self, values: Sequence[pa.Array]) -> pa.Array:
        import pyarrow as pa

        told = pa.chunked_array(values).dictionary_encode()
        if not told.num_chunks:
            return pa.array([], pa.string())
        different = told.chunk(told.num_chunks - 1).dictionary
        indices = pa.concat_arrays([chunk.indices for chunk in told.chunks])
        found = pc.index_in(different, value_set=self._known)
        new = different.filter(found.is_null()) if found.null_count else self._known.slice(0, 0)
        masked = self._masked
        if len(new):
            made = pa.array(map(self._one, new.to_pylist()), pa.string())
            masked = pa.concat_arrays([masked, made])
            places = pa.array(range(len(self._known), len(masked)), found.type)
            found = pc.replace_with_mask(found, found.is_null(), places)
            if len(masked) <= _KEPT:
                self._known, self._masked = pa.concat_arrays([self._known, new]), masked
        return masked.take(found.take(indices))


class _Integers:
    """Integers that lie close together, as keys do, are kept by their place in a table."""

    def __init__(self, hashed: Hash, type_: ColumnType) -> None:
        self._hashed = hashed
        self._size = type_.width // 8
        self._least: int | None = None
        self._table: np.ndarray[Any, Any] | None = None
        self._known: np.ndarray[Any, Any] | None = None

    def masked(self, each: Sequence[pa.Array]) -> pa.Array:
        import numpy as np
        import pyarrow as pa

        values = each[0] if len(each) == 1 else pa.concat_arrays(each)
        numbers = np.asarray(values.fill_null(0) if values.null_count else values)
        made = pa.array(self._of(numbers), values.type)
        if values.null_count:
            return pc.if_else(values.is_valid(), made, pa.scalar(None, values.type))
        return made

    def _of(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        import numpy as np

        if not len(numbers):
            return numbers
        least, most = int(numbers.min()), int(numbers.max())
        if self._least is None and most - least < _CLOSE:
            self._least = max(least - (_CLOSE - (most - least)) // 2, -(1 << (8 * self._size - 1)))
            self._table = np.zeros(_CLOSE, numbers.dtype)
            self._known = np.zeros(_CLOSE, np.bool_)
        if self._least is None or least < self._least or most >= self._least + _CLOSE:
            return self._hash(numbers)
        assert self._table is not None and self._known is not None
        places = numbers - self._least
        new = np.unique(places[~self._known[places]])
        self._table[new] = self._hash((new + self._least).astype(numbers.dtype))
        self._known[new] = True
        found: np.ndarray[Any, Any] = self._table[places]
        return found

    def _hash(self, numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """The first bytes of each one's hash, which is that of its own bytes, the lowest first."""
        import numpy as np

        form = f"<i{self._size}"
        size, hashed, data = self._size, self._hashed, numbers.astype(form).tobytes()
        whole = b"".join(
            [hashed(data[at : at + size]).digest() for at in range(0, len(data), size)]
        )
        first = np.frombuffer(whole, np.uint8).reshape(-1, hashlib.sha256().digest_size)[:, :size]
        hashes: np.ndarray[Any, Any] = np.ascontiguousarray(first).view(form).reshape(-1)
        return hashes.astype(numbers.dtype)


def hashing(kind: str, inner: bytes, outer: bytes, salt: bytes) -> Hash:
    """What begins alike for every value is hashed once."""
    if kind != KEYED_HASH:
        start = hashlib.sha256(salt if kind == QUERY_LOCAL else b"").copy

        def plain(value: bytes) -> Any:
            begun = start()
            begun.update(value)
            return begun

        return plain
    of_value, of_hash = hashlib.sha256(inner).copy, hashlib.sha256(outer).copy

    def keyed(value: bytes) -> Any:
        first, second = of_value(), of_hash()
        first.update(value)
        second.update(first.digest())
        return second

    return keyed


class _Signs(dict[int, str]):
    """By code point: digits become n, everything else x but for ``( ) , . - @``."""

    def __missing__(self, sign: int) -> str:
        return "x"


_SIGNS = _Signs({ord(sign): sign for sign in "(),.-@"} | {ord(sign): "n" for sign in "0123456789"})


def redacting(kind: str) -> Callable[[str], str]:
    if kind == "show-first-4":
        return lambda text: text[:4] + text[4:].translate(_SIGNS)
    if kind == "show-last-4":
        return lambda text: text[:-4].translate(_SIGNS) + text[-4:]
    return lambda text: text.translate(_SIGNS)
