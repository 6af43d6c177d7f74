"""Spare copies of what is recorded of versions, in the mesh's own schema: a domain's may be lost.

Belongs here: the table `spares`, which tells that a version was lost, and what it was.
Does not belong here: the record that publishes (`versions.py`), bringing versions back
(`stores/cloud_warehouse/repair.py`).

A spare is made after its version is published and forgotten before it expires: where there is one,
there must be a version. One that is lost for good keeps its spare, marked so: its number is not given
to another.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.record.entry import COLUMNS, NAMES, Entry, values_of
from shared_resources.stores.cloud_warehouse.session import (
    ConnectionLost,
    Locked,
    Missing,
    SnowflakeProblem,
    SnowflakeSession,
)
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.view import TAGS_SCHEMA


@dataclass(frozen=True)
class Numbers:
    """Of versions that must be recorded, and of those that are known to be lost."""

    kept: frozenset[int] = frozenset()
    lost: frozenset[int] = frozenset()


class Spares:
    """The spares of one product."""

    def __init__(self, session: SnowflakeSession, product: str) -> None:
        self._session = session
        self._product = product
        self._table = Name(TAGS_SCHEMA, "spares")

    def keep(self, entry: Entry) -> None:
        """That the version is published is not less true where no spare can be made."""
        try:
            self._insert(entry)
        except Missing:
            with suppress(SnowflakeProblem):
                self._session.execute(
                    f"CREATE SCHEMA IF NOT EXISTS {quote_identifier(TAGS_SCHEMA)}"
                )
                self._session.execute(
                    f'CREATE TABLE IF NOT EXISTS {self._table} ({COLUMNS}, "lost" BOOLEAN)'
                )
                self._insert(entry)
        except (ConnectionLost, Locked):
            raise
        except SnowflakeProblem:
            return

    def numbers(self) -> Numbers:
        try:
            rows = self._session.query(
                f'SELECT "number", "lost" FROM {self._table} WHERE "product" = ?', [self._product]
            ).rows
        except Missing:
            return Numbers()
        lost = frozenset(int(number) for number, lost in rows if lost)
        return Numbers(frozenset(int(number) for number, _ in rows) - lost, lost)

    def entry(self, number: int) -> Entry | None:
        rows = self._session.query(
            f'SELECT "table_name", "evidence", "content" FROM {self._table} '
            'WHERE "product" = ? AND "number" = ?',
            [self._product, number],
        ).rows
        return Entry.of(*rows[0]) if rows else None

    def forget(self, numbers: Sequence[int]) -> None:
        marks = ", ".join("?" for _ in numbers)
        with suppress(Missing):
            self._session.execute(
                f'DELETE FROM {self._table} WHERE "product" = ? AND "number" IN ({marks})',
                [self._product, *numbers],
            )

    def forget_all(self) -> None:
        with suppress(Missing):
            self._session.execute(f'DELETE FROM {self._table} WHERE "product" = ?', [self._product])

    def note_lost(self, numbers: Sequence[int]) -> None:
        marks = ", ".join("?" for _ in numbers)
        self._session.execute(
            f'UPDATE {self._table} SET "lost" = TRUE WHERE "product" = ? AND "number" IN ({marks})',
            [self._product, *numbers],
        )

    def _insert(self, entry: Entry) -> None:
        self._session.execute(
            f'INSERT INTO {self._table} ({NAMES}, "lost") '
            "SELECT ?, ?, ?, ?, ?, CAST(? AS TIMESTAMP_TZ(6)), ?, ?, FALSE WHERE NOT EXISTS "
            f'(SELECT 1 FROM {self._table} WHERE "product" = ? AND "number" = ?)',
            [self._product, *values_of(entry), self._product, entry.number],
        )
