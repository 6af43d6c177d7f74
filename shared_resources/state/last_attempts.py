"""The last attempt at each part of a product, and what became of it: one row a partition.

Belongs here: the table, and how an attempt changes it.
Does not belong here: what a row says (`attempt.py`), and means for the product's health (`observing/`).

Only what nothing else tells is written down: that an attempt raised, died, or had nothing to read.
A refusal stands in quarantine, too; the row keeps it when the entry has expired. The word about a
partition is taken back by the next word about the same partition, never by that about another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from shared_resources.state.attempt import COLUMNS, WHOLE, LastAttempt, Outcome
from shared_resources.state.database import TABLES, StateDatabase, Words, insert

LONGEST_MESSAGE = 4_000


_ATTEMPTS = sa.Table(
    "mesh_last_attempts",
    TABLES,
    sa.Column("product", sa.Text, primary_key=True),
    sa.Column("partition", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("message", Words, nullable=False, default=""),
    sa.Column("entry", sa.Text),
    sa.Column("lease", sa.Text),
    sa.Column("at", sa.Text, nullable=False),
)


class LastAttempts:
    """The rows of one product."""

    def __init__(self, database: StateDatabase, product: str) -> None:
        self._database = database
        self._product = product

    def all(self) -> list[LastAttempt]:
        columns = [_ATTEMPTS.c[name] for name in COLUMNS]
        query = sa.select(*columns).where(_ATTEMPTS.c.product == self._product)
        with self._database.begin() as connection:
            rows = connection.execute(query.order_by(_ATTEMPTS.c.partition)).all()
        return [LastAttempt.of(*row._tuple()) for row in rows]

    def begin(self, run_id: str, partitions: Iterable[str], lease: str) -> None:
        """A run has begun to make the partitions."""
        self._write(dict.fromkeys(partitions, ""), run_id, Outcome.RUNNING, lease=lease)

    def published(self, run_id: str, partitions: Iterable[str]) -> None:
        """They were published. Whatever kept the product as a whole from being made is over."""
        partitions = list(partitions)
        with self._database.begin() as connection:
            self._upsert(connection, dict.fromkeys(partitions, ""), run_id, Outcome.PUBLISHED)
            if WHOLE not in partitions:
                whole = (_ATTEMPTS.c.product == self._product) & (_ATTEMPTS.c.partition == WHOLE)
                connection.execute(sa.delete(_ATTEMPTS).where(whole))

    def replayed(self, run_id: str, entry: str) -> None:
        """What was refused as that entry was published; a later word about the same part stays."""
        its = (_ATTEMPTS.c.product == self._product) & (_ATTEMPTS.c.entry == entry)
        done = {"run_id": run_id, "outcome": Outcome.PUBLISHED, "message": "", "entry": None}
        with self._database.begin() as connection:
            connection.execute(sa.update(_ATTEMPTS).where(its).values(**done))

    def refused(
        self, run_id: str, partitions: Mapping[str, str], entries: Mapping[str, str]
    ) -> None:
        """They were refused, by partition: why, and the id of what is kept in quarantine."""
        with self._database.begin() as connection:
            for key, why in partitions.items():
                self._upsert(
                    connection, {key: why}, run_id, Outcome.REFUSED, entry=entries.get(key)
                )

    def failed(
        self,
        run_id: str,
        partitions: Mapping[str, str],
        outcome: Outcome = Outcome.FAILED,
    ) -> None:
        """They were not made, by partition: why."""
        self._write(partitions, run_id, outcome)

    def ended(self, run_id: str, why: str) -> None:
        """The run is over; what it said nothing about has failed."""
        running = (
            (_ATTEMPTS.c.product == self._product)
            & (_ATTEMPTS.c.run_id == run_id)
            & (_ATTEMPTS.c.outcome == Outcome.RUNNING)
        )
        with self._database.begin() as connection:
            connection.execute(
                sa.update(_ATTEMPTS)
                .where(running)
                .values(outcome=Outcome.FAILED, message=why[:LONGEST_MESSAGE], lease=None)
            )

    def settle(
        self, partitions: Iterable[str], why: str, runs: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Nothing is to come of them, by somebody's decision; nor of the runs, by partition."""
        with self._database.begin() as connection:
            for key in partitions:
                self._upsert(connection, {key: why}, runs.get(key, ""), Outcome.SETTLED)

    def _write(
        self, partitions: Mapping[str, str], run_id: str, outcome: Outcome, **values: Any
    ) -> None:
        with self._database.begin() as connection:
            self._upsert(connection, partitions, run_id, outcome, **values)

    def _upsert(
        self,
        connection: sa.Connection,
        partitions: Mapping[str, str],
        run_id: str,
        outcome: Outcome,
        **values: Any,
    ) -> None:
        rows = [
            {
                "product": self._product,
                "partition": key,
                "run_id": run_id,
                "outcome": str(outcome),
                "message": why[:LONGEST_MESSAGE],
                "entry": None,
                "lease": None,
                "at": datetime.now(UTC).isoformat(),
                **values,
            }
            for key, why in partitions.items()
        ]
        if not rows:
            return
        statement = insert(connection, _ATTEMPTS)
        changed = {
            name: statement.excluded[name]
            for name in ("outcome", "message", "entry", "lease", "at")
        }
        # Who says a later word without a run does not take back that this run began.
        if run_id:
            changed["run_id"] = statement.excluded["run_id"]
        connection.execute(
            statement.on_conflict_do_update(index_elements=["product", "partition"], set_=changed),
            rows,
        )
