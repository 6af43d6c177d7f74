"""The ledger: what became of each landing object, found by its key however many there are.

Belongs here: the way of an object's row from state to state.
Does not belong here: questions about rows (`questions.py`), finding objects (`arrivals/listing.py`,
`arrivals/events.py`), asking for runs (`locations/sensing/run_requests.py`), finding out what
became of these (`locations/sensing/run_outcomes.py`), or the proof of what was ingested
(`arrivals/ingested.py`).

A row is written before anything is acknowledged or asked for, so whoever dies has lost nothing;
a row that is written twice is the same row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from shared_resources.arrivals.ages import newer
from shared_resources.arrivals.ledger.questions import LedgerQuestions
from shared_resources.arrivals.ledger.rows import SAME_SECOND, LedgerRows, same_object, utc_now
from shared_resources.arrivals.ledger.states import (
    PROCESSED,
    REVIVED,
    UNFINISHED,
    UNPROCESSED,
    WAITING,
    State,
)
from shared_resources.arrivals.ledger.tables import OBJECTS, Entry
from shared_resources.landing.zones.zone import VERSION_MARK, LandingObject
from shared_resources.state.database import StateDatabase


@dataclass(frozen=True)
class Discovered:
    """What of some objects is new. `young` may have been overwritten in the second that it was read."""

    new: tuple[LandingObject, ...] = ()
    young: tuple[LandingObject, ...] = ()


class Ledger:
    """The rows of one product, and what they say (`questions`)."""

    def __init__(
        self, database: StateDatabase, product: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.product = product
        self._rows = LedgerRows(database, product, clock)
        self.questions = LedgerQuestions(self._rows)

    # -- finding -----------------------------------------------------------------------------

    def discover(self, objects: Iterable[LandingObject]) -> Discovered:
        """Write down objects that lie in the landing zone now; which of them are to be ingested.

        What was found under the same key before, and not asked for, is not there any more.
        """
        objects = list(objects)
        if not objects:
            return Discovered()
        new: list[LandingObject] = []
        young: list[LandingObject] = []
        with self._rows.database.begin() as connection:
            known = self._rows.known(connection, objects)
            seen: list[tuple[Entry, LandingObject]] = []
            revived: list[tuple[Entry, LandingObject]] = []
            lying: set[tuple[str, str]] = set()
            for obj in objects:
                same = same_object(obj, known)
                lying.update(entry.id for entry in same)
                if not same:
                    new.append(obj)
                    lying.add((obj.key, obj.etag))
                elif all(entry.state in REVIVED for entry in same):
                    revived.append((same[-1], obj))
                else:
                    seen.extend((entry, obj) for entry in same if entry.size is None)
                if VERSION_MARK not in obj.etag and any(not one.settled for one in same):
                    young.append(obj)
            self._rows.insert(connection, new, State.FOUND)
            self._rows.see(connection, seen)
            attempt = OBJECTS.c.attempt + 1
            self._rows.see(connection, revived, state=State.FOUND, attempt=attempt)
            gone = [
                entry
                for entry in self._rows.waiting(connection, {obj.key for obj in objects})
                if entry.id not in lying
            ]
            self._rows.change(connection, gone, state=State.REPLACED)
        new.extend(obj for _, obj in revived)
        return Discovered(tuple(new), tuple(young))

    def recheck(self, obj: LandingObject) -> bool:
        """Whether an object that was asked for by itself is another than the young one known."""
        discovered = self.discover([obj])
        if not discovered.new and self._rows.clock() - obj.modified_at > SAME_SECOND:
            same = (OBJECTS.c.key == obj.key) & (OBJECTS.c.listed == obj.listed)
            with self._rows.database.begin() as connection:
                connection.execute(
                    sa.update(OBJECTS).where(self._rows.own, same).values(settled=True)
                )
        return bool(discovered.new)

    def gone(self, key: str, etag: str) -> None:
        """An object was told of and is not there any more."""
        with self._rows.database.begin() as connection:
            self._rows.insert_rows(connection, [self._rows.row(key, etag, State.GONE)])

    def adopt(self, pairs: Mapping[State, Iterable[tuple[str, str]]]) -> None:
        """Know objects that were processed before there was a ledger, or without it."""
        rows = [
            self._rows.row(key, etag, state)
            for state, found in pairs.items()
            for key, etag in found
        ]
        with self._rows.database.begin() as connection:
            self._rows.insert_rows(connection, rows)

    # -- a run reads and publishes ---------------------------------------------------------------

    def take(self, objects: Iterable[LandingObject], run_id: str, batch_id: str) -> None:
        """A run has copied the objects, as they are given, and will say what comes of them."""
        now = self._rows.clock()
        rows = [
            {
                "key": obj.key,
                "etag": obj.etag,
                "discovered_at": self._rows.first_sight(obj),
                "state": State.TAKEN,
                "size": obj.size,
                "modified_at": obj.modified_at,
                "run_id": run_id,
                "batch_id": batch_id,
                "asked_at": now,
                "settled": VERSION_MARK not in obj.etag or now - obj.modified_at > SAME_SECOND,
            }
            for obj in objects
        ]
        before = (*UNPROCESSED, *REVIVED, State.SUPERSEDED)
        with self._rows.database.begin() as connection:
            self._rows.upsert(connection, rows, before)

    def note(self, pairs: Iterable[tuple[str, str]], state: State) -> None:
        """The objects were published or refused; older ones of the same keys are out of date."""
        pairs = sorted(set(pairs))
        rows = [{"key": key, "etag": etag, "state": state} for key, etag in pairs]
        with self._rows.database.begin() as connection:
            self._rows.upsert(connection, rows)
            self._rows.replace_older(connection, pairs)

    def took_the_place(self, old: LandingObject, new: LandingObject) -> None:
        """The mesh itself wrote the object anew: what came of it before is what came of it now."""
        with self._rows.database.begin() as connection:
            for entry in self._rows.known(connection, [old])[old.key, old.listed][-1:]:
                if entry.state in (*PROCESSED, State.SUPERSEDED):
                    self._rows.insert(connection, [new], State(entry.state))

    # -- asking for runs -------------------------------------------------------------------------

    def ask(self, entries: Sequence[Entry], run_key: str) -> None:
        self.change(entries, state=State.ASKED, run_key=run_key, asked_at=self._rows.clock())

    def release(
        self,
        entry: Entry,
        *,
        failures: int = 0,
        wait: timedelta | None = None,
        state: State = State.FOUND,
    ) -> None:
        """Let another run be asked for, under another key, after `wait`."""
        self.change(
            [entry],
            state=state,
            attempt=entry.attempt + 1,
            failures=failures,
            not_before=None if wait is None else self._rows.clock() + wait,
        )

    def retry(self) -> int:
        """Let runs be asked for now of all that waits since others failed. Returns how many."""
        waits = sa.or_(OBJECTS.c.state == State.STUCK, OBJECTS.c.not_before > self._rows.clock())
        with self._rows.database.begin() as connection:
            done = connection.execute(
                sa.update(OBJECTS)
                .where(self._rows.own, OBJECTS.c.state.in_(WAITING), waits)
                .values(state=State.FOUND, failures=0, not_before=None)
            )
        return done.rowcount

    def reconsider(self) -> None:
        """Let those that a newer object superseded count again that are newer than what is processed."""
        processed, now = self.questions.newest_processed(), self._rows.clock()
        again = [
            entry
            for entry in self._rows.entries(OBJECTS.c.state == State.SUPERSEDED)
            if processed is None or newer(entry.dated, processed.dated, now)
        ]
        superseded, attempt = OBJECTS.c.state == State.SUPERSEDED, OBJECTS.c.attempt + 1
        with self._rows.database.begin() as connection:
            self._rows.change(connection, again, superseded, state=State.FOUND, attempt=attempt)

    def supersede(self, objects: Iterable[LandingObject]) -> None:
        """Write down full extracts that nothing knows yet and that a newer one has replaced."""
        with self._rows.database.begin() as connection:
            self._rows.insert(connection, objects, State.SUPERSEDED)

    def change(self, entries: Sequence[Entry], **values: Any) -> None:
        """Change rows, but none that a run has finished meanwhile."""
        with self._rows.database.begin() as connection:
            self._rows.change(connection, entries, OBJECTS.c.state.in_(UNPROCESSED), **values)

    # -- for people ------------------------------------------------------------------------------

    def forget(self, *, start: str | None = None, key: str | None = None) -> int:
        """Let objects be ingested again if they are found again: all, from a key on, or of one key.

        Those that a run is reading are left to it. Returns how many.
        """
        which = [self._rows.own, OBJECTS.c.state.not_in(UNFINISHED)]
        if start is not None:
            which.append(OBJECTS.c.key >= start)
        if key is not None:
            which.append(OBJECTS.c.key == key)
        with self._rows.database.begin() as connection:
            done = connection.execute(
                sa.update(OBJECTS)
                .where(*which, OBJECTS.c.state != State.FORGOTTEN)
                .values(state=State.FORGOTTEN, failures=0, not_before=None)
            )
        return done.rowcount
