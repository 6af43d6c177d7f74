"""Counting rows that share a key, in little memory and time.

Belongs here: which keys repeat, from fingerprints; the exact count.
Does not belong here: what a key is (`contracts/rules/view.py`), the rows themselves.

Equal keys have equal fingerprints (64 bits of DuckDB's hash, by which it groups as well), so a key
whose fingerprint occurs once is unique. Most keys are: their fingerprints, sorted, have no two equal
neighbours, which takes a quarter of the time of grouping by them (10 million rows: 0.3 s, 1.2 s).
Where two are equal, DuckDB groups by the fingerprint, which takes half the time of grouping by a key
of five columns and spills to disk as it does; the few rows whose fingerprint repeats are then
compared by the key itself, which makes the count exact. A key that contains another key needs only
the rows in which that one repeats.

A key of one integer that lies close, as counted numbers do, needs no fingerprint: each marks its
place, and as many places as rows are marked (10 million rows: 0.2 s with reading them).
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.view import BATCH, PART, compared, key_expressions
from shared_resources.contracts.types import Family

_ONE_WORD = frozenset({Family.INTEGER, Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ})
_PRINT = "_mesh_fingerprint"
# So few are grouped at once: that takes less than importing what is faster.
GROUPED_ROWS = 10_000


@dataclass(frozen=True)
class _Repeating:
    """The fingerprints of one key that occur more than once, in the table `table`."""

    columns: frozenset[str]
    fingerprint: str
    table: str
    rows: int

    @property
    def condition(self) -> str:
        return f"{self.fingerprint} IN (SELECT {_PRINT} FROM {self.table})"


class Keys:
    """The keys of one batch, of one part or several. Ask for the shorter keys first."""

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, contract: Contract, *, parts: int, rows: int
    ) -> None:
        self._connection = connection
        self._contract = contract
        self._parts = parts
        self._rows = rows
        self._known: list[_Repeating] = []

    def count_duplicates(self, rule: Rule) -> list[tuple[int, int]]:
        """Rows in groups of more than one, for each part that has any: (part, rows)."""
        repeating = self._repeating(rule)
        self._known.append(repeating)
        if not repeating.rows:
            return []
        group = ", ".join([PART, *key_expressions(rule, self._contract)])
        return self._connection.execute(
            f"SELECT _mesh_of, sum(_mesh_rows)::BIGINT FROM (SELECT {PART} AS _mesh_of, "
            f"count(*) AS _mesh_rows FROM {BATCH} WHERE {compared(rule)} "
            f"AND {repeating.condition} GROUP BY {group} HAVING count(*) > 1) GROUP BY _mesh_of"
        ).fetchall()

    def _repeating(self, rule: Rule) -> _Repeating:
        columns = frozenset(rule.columns)
        contained = next((known for known in self._known if known.columns <= columns), None)
        if contained is not None and not contained.rows:
            return contained
        fingerprint = self._fingerprint(rule)
        where = compared(rule)
        if contained is not None:
            where += f" AND {contained.condition}"
        table = f"_mesh_repeating_{len(self._known)}"
        if contained is None and self._all_differ(rule):
            return _Repeating(columns, fingerprint, table, 0)
        self._connection.execute(
            f"CREATE TEMP TABLE {table} AS SELECT {fingerprint} AS {_PRINT} FROM {BATCH} "
            f"WHERE {where} GROUP BY {_PRINT} HAVING count(*) > 1"
        )
        rows = self._connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        return _Repeating(columns, fingerprint, table, rows)

    def _all_differ(self, rule: Rule) -> bool:
        """Whether no key comes twice; False as well where it is DuckDB that finds that out."""
        if self._rows <= GROUPED_ROWS:
            return False
        from shared_resources.governance.audit.engine.differing import all_differ

        return all_differ(self._connection, self._key(rule), compared(rule), self._rows)

    def _fingerprint(self, rule: Rule) -> str:
        """The key itself where it is one word; 64 bits of hash where it is more."""
        key = self._key(rule)
        if len(key) == 1 and self._contract.column(rule.columns[0]).type.family in _ONE_WORD:
            return key[0]
        return f"hash({', '.join(key)})"

    def _key(self, rule: Rule) -> list[str]:
        """What a key consists of: with several parts, of the part as well."""
        key = key_expressions(rule, self._contract)
        return [PART, *key] if self._parts > 1 else key
