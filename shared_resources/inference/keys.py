"""What tells one row from another: a column, or a few together, proven on all rows.

Belongs here: which columns are tried, in which order, and the proof.
Does not belong here: whether it will hold tomorrow, which only the producer knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import combinations, islice
from math import prod

import duckdb

from shared_resources.contracts.types import MOMENTS, Family
from shared_resources.inference.values import Values
from shared_resources.sql import quote_identifier

_NAMED = re.compile(
    r"(^|_)(id|ids|key|code|number|num|no|nr|uuid|guid|sku|isbn|ean|upc|iban)(_[0-9])?$"
)
_NEVER = frozenset({Family.FLOAT, Family.BOOLEAN, Family.DECIMAL})
# Keys are made of the first columns; how many combinations are counted, of each size.
_FIRST_COLUMNS = 12
_MOST_COUNTED = 24
_LARGEST_KEY = 4
_LONGEST_TEXT = 100
_SAMPLE = 20_000


def key_of(
    connection: duckdb.DuckDBPyConnection, source: str, columns: Sequence[Values]
) -> tuple[str, ...]:
    """The names of the key's columns, in their order; none where none is found."""
    rows = columns[0].rows if columns else 0
    if rows < 2:
        return ()
    usable = [one for one in columns if _usable(connection, source, one)]
    single = [one for one in usable if one.unique]
    if single:
        return (min(single, key=lambda one: _rank(one, usable)).field.name,)
    first = [one for one in usable if one.distinct > 1][:_FIRST_COLUMNS]
    for size in range(2, _LARGEST_KEY + 1):
        for together in islice(_in_order(first, size, rows), _MOST_COUNTED):
            names = [one.field.name for one in together]
            if _differ(connection, source, names, _SAMPLE) and _differ(connection, source, names):
                return tuple(names)
    return ()


def is_named_like_a_key(name: str) -> bool:
    return _NAMED.search(name) is not None


def _usable(connection: duckdb.DuckDBPyConnection, source: str, one: Values) -> bool:
    if not one.required or one.field.type.family in _NEVER:
        return False
    if one.field.type.family is not Family.STRING:
        return True
    name = quote_identifier(one.field.name)
    longest = connection.execute(f"SELECT max(length({name})) FROM {source}").fetchall()[0][0]
    return bool(longest <= _LONGEST_TEXT)


def _rank(one: Values, of: Sequence[Values]) -> tuple[int, int]:
    """What is named like a key, then whole numbers and texts, then points in time; the first first."""
    kind = 2 if one.field.type.family in MOMENTS else 1
    return (0 if is_named_like_a_key(one.field.name) else kind, of.index(one))


def _in_order(columns: Sequence[Values], size: int, rows: int) -> Iterator[tuple[Values, ...]]:
    able = [
        together
        for together in combinations(columns, size)
        if prod(one.distinct for one in together) >= rows
    ]

    def rank(together: tuple[Values, ...]) -> tuple[int, int]:
        named = [_rank(one, columns) for one in together]
        return sum(kind for kind, _ in named), sum(place for _, place in named)

    return iter(sorted(able, key=rank))


def _differ(
    connection: duckdb.DuckDBPyConnection, source: str, names: Sequence[str], first: int = 0
) -> bool:
    columns = ", ".join(map(quote_identifier, names))
    some = f"(SELECT {columns} FROM {source} LIMIT {first})" if first else source
    query = f"SELECT count(*) = count(DISTINCT ({columns})) FROM {some}"
    return bool(connection.execute(query).fetchall()[0][0])
