"""Rows of subjects that are to be forgotten: which they are, and what a version says without them.

Belongs here: the condition that finds them, the properties of a version that was rewritten.
Does not belong here: rewriting a store's files (the stores), which products hold a subject
(`shared_resources/erasing/`).

The values reach an engine as a table and never as text of a statement: statements are logged, and stand
in errors.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shared_resources.evidence.keys import ATTESTATION, ERASED, ROWS
from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    import duckdb

_TABLE = "mesh_erased"


@dataclass(frozen=True)
class Without:
    """Rows in which any of `columns` has one of `values`, which are keys as text.

    `erasure` is the id under which what becomes of them is noted.
    """

    erasure: str
    columns: tuple[str, ...]
    values: frozenset[str] = field(repr=False)

    def among(self, columns: Collection[str]) -> tuple[str, ...]:
        """The key columns that a version has: an earlier one may lack some."""
        return tuple(column for column in self.columns if column in columns)


@dataclass(frozen=True)
class Rewritten:
    """A version that has `rows` fewer than it had. `problem` says what of it could not be looked at, or
    written anew, and may hold such rows."""

    number: int
    rows: int
    problem: str = ""


def tell(connection: duckdb.DuckDBPyConnection, without: Without) -> None:
    """Make the values known to the connection, for `condition`."""
    import pyarrow as pa

    connection.register(_TABLE, pa.table({"value": pa.array(sorted(without.values), pa.string())}))


def condition(columns: Collection[str]) -> str:
    """Whether a row is one of them: true or false, never null."""
    if not columns:
        return "false"
    known = f"SELECT value FROM {_TABLE}"  # noqa: S608
    asked = (f"CAST({quote_identifier(column)} AS VARCHAR) IN ({known})" for column in columns)
    return " OR ".join(f"coalesce({one}, false)" for one in asked)


def redacted(properties: Mapping[str, str], without: Without, removed: int) -> dict[str, str]:
    """What is committed with the version after `removed` rows have left it."""
    own = {name: value for name, value in properties.items() if name != ATTESTATION}
    own[ROWS] = str(int(own[ROWS]) - removed)
    said = [*erasures_of(properties), (without.erasure, removed)]
    own[ERASED] = json.dumps(said, separators=(",", ":"))
    return own


def erasures_of(properties: Mapping[str, str]) -> list[tuple[str, int]]:
    """The erasures that took rows from the version, and how many each."""
    return [(str(id_), int(rows)) for id_, rows in json.loads(properties.get(ERASED, "[]"))]
