"""What lies below a product's prefix and was not ingested, by name, until somebody settles it.

Belongs here: writing down what was passed over or is odd, and people's decisions about it.
Does not belong here: why an object is one of them (`strays.py`), finding objects (`arrivals/listing.py`,
`arrivals/whole_prefix.py`), what waits for its run (`ledger.py`).

An object that is not there any more, or that is meant after all, is not named any longer: every
look at a stretch of the prefix says what lies in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from shared_resources.arrivals.ledger.questions import LedgerQuestions
from shared_resources.arrivals.ledger.rows import LedgerRows, chunks, utc_now
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.strays import Settled, Stray, older_extract, writable
from shared_resources.arrivals.ledger.tables import OBJECTS, SETTLED, STRAYS
from shared_resources.state.database import StateDatabase, insert


class PassedOver:
    """What of one product was passed over, or odd."""

    def __init__(
        self, database: StateDatabase, product: str, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._database = database
        self.product = product
        self._clock = clock

    # -- noting ------------------------------------------------------------------------------

    def note(self, strays: Iterable[Stray]) -> None:
        """Write them down; what is known already keeps the time of its first sight."""
        with self._database.begin() as connection:
            self._note(connection, list(strays))

    def looked(self, strays: Sequence[Stray], names: Collection[str], after: str, to: str) -> None:
        """Exactly `names` lie between the keys `after` and `to` (``""``: the end); `strays` are
        those of them that people are to be told of."""
        told = {(stray.key, stray.etag) for stray in strays}
        there = set(names)
        with self._database.begin() as connection:
            within = _within(connection, STRAYS.c.key, after, to)
            query = sa.select(STRAYS.c.key, STRAYS.c.etag).where(self._own(STRAYS), *within)
            known = {(str(row[0]), str(row[1])) for row in connection.execute(query)}
            self._remove(connection, sorted(known - told))
            self._note(connection, strays)
            within = _within(connection, OBJECTS.c.key, after, to)
            superseded = (self._own(OBJECTS), OBJECTS.c.state == State.SUPERSEDED)
            rows = connection.execute(sa.select(OBJECTS.c.key).where(*superseded, *within))
            for chunk in chunks(sorted({str(row[0]) for row in rows} - there)):
                gone = OBJECTS.c.key.in_(chunk)
                connection.execute(
                    sa.update(OBJECTS).where(*superseded, gone).values(state=State.GONE)
                )

    def _note(self, connection: sa.Connection, strays: Sequence[Stray]) -> None:
        if not strays:
            return
        now = self._clock()
        statement = insert(connection, STRAYS)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=[STRAYS.c.product, STRAYS.c.key, STRAYS.c.etag],
                set_={"reason": statement.excluded.reason, "odd": statement.excluded.odd},
            ),
            [
                {
                    "product": self.product,
                    "key": stray.key,
                    "etag": stray.etag,
                    "reason": stray.reason,
                    "size": stray.size,
                    "modified_at": stray.modified_at,
                    "seen_at": now,
                    "odd": stray.odd,
                }
                for stray in strays
            ],
        )

    def _remove(self, connection: sa.Connection, pairs: Sequence[tuple[str, str]]) -> None:
        for chunk in chunks(pairs):
            which = sa.tuple_(STRAYS.c.key, STRAYS.c.etag).in_(chunk)
            connection.execute(sa.delete(STRAYS).where(self._own(STRAYS), which))

    # -- for people --------------------------------------------------------------------------

    def all(self) -> list[Stray]:
        """Every one, by key, what is settled among them."""
        return self._found(settled=True)

    def open(self, limit: int | None = None) -> list[Stray]:
        """Those that nobody has settled, the first ones by key."""
        return self._found(settled=False, limit=limit)

    def count(self) -> int:
        """How many nobody has settled."""
        with self._database.begin() as connection:
            return sum(
                connection.execute(
                    sa.select(sa.func.count())
                    .select_from(of)
                    .where(*where, SETTLED.c.key.is_(None))
                ).scalar_one()
                for of, where in (self._strays, self._superseded)
            )

    def settle(self, strays: Iterable[Stray], *, by: str, reason: str) -> None:
        """Nothing is to be done about them; who said so first stays noted."""
        rows = [
            {
                "product": self.product,
                "key": stray.key,
                "etag": stray.etag,
                "settled_why": reason,
                "settled_by": by,
                "settled_at": self._clock(),
            }
            for stray in strays
        ]
        if rows:
            with self._database.begin() as connection:
                connection.execute(insert(connection, SETTLED).on_conflict_do_nothing(), rows)

    def decided(self, strays: Iterable[Stray]) -> list[Stray]:
        """The strays, each with what was decided about it."""
        with self._database.begin() as connection:
            rows = connection.execute(sa.select(SETTLED).where(self._own(SETTLED))).all()
        known = {(row.key, row.etag): _decision(row) for row in rows}
        return [replace(one, settled=known.get((one.key, one.etag))) for one in strays]

    @property
    def _strays(self) -> tuple[sa.FromClause, list[sa.ColumnElement[bool]]]:
        return _with_decisions(STRAYS, STRAYS.c.etag), [self._own(STRAYS)]

    @property
    def _superseded(self) -> tuple[sa.FromClause, list[sa.ColumnElement[bool]]]:
        """Full extracts that a newer one replaced before they were read."""
        of = _with_decisions(OBJECTS, OBJECTS.c.listed)
        return of, [self._own(OBJECTS), OBJECTS.c.state == State.SUPERSEDED]

    def _found(self, *, settled: bool, limit: int | None = None) -> list[Stray]:
        decision = (SETTLED.c.settled_by, SETTLED.c.settled_why, SETTLED.c.settled_at)
        only = [] if settled else [SETTLED.c.key.is_(None)]
        of, where = self._strays
        strays = sa.select(STRAYS, *decision).select_from(of).where(*where, *only)
        of, where = self._superseded
        extracts = sa.select(OBJECTS, *decision).select_from(of).where(*where, *only)
        with self._database.begin() as connection:
            found = [
                Stray(
                    row.key,
                    row.etag,
                    row.reason,
                    row.size,
                    row.modified_at,
                    row.seen_at,
                    _decision(row),
                    row.odd,
                )
                for row in connection.execute(strays.order_by(STRAYS.c.key).limit(limit))
            ]
            rows = connection.execute(extracts.order_by(OBJECTS.c.key).limit(limit)).all()
        if rows:
            questions = LedgerQuestions(LedgerRows(self._database, self.product, self._clock))
            counts = questions.counting()
            found.extend(
                Stray(
                    row.key,
                    row.listed,
                    older_extract(row.modified_at, counts),
                    row.size,
                    row.modified_at,
                    row.discovered_at,
                    _decision(row),
                )
                for row in rows
            )
        return sorted(found, key=lambda one: (one.key, one.etag))[:limit]

    def _own(self, table: sa.Table) -> sa.ColumnElement[bool]:
        return table.c.product == self.product


def products_with_open(database: StateDatabase, products: Iterable[str]) -> set[str]:
    """Those of the products of which anything was passed over, or is odd, that nobody has settled."""
    found: set[str] = set()
    wanted = list(products)
    with database.begin() as connection:
        for table, etag, only in (
            (STRAYS, STRAYS.c.etag, sa.true()),
            (OBJECTS, OBJECTS.c.listed, OBJECTS.c.state == State.SUPERSEDED),
        ):
            query = (
                sa.select(table.c.product)
                .select_from(_with_decisions(table, etag))
                .where(table.c.product.in_(wanted), only, SETTLED.c.key.is_(None))
            )
            found.update(connection.scalars(query.distinct()))
    return found


def told(passed: PassedOver, limit: int) -> list[str]:
    """Some of what nobody has settled, in sentences for people, and how many more there are."""
    open_ = passed.open(limit + 1)
    more = passed.count() - limit if len(open_) > limit else 0
    said = []
    for odd, what in ((False, "not ingested"), (True, "odd")):
        if shown := [str(stray) for stray in open_[:limit] if stray.odd is odd]:
            said.append(f"{what}: " + "; ".join(shown))
    return [*said, f"{more:,} more: `mesh landing {passed.product}` names them"] if more else said


def _with_decisions(table: sa.Table, etag: sa.ColumnElement[str]) -> sa.FromClause:
    same = sa.and_(
        SETTLED.c.product == table.c.product,
        SETTLED.c.key == table.c.key,
        SETTLED.c.etag == etag,
    )
    return table.outerjoin(SETTLED, same)


def _decision(row: sa.Row[Any]) -> Settled | None:
    if row.settled_at is None:
        return None
    return Settled(row.settled_by, row.settled_why, row.settled_at)


def _within(
    connection: sa.Connection, key: sa.Column[str], after: str, to: str
) -> list[sa.ColumnElement[bool]]:
    """Between two keys as listings sort them, by characters; a database may have its own order."""
    plain = sa.collate(key, "C") if connection.dialect.name == "postgresql" else key
    found: list[sa.ColumnElement[bool]] = [plain > writable(after)] if after else []
    return [*found, plain <= writable(to)] if to else found
