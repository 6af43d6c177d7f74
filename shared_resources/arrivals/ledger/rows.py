"""The ledger's statements: rows are found by key, written once, and changed where they are.

Belongs here: SQL about the rows of one product.
Does not belong here: what a change means (`ledger.py`), the tables (`tables.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import sqlalchemy as sa

from shared_resources.arrivals.ledger.states import REVIVED, UNPROCESSED, WAITING, State
from shared_resources.arrivals.ledger.tables import OBJECTS, Entry
from shared_resources.landing.zones.zone import VERSION_MARK, LandingObject, as_listed
from shared_resources.state.database import StateDatabase, insert

# Keys of one statement: two parameters each, of 32,766 that SQLite takes.
CHUNK = 500
# S3 tells times in whole seconds, and clocks differ a little.
SAME_SECOND = timedelta(seconds=5)
_T = TypeVar("_T")


def utc_now() -> datetime:
    return datetime.now(UTC)


class LedgerRows:
    """The rows of one product."""

    def __init__(
        self, database: StateDatabase, product: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self.database = database
        self.product = product
        self.clock = clock
        self.own = OBJECTS.c.product == product
        self._upserts: dict[tuple[frozenset[str], tuple[State, ...] | None], sa.Insert] = {}

    def entries(
        self, *where: sa.ColumnElement[bool], limit: int | None = None, newest_first: bool = False
    ) -> list[Entry]:
        order = (OBJECTS.c.modified_at, OBJECTS.c.key)
        query = (
            sa.select(OBJECTS)
            .where(self.own, *where)
            .order_by(*(column.desc() if newest_first else column for column in order))
            .limit(limit)
        )
        with self.database.begin() as connection:
            return [Entry.of(row) for row in connection.execute(query)]

    def waiting(self, connection: sa.Connection, keys: Iterable[str]) -> list[Entry]:
        """The rows of these keys that no run was asked for, what was passed over among them."""
        found: list[Entry] = []
        for chunk in chunks(sorted(keys)):
            query = sa.select(OBJECTS).where(
                self.own,
                OBJECTS.c.key.in_(chunk),
                OBJECTS.c.state.in_((*WAITING, State.SUPERSEDED)),
            )
            found.extend(Entry.of(row) for row in connection.execute(query))
        return found

    def known(
        self, connection: sa.Connection, objects: Sequence[LandingObject]
    ) -> dict[tuple[str, str], list[Entry]]:
        """The rows of each key and listed etag, the latest version last."""
        known: dict[tuple[str, str], list[Entry]] = defaultdict(list)
        for chunk in chunks(objects):
            pairs = {(obj.key, obj.listed) for obj in chunk}
            query = (
                sa.select(OBJECTS)
                .where(self.own, OBJECTS.c.key.in_({key for key, _ in pairs}))
                .where(sa.tuple_(OBJECTS.c.key, OBJECTS.c.listed).in_(pairs))
                .order_by(OBJECTS.c.discovered_at)
            )
            for row in connection.execute(query):
                entry = Entry.of(row)
                known[entry.key, as_listed(entry.etag)].append(entry)
        return known

    def insert(
        self, connection: sa.Connection, objects: Iterable[LandingObject], state: State
    ) -> None:
        rows = [
            {
                **self.row(obj.key, obj.etag, state),
                "size": obj.size,
                "modified_at": obj.modified_at,
                "discovered_at": self.first_sight(obj),
            }
            for obj in objects
        ]
        self.insert_rows(connection, rows)

    def insert_rows(self, connection: sa.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        if rows:
            connection.execute(insert(connection, OBJECTS).on_conflict_do_nothing(), list(rows))

    def row(self, key: str, etag: str, state: State) -> dict[str, Any]:
        return {
            "product": self.product,
            "key": key,
            "etag": etag,
            "listed": as_listed(etag),
            "state": state,
            "discovered_at": self.clock(),
        }

    def first_sight(self, obj: LandingObject) -> datetime:
        """Now; of what claims to be written later than it arrived, its arrival, if that is known."""
        now = self.clock()
        return now if obj.arrived_at is None else min(now, obj.arrived_at)

    def see(
        self,
        connection: sa.Connection,
        pairs: Sequence[tuple[Entry, LandingObject]],
        **values: Any,
    ) -> None:
        """Note what the objects of these rows look like now; with `values`, of forgotten rows only."""
        if not pairs:
            return
        statement = (
            sa.update(OBJECTS)
            .where(self.own, OBJECTS.c.key == sa.bindparam("of_key"))
            .where(OBJECTS.c.etag == sa.bindparam("of_etag"))
            .values(size=sa.bindparam("seen_size"), modified_at=sa.bindparam("seen_at"), **values)
        )
        if values:
            # No IN, which cannot be sent with many rows at once.
            statement = statement.where(sa.or_(*(OBJECTS.c.state == one for one in REVIVED)))
        connection.execute(
            statement,
            [
                {
                    "of_key": entry.key,
                    "of_etag": entry.etag,
                    "seen_size": obj.size,
                    "seen_at": obj.modified_at,
                }
                for entry, obj in pairs
            ],
        )

    def change(
        self,
        connection: sa.Connection,
        entries: Sequence[Entry],
        *where: sa.ColumnElement[bool],
        **values: Any,
    ) -> None:
        for chunk in chunks(entries):
            pairs = [(entry.key, entry.etag) for entry in chunk]
            connection.execute(
                sa.update(OBJECTS)
                .where(self.own, OBJECTS.c.key.in_([key for key, _ in pairs]))
                .where(sa.tuple_(OBJECTS.c.key, OBJECTS.c.etag).in_(pairs), *where)
                .values(**values)
            )

    def upsert(
        self,
        connection: sa.Connection,
        rows: Sequence[Mapping[str, Any]],
        states: tuple[State, ...] | None = None,
    ) -> None:
        """Change the rows of these keys and etags, each to what it gives, if they are in one of the
        states; write those that there are none of. All give the same columns.

        A row that was found in a listing learns the version's id.
        """
        rows = [
            one
            for one in rows
            if VERSION_MARK not in one["etag"]
            or self._learn_version(connection, one["key"], one["etag"], states)
        ]
        if not rows:
            return
        changed = frozenset(rows[0]) - {"key", "etag", "discovered_at"}
        statement = self._upserts.get((changed, states))
        if statement is None:  # to build it takes longer than to run it
            statement = self._upserts[changed, states] = _upsert(connection, changed, states)
        written = [{**self.row(one["key"], one["etag"], State.FOUND), **one} for one in rows]
        connection.execute(statement, written)

    def replace_older(self, connection: sa.Connection, pairs: Sequence[tuple[str, str]]) -> None:
        """What waits of the same keys and was written before these is out of date."""
        for chunk in chunks(pairs):
            columns = (
                OBJECTS.c.key,
                OBJECTS.c.etag,
                OBJECTS.c.modified_at,
                OBJECTS.c.discovered_at,
            )
            query = sa.select(*columns).where(self.own, OBJECTS.c.key.in_({k for k, _ in chunk}))
            found: dict[str, dict[str, tuple[datetime | None, datetime]]] = defaultdict(dict)
            for row in connection.execute(query):
                key, etag, modified, seen = row._tuple()
                found[key][etag] = modified, seen
            for key, etag in chunk:
                modified, seen = found[key][etag]
                if modified is None or len(found[key]) == 1:
                    continue
                connection.execute(
                    sa.update(OBJECTS)
                    .where(self.own, OBJECTS.c.key == key, OBJECTS.c.etag != etag)
                    .where(OBJECTS.c.state.in_(UNPROCESSED))
                    .where(OBJECTS.c.modified_at < min(modified, seen))
                    .values(state=State.REPLACED)
                )

    def _learn_version(
        self,
        connection: sa.Connection,
        key: str,
        etag: str,
        states: tuple[State, ...] | None,
    ) -> bool:
        """Let a row of a listing be about this version; False: it is in none of the states."""
        of_key = sa.and_(self.own, OBJECTS.c.key == key)
        listed = OBJECTS.c.etag == as_listed(etag)
        query = sa.select(OBJECTS.c.etag, OBJECTS.c.state).where(
            of_key, sa.or_(listed, OBJECTS.c.etag == etag)
        )
        known: dict[str, str] = {row[0]: row[1] for row in connection.execute(query)}
        if etag in known or not known:
            return True
        if states is not None and known[as_listed(etag)] not in states:
            return False
        connection.execute(sa.update(OBJECTS).where(of_key, listed).values(etag=etag))
        return True


def _upsert(
    connection: sa.Connection, changed: Collection[str], states: Collection[State] | None
) -> sa.Insert:
    statement = insert(connection, OBJECTS)
    # No IN, which cannot be sent with many rows at once.
    where = None if states is None else sa.or_(*(OBJECTS.c.state == one for one in states))
    return statement.on_conflict_do_update(
        index_elements=list(OBJECTS.primary_key.columns),
        set_={name: statement.excluded[name] for name in sorted(changed)},
        where=where,
    )


def same_object(obj: LandingObject, known: Mapping[tuple[str, str], list[Entry]]) -> list[Entry]:
    """The rows that may be about this very object: the same etag, or one of them names no version."""
    rows = known.get((obj.key, obj.listed), [])
    versioned = VERSION_MARK in obj.etag
    return [
        row for row in rows if row.etag == obj.etag or not versioned or VERSION_MARK not in row.etag
    ]


def chunks(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    return (items[start : start + CHUNK] for start in range(0, len(items), CHUNK))
