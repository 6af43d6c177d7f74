"""Whether all of many keys differ, told by numbers in memory: by marking places, or by sorting.

Belongs here: that one answer, for keys of which most occur once.
Does not belong here: which keys repeat, and how often (`uniqueness.py`).

Whoever imports this needs numpy, which for a small file is more work than to have DuckDB group it.
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from shared_resources.contracts.rules.view import BATCH
from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches

# Fingerprints that are sorted at a time (8 bytes each), and how often the key is read for that.
SORTED_ROWS = 25_000_000
MOST_PASSES = 4
# The places (a byte each) that integers may mark: for a row, and in all.
MOST_PLACES_PER_ROW = 8
MOST_PLACES = 200_000_000
_INTEGERS = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT"})
_ROWS_PER_BATCH = 131_072


def all_differ(
    connection: duckdb.DuckDBPyConnection, key: Sequence[str], where: str, rows: int
) -> bool:
    """Whether no key, of those of the `rows` of the batch that `where` compares, comes twice.

    False as well where that is not to be had by marking or sorting.
    """
    apart = _marked_apart(connection, key[0], where, rows) if len(key) == 1 else None
    return _sorted_apart(connection, key, where, rows) if apart is None else apart


def _marked_apart(
    connection: duckdb.DuckDBPyConnection, key: str, where: str, among: int
) -> bool | None:
    """Whether no key comes twice; None where it is no integer, or they lie far from each other."""
    if str(connection.sql(f"SELECT {key} FROM {BATCH}").types[0]) not in _INTEGERS:
        return None
    # Mostly answered from footers; one that is wrong is noticed below.
    query = f"SELECT min({key}), max({key}) FROM {BATCH}"
    least, greatest = connection.execute(query).fetchall()[0]
    if least is None:
        return True
    places = greatest - least + 1
    if places > min(MOST_PLACES, MOST_PLACES_PER_ROW * among):
        return None
    marked, rows = np.zeros(places, np.bool_), 0
    query = f"SELECT {key}::BIGINT FROM {BATCH} WHERE {where}"
    for batch in arrow_batches(connection.sql(query), _ROWS_PER_BATCH):
        place = _numbers(batch.column(0)) - np.uint64(least % 2**64)
        if len(place) and place.max() >= places:
            return None
        marked[place.view(np.int64)] = True
        rows += len(place)
    return int(np.count_nonzero(marked)) == rows


def _sorted_apart(
    connection: duckdb.DuckDBPyConnection, key: Sequence[str], where: str, rows: int
) -> bool:
    hashed = f"hash({', '.join(key)})"
    passes = max(1, -(-rows // SORTED_ROWS))
    if passes > MOST_PASSES:
        return False
    # Fingerprints spread evenly, unless they repeat.
    seen = np.empty(min(rows, rows // passes * 11 // 10 + 1_000), np.uint64)
    for number in range(passes):
        some = f" AND {hashed} % {passes} = {number}" if passes > 1 else ""
        query = f"SELECT {hashed} FROM {BATCH} WHERE {where}{some}"
        held = 0
        for batch in arrow_batches(connection.sql(query), _ROWS_PER_BATCH):
            if held + len(batch) > len(seen):
                return False
            seen[held : held + len(batch)] = _numbers(batch.column(0))
            held += len(batch)
        found = seen[:held]
        found.sort()
        if (found[1:] == found[:-1]).any():
            return False
    return True


def _numbers(column: pa.Array) -> npt.NDArray[np.uint64]:
    """The column's memory, which holds no null. (`to_numpy` imports pandas, for a third of a second.)"""
    start = column.offset
    return np.frombuffer(column.buffers()[1], np.uint64)[start : start + len(column)]
