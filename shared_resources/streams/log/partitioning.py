"""Which partition a key belongs to: as Kafka's own (Java) clients decide it, whoever writes.

Belongs here: murmur2 over a whole column of keys. Does not belong here: messages without a key, for
which each log has a way of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_SEED, _M, _SHIFT = 0x9747B28C, 0x5BD1E995, 24


def partitions_of(keys: pa.Array, partitions: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """The partition of each of the keys (binary, none of them null), int32.

    `org.apache.kafka.common.utils.Utils.murmur2`, made positive, modulo the number of partitions.
    """
    import numpy as np

    buffers = keys.buffers()
    offsets = np.frombuffer(buffers[1], np.int32, len(keys) + 1, keys.offset * 4)
    data = np.frombuffer(buffers[2], np.uint8) if buffers[2] else np.zeros(0, np.uint8)
    starts, lengths = offsets[:-1].astype(np.int64), np.diff(offsets)
    hashes = np.empty(len(keys), np.uint32)
    for length in np.unique(lengths):  # keys of one length are one matrix
        rows = np.flatnonzero(lengths == length)
        hashes[rows] = _murmur2(data[starts[rows][:, None] + np.arange(length)])
    return ((hashes & np.uint32(0x7FFFFFFF)) % np.uint32(partitions)).astype(np.int32)


def _murmur2(keys: Any) -> Any:
    """Of a matrix of bytes, a key a row."""
    import numpy as np

    count, length = keys.shape
    m, shift = np.uint32(_M), np.uint32(_SHIFT)
    whole = length // 4 * 4
    words = np.ascontiguousarray(keys[:, :whole]).view("<u4")
    hashed = np.full(count, _SEED ^ length, np.uint32)
    for column in range(words.shape[1]):
        word = words[:, column] * m
        word = (word ^ (word >> shift)) * m
        hashed = (hashed * m) ^ word
    if length > whole:
        for place in range(whole, length):
            hashed ^= keys[:, place].astype(np.uint32) << np.uint32(8 * (place - whole))
        hashed *= m
    hashed = (hashed ^ (hashed >> np.uint32(13))) * m
    return hashed ^ (hashed >> np.uint32(15))
