"""A domain's query asked of many parts at once: what it answers of each, from one plan and one scan.

Belongs here: which queries can be asked so, asking them, and whose answers they are.
Does not belong here: asking a query of one part (`sql.py`), the process (`process/child.py`).

DuckDB plans such a query for longer than it needs for a day's rows: five queries on each day of a
year took 4.2 s, and 0.6 s at once. Asked of all parts, the query is a subquery that depends on the
part, which DuckDB turns into one that groups by it. That is left to DuckDB for queries of the
plainest form alone: one aggregate over the batch, or over what was selected and grouped from it.
Whatever else a query is, or comes to (an error, no number), it is asked of each part by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import duckdb

from shared_resources.contracts.numbers import Number
from shared_resources.contracts.rules.view import BATCH, PART
from shared_resources.governance.audit.domain_rules.sql import RuleProblem, TimeLimit, number
from shared_resources.governance.audit.engine.connection import (
    float_columns,
    parquet_scan,
    without_nan,
)
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.sql import quote_identifier

# What is grouped by part stays in memory: no more at once than one part may well have.
MOST_ROWS = 1_000_000
_ALL, _ASKED = "_mesh_all", "_mesh_asked"

_EXPRESSIONS = frozenset(
    {"BETWEEN", "CASE", "CAST", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "FUNCTION",
     "OPERATOR", "STAR", "TYPE"}
)  # fmt: skip
_AGGREGATES = frozenset({"avg", "count", "count_if", "count_star", "max", "min", "sum"})


class ManyParts:
    """Answers by part. `parts` are those that a job asks about, with their files.

    On a connection that may read these files. `seconds` is how long one query may take; longer, and
    it is asked of each part.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, parts: Mapping[int, StagedData], seconds: float
    ) -> None:
        self._connection = connection
        self._parts = parts
        self._clock = TimeLimit(connection, seconds)
        self._group_of = {part: group for group in _groups(parts) for part in group}
        self._prepared: tuple[int, ...] = ()
        self._answers: dict[str, tuple[tuple[int, ...], dict[int, Number | float]]] = {}
        self._alone: set[str] = set()

    def __enter__(self) -> ManyParts:
        self._clock.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self._clock.__exit__()

    def answer(self, query: str, part: int) -> Number | float | None:
        """The number of the part; None: ask it of the part by itself."""
        group = self._group_of.get(part)
        if group is None or query in self._alone:
            return None
        asked, known = self._answers.get(query, ((), {}))
        if asked != group:
            try:
                known = self._ask(query, group)
            except (duckdb.Error, RuleProblem):
                self._alone.add(query)
                return None
            self._answers[query] = group, known
        return known.get(part)

    def _ask(self, query: str, group: tuple[int, ...]) -> dict[int, Number | float]:
        if not is_plain(self._connection, query):
            raise RuleProblem("it is asked of each part by itself")
        self._prepare(group)
        columns = ", ".join(map(quote_identifier, self._parts[group[0]].schema.names))
        only = f"SELECT {columns} FROM {_ALL} WHERE {PART} = {_ASKED}"
        asked = (
            f"SELECT {_ASKED}, (WITH {BATCH} AS ({only})\n{query}\n) "
            f"FROM range({len(group)}) AS _mesh_parts({_ASKED})"
        )
        with self._clock.running():
            rows = self._connection.execute(asked).fetchall()
        type_ = str(self._connection.description[1][1])
        # What has no number has a reason, which the part by itself will tell.
        return {group[place]: number(value, type_) for place, value in rows if value is not None}

    def _prepare(self, group: tuple[int, ...]) -> None:
        if group == self._prepared:
            return
        files = [
            (place, path, schema)
            for place, part in enumerate(group)
            for path, schema in zip(
                self._parts[part].paths(), self._parts[part].schemas, strict=True
            )
        ]
        places, paths, schemas = zip(*files, strict=True)
        query = without_nan(parquet_scan(paths, schemas, places), float_columns(schemas[:1]))
        self._connection.execute(f"CREATE OR REPLACE TEMP VIEW {_ALL} AS {query}")
        self._prepared = group


def _groups(parts: Mapping[int, StagedData]) -> Iterator[tuple[int, ...]]:
    """Parts in their order, as many at once as have rows enough; all files of one schema."""
    schemas = [schema for data in parts.values() for schema in data.schemas]
    if any(not schema.equals(schemas[0]) for schema in schemas[1:]):
        return
    if any(name.lower().startswith("_mesh") for schema in schemas[:1] for name in schema.names):
        return
    group: list[int] = []
    rows = 0
    for part, data in parts.items():
        if group and rows + data.batch.rows > MOST_ROWS:
            yield from _together(group)
            group, rows = [], 0
        group.append(part)
        rows += data.batch.rows
    yield from _together(group)


def _together(group: Sequence[int]) -> Iterator[tuple[int, ...]]:
    if len(group) > 1:
        yield tuple(group)


def is_plain(connection: duckdb.DuckDBPyConnection, query: str) -> bool:
    """Whether the query is one aggregate over the batch, or over one plain query after another."""
    asked = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()
    said = json.loads(asked[0][0])
    if said["error"] or len(said["statements"]) != 1:
        return False
    node = said["statements"][0]["node"]
    if node["type"] != "SELECT_NODE" or len(node["select_list"]) != 1:
        return False
    if node["group_expressions"] or node["having"]:  # it may answer any number of rows
        return False
    called = {one.get("function_name") for one in _dictionaries(node["select_list"])}
    if not called & _AGGREGATES:
        return False
    return all(map(_is_plain, _dictionaries(node))) and _tables(node) == [BATCH]


def _tables(node: Mapping[str, Any]) -> list[str]:
    tables = (one for one in _dictionaries(node) if one.get("type") == "BASE_TABLE")
    return [".".join(one["qualified_name"]["path"]).lower() for one in tables]


def _is_plain(one: Mapping[str, Any]) -> bool:
    """Whether an element of a parsed query is of those that are trusted, alone."""
    class_, type_ = one.get("class"), one.get("type")
    if one.get("sample") or one.get("at_clause"):
        return False
    if class_ == "COLUMN_REF":
        return not any(name.lower().startswith("_mesh") for name in one["column_names"])
    if class_ == "STAR":
        return not one["columns"]
    if class_ == "FUNCTION":
        return bool(one["function_name"] != "unnest")
    if class_ is not None:
        return class_ in _EXPRESSIONS
    if type_ == "SELECT_NODE":
        more = one["cte_map"]["map"] or one["modifiers"] or one["qualify"]
        usual = one["aggregate_handling"] == "STANDARD_HANDLING" and len(one["group_sets"]) <= 1
        return usual and not more
    if type_ == "ORDER_MODIFIER":
        return not one["orders"]
    # Without a type it is no element, but what belongs to one.
    return type_ in (None, "BASE_TABLE", "SUBQUERY")


def _dictionaries(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
    inner: Iterable[object] = (
        value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
    )
    for one in inner:
        yield from _dictionaries(one)
