"""What the ledger says: which objects are new, wait, are under way or done.

Belongs here: questions about the rows of one product, which change nothing.
Does not belong here: the way of a row from state to state (`ledger.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import sqlalchemy as sa

from shared_resources.arrivals.ages import Dated, newest
from shared_resources.arrivals.ledger.rows import LedgerRows, chunks, same_object
from shared_resources.arrivals.ledger.states import (
    PROCESSED,
    REVIVED,
    UNDER_WAY,
    UNPROCESSED,
    WAITING,
    State,
)
from shared_resources.arrivals.ledger.tables import OBJECTS, Entry
from shared_resources.landing.zones.zone import LandingObject
from shared_resources.state.database import StateDatabase


class LedgerQuestions:
    """Questions about the rows of one product."""

    def __init__(self, rows: LedgerRows) -> None:
        self._rows = rows

    def unknown(self, objects: Iterable[LandingObject]) -> list[LandingObject]:
        """Those that no row is about."""
        objects = list(objects)
        with self._rows.database.begin() as connection:
            known = self._rows.known(connection, objects)
        return [obj for obj in objects if not same_object(obj, known)]

    def suspects(self) -> set[tuple[str, str]]:
        """Keys and etags of what a run took last of which nothing came: perhaps they end who reads them.

        Objects are read one after another: those that were taken before were read to their end.
        """
        columns = (OBJECTS.c.key, OBJECTS.c.etag, OBJECTS.c.batch_id, OBJECTS.c.asked_at)
        query = sa.select(*columns).where(
            self._rows.own, OBJECTS.c.state.in_(UNPROCESSED), OBJECTS.c.batch_id.is_not(None)
        )
        with self._rows.database.begin() as connection:
            taken = [row._tuple() for row in connection.execute(query)]
        last: dict[str, datetime | None] = {}
        for _, _, batch, at in taken:
            last[batch] = max(filter(None, (at, last.get(batch))), default=None)
        return {(key, etag) for key, etag, batch, at in taken if at == last[batch]}

    def found(self, limit: int, *, newest_first: bool = False) -> list[Entry]:
        """Objects that a run may be asked for now, in the order of their own times.

        Those that are stuck are among them when they have waited for long enough.
        """
        ready = sa.or_(OBJECTS.c.not_before.is_(None), OBJECTS.c.not_before <= self._rows.clock())
        entries = [
            entry
            for state in WAITING
            for entry in self._rows.entries(
                OBJECTS.c.state == state, ready, limit=limit, newest_first=newest_first
            )
        ]
        return sorted(entries, key=lambda entry: entry.order, reverse=newest_first)[:limit]

    def doubtful(self, entries: Sequence[Entry]) -> list[Entry]:
        """Those whose key has an object that was processed and is not older, as S3 tells time.

        They may have been overwritten before that one was read, or after.
        """
        times: dict[str, datetime | None] = {}
        latest, unknown = sa.func.max(OBJECTS.c.modified_at), OBJECTS.c.modified_at.is_(None)
        with self._rows.database.begin() as connection:
            for chunk in chunks(entries):
                query = (
                    sa.select(OBJECTS.c.key, latest, sa.func.max(sa.case((unknown, 1), else_=0)))
                    .where(self._rows.own, OBJECTS.c.key.in_({entry.key for entry in chunk}))
                    .where(OBJECTS.c.state.in_(PROCESSED))
                    .group_by(OBJECTS.c.key)
                )
                for row in connection.execute(query):
                    key, at, adopted = row._tuple()
                    times[key] = None if adopted else at

        def certainly_newer(entry: Entry) -> bool:
            other = times[entry.key]
            return bool(entry.modified_at and other and entry.modified_at > other)

        return [entry for entry in entries if entry.key in times and not certainly_newer(entry)]

    def under_way(self) -> list[Entry]:
        """Objects that a run was asked for, or that one reads: as many as are ever asked at once."""
        return self._rows.entries(OBJECTS.c.state.in_(UNDER_WAY))

    def newest_processed(self) -> Entry | None:
        """The newest object that is published or refused."""
        now = self._rows.clock()
        own, seen = OBJECTS.c.modified_at, OBJECTS.c.discovered_at
        believed = sa.and_(own <= seen, own <= now)
        found = [
            entry
            for state in PROCESSED
            for plausible in (believed, sa.not_(believed))
            for entry in self._rows.entries(
                OBJECTS.c.state == state,
                own.is_not(None),
                plausible,
                limit=1,
                newest_first=True,
            )
        ]
        return newest((entry.dated for entry in found), now)

    def counting(self) -> Entry | None:
        """The full extract that counts: the newest that is processed or on its way."""
        processed = self.newest_processed()
        known = [*self.under_way(), *([processed] if processed else [])]
        return newest((entry.dated for entry in known), self._rows.clock())

    def dated(self, objects: Iterable[LandingObject]) -> list[Dated[LandingObject]]:
        """The objects with their first sights; what nobody has seen yet is seen now."""
        own, seen = OBJECTS.c.modified_at, OBJECTS.c.discovered_at
        # Of what was not doubtful when it was found the first sight decides nothing.
        doubted = sa.or_(own.is_(None), own > seen)
        query = sa.select(OBJECTS.c.key, OBJECTS.c.listed, sa.func.min(seen))
        query = query.where(self._rows.own, doubted).group_by(OBJECTS.c.key, OBJECTS.c.listed)
        with self._rows.database.begin() as connection:
            rows = [row._tuple() for row in connection.execute(query)]
        first = {(key, listed): at for key, listed, at in rows}
        now = self._rows.clock()
        return [
            Dated(
                obj,
                obj.modified_at,
                min(first.get((obj.key, obj.listed), now), obj.arrived_at or now),
                obj.key,
            )
            for obj in objects
        ]

    def counts(self) -> dict[State, int]:
        """How many objects are in each state that something is still to be done in."""
        query = (
            sa.select(OBJECTS.c.state, sa.func.count())
            .where(self._rows.own, OBJECTS.c.state.in_(UNPROCESSED))
            .group_by(OBJECTS.c.state)
        )
        with self._rows.database.begin() as connection:
            return {State(str(row[0])): int(row[1]) for row in connection.execute(query)}

    def oldest(self, limit: int) -> list[Entry]:
        """The oldest objects that are neither published nor refused, by their own times."""
        found = [
            entry
            for state in UNPROCESSED
            for entry in self._rows.entries(OBJECTS.c.state == state, limit=limit)
        ]
        return sorted(found, key=lambda entry: entry.order)[:limit]

    def oldest_unprocessed(self) -> Entry | None:
        return next(iter(self.oldest(1)), None)

    def stuck(self, limit: int) -> list[Entry]:
        return self._rows.entries(OBJECTS.c.state == State.STUCK, limit=limit)

    def unprocessed(self, objects: Iterable[LandingObject]) -> list[LandingObject]:
        """Of objects that there are rows about, those that are neither published nor refused."""
        objects = list(objects)
        with self._rows.database.begin() as connection:
            known = self._rows.known(connection, objects)
        return [
            obj
            for obj in objects
            if (same := same_object(obj, known))
            and not any(entry.state in (*PROCESSED, State.SUPERSEDED) for entry in same)
        ]


def counts_of(database: StateDatabase, products: Iterable[str]) -> dict[str, dict[State, int]]:
    """How many objects of each product are neither published nor refused, or would be news if they
    were found again, by state."""
    found: dict[str, dict[State, int]] = {product: {} for product in products}
    query = (
        sa.select(OBJECTS.c.product, OBJECTS.c.state, sa.func.count())
        .where(OBJECTS.c.product.in_(list(found)), OBJECTS.c.state.in_((*UNPROCESSED, *REVIVED)))
        .group_by(OBJECTS.c.product, OBJECTS.c.state)
    )
    with database.begin() as connection:
        for row in connection.execute(query):
            found[row[0]][State(row[1])] = row[2]
    return found
