"""The serving port on Cassandra.

Belongs here: the port's methods in CQL. Does not belong here: connecting (`session.py`).

A generation is a table of `(key, row)`, its rows written with the timestamp 1. The pointer is a static
column of the product's partition in `mesh_generations`, beside the state of each generation: one
conditional batch on that partition switches (lightweight transactions, Paxos), and no writer that was
taken for dead can switch, as its state is another by then. The pointer is read serially (Paxos again,
on one partition for all readers of a product), so that no process ever sees it go back, and holds for a
moment (`pointers.py`): so much later than in another process may a switch be seen. The row is read
after it, from a table that does not change its generation. A table that is dropped between the two is a
newer pointer: it is read again.

Changed rows are written with their position as timestamp, in one logged batch with it: of each key what
came last stays, whoever comes again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared_resources.serving_ports.cassandra.pointers import Pointers
from shared_resources.serving_ports.cassandra.session import GENERATIONS, CassandraSession
from shared_resources.serving_ports.port import (
    Counted,
    Found,
    Generation,
    Held,
    PortUnreachable,
    Row,
    State,
    Superseded,
)
from shared_resources.serving_ports.written import (
    check_position,
    generation_of,
    superseded,
    text_of,
)

ROWS_AT_ONCE = 2_000
# No key of a row, as each of those is a list.
_POSITION = "position"
_STATE = f"UPDATE {GENERATIONS} SET state = ?, since = ? WHERE product = ? AND id = ? IF state = ?"
_TRIES = 5


class CassandraPort:
    """Implements `port.ServingPort`."""

    name = "cassandra"
    remote = True

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._read: dict[str, Generation] = {}
        self._pointers = Pointers(session)

    def products(self) -> list[str]:
        rows = self._session.execute(f"SELECT DISTINCT product FROM {GENERATIONS}")
        return sorted(one.product for one in rows if self.held(one.product))

    def current(self, product: str) -> Held | None:
        found = [one for one in self.held(product) if one.state is State.CURRENT]
        return found[0] if found else None

    def held(self, product: str) -> list[Held]:
        """Which is current is said by the pointer alone."""
        rows = list(
            self._session.execute(
                f"SELECT id, current, generation, state, since FROM {GENERATIONS} WHERE product = ?",
                (product,),
                serial=True,
            )
        )
        found = []
        for row in rows:
            if row.id is None or row.generation is None:
                continue
            generation, state = generation_of(row.generation), State(row.state)
            position = self._position(generation.id) if state is State.CURRENT else (None, "")
            found.append(Held(generation, state, datetime.fromisoformat(row.since), *position))
        return sorted(found, key=lambda one: one.since)

    def begin(self, generation: Generation) -> None:
        self._session.execute(
            f"INSERT INTO {GENERATIONS} (product, id, generation, state, since) VALUES (?, ?, ?, ?, ?) "
            "IF NOT EXISTS",
            (generation.product, generation.id, text_of(generation), State.WRITING, _now()),
        )
        self._drop_strays()
        self._session.define(
            f"CREATE TABLE {_table(generation.id)} (key text PRIMARY KEY, row text)"
        )
        try:
            self._check(generation, State.WRITING)
        except Superseded:
            # Somebody has dropped it between the two: nobody else knows of the table.
            self._remove(generation.product, generation.id)
            raise

    def load(self, generation: Generation, rows: Iterable[Row]) -> None:
        cql = f"INSERT INTO {_table(generation.id)} (key, row) VALUES (?, ?) USING TIMESTAMP 1"
        waiting = iter(rows)
        while some := list(itertools.islice(waiting, ROWS_AT_ONCE)):
            self._check(generation, State.WRITING)
            with self._of(generation):
                self._session.execute_many(cql, some)

    def stored(self, generation: Generation) -> Iterator[Row]:
        with self._of(generation):
            rows = self._session.execute(f"SELECT key, row FROM {_table(generation.id)}")
            for one in rows:
                if one.key != _POSITION:
                    yield one.key, one.row

    def written(self, generation: Generation, counted: Counted) -> None:
        noted = replace(generation, rows=counted.rows, digest=counted.digest)
        done = self._session.execute(
            f"UPDATE {GENERATIONS} SET generation = ?, state = ?, since = ? WHERE product = ? AND id = ? "
            "IF state = ?",
            (text_of(noted), State.WRITTEN, _now(), noted.product, noted.id, State.WRITING),
        )
        if not done.was_applied:
            raise superseded(generation)

    def switch(self, generation: Generation, instead_of: str | None) -> bool:
        now, product = _now(), generation.product
        statements: list[tuple[str, tuple[object, ...]]] = [
            (
                f"UPDATE {GENERATIONS} SET current = ? WHERE product = ? IF current = ?",
                (generation.id, product, instead_of),
            ),
            (_STATE, (State.CURRENT, now, product, generation.id, State.WRITTEN)),
        ]
        if instead_of is not None:
            replaced = (State.REPLACED, now, product, instead_of, State.CURRENT)
            statements.append((_STATE, replaced))
        done = self._session.execute_together(statements).was_applied
        self._pointers.forget(product)
        if done:
            return True
        states = {one.generation.id: one.state for one in self.held(product)}
        if states.get(generation.id) is State.CURRENT:
            return True  # it was applied, and the answer was lost
        if states.get(generation.id) is not State.WRITTEN:
            raise superseded(generation)
        return False

    def drop(self, product: str, generation: str) -> bool:
        held = next((o for o in self.held(product) if o.generation.id == generation), None)
        if held is not None and held.state is not State.DROPPING:
            if held.state is State.CURRENT:
                return False
            changed = (State.DROPPING, _now(), product, generation, held.state)
            if not self._session.execute(_STATE, changed).was_applied:
                return self.drop(product, generation)
        self._remove(product, generation)
        return True

    def forget(self, product: str) -> None:
        self._session.execute(
            f"UPDATE {GENERATIONS} SET current = null WHERE product = ? IF current != null",
            (product,),
        )
        for one in self.held(product):
            self._remove(product, one.generation.id)
        self._pointers.forget(product)

    def get(self, product: str, key: str) -> Found | None:
        for _ in range(_TRIES):
            current = self._pointers.of(product)
            if current is None:
                return None
            generation = self._read.get(current) or self._remember(product, current)
            if generation is None:
                self._pointers.forget(product)
                continue
            try:
                with self._of(generation):
                    found = self._session.execute(
                        f"SELECT key, row FROM {_table(generation.id)} WHERE key IN (?, ?)",
                        (key, _POSITION),
                    )
                    values = {one.key: one.row for one in found}
            except Superseded:
                # It was dropped after the pointer was read: that has another by now.
                self._pointers.forget(product)
                continue
            return Found(generation, values.get(key), *_position_of(values.get(_POSITION)))
        raise PortUnreachable(f"{product}: its generations change faster than they can be read")

    def upsert(
        self,
        generation: Generation,
        rows: Mapping[str, str],
        position: int,
        *,
        after: int | None,
        note: str = "",
    ) -> None:
        self._check(generation, State.CURRENT)
        there, _ = self._position(generation.id)
        check_position(generation, there, position, after)
        cql = f"INSERT INTO {_table(generation.id)} (key, row) VALUES (?, ?) USING TIMESTAMP ?"
        # 1 is of the generation's own rows.
        changed = (*rows.items(), (_POSITION, f"{position} {note}"))
        with self._of(generation):
            self._session.execute_together([(cql, (*row, position + 1)) for row in changed])

    def scrub(self, product: str) -> None:
        """Tables are dropped whole. Whether Cassandra keeps a snapshot of a dropped table is its own
        setting (`auto_snapshot`), and clearing it its operator's: docs/how-to/serving.md."""

    def _remember(self, product: str, id_: str) -> Generation | None:
        row = self._session.execute(
            f"SELECT generation FROM {GENERATIONS} WHERE product = ? AND id = ?", (product, id_)
        ).one()
        if row is None or row.generation is None:
            return None
        if len(self._read) > 1_000:
            self._read.clear()
        self._read[id_] = generation_of(row.generation)
        return self._read[id_]

    def _remove(self, product: str, id_: str) -> None:
        self._session.define(f"DROP TABLE IF EXISTS {_table(id_)}")
        self._session.forget_prepared(_table(id_))
        self._session.execute(
            f"DELETE FROM {GENERATIONS} WHERE product = ? AND id = ? IF EXISTS", (product, id_)
        )

    def _drop_strays(self) -> None:
        """Tables of which no generation is noted: their writer was taken for dead before he made them,
        and died after it. A table is made after its generation is noted, and noted generations are read
        after the tables are: what is missing then was noted before, and is no more."""
        tables = self._session.tables("g_")
        if not tables:
            return
        noted = {
            _table(one.id)
            for one in self._session.execute(f"SELECT id FROM {GENERATIONS}")
            if one.id
        }
        for table in tables - noted:
            self._session.define(f"DROP TABLE IF EXISTS {table}")

    def _position(self, id_: str) -> tuple[int | None, str]:
        try:
            row = self._session.execute(
                f"SELECT row FROM {_table(id_)} WHERE key = ?", (_POSITION,)
            ).one()
        except _invalid():
            return None, ""
        return _position_of(row.row if row is not None else None)

    def _check(self, generation: Generation, wanted: State) -> None:
        states = {one.generation.id: one.state for one in self.held(generation.product)}
        if states.get(generation.id) is not wanted:
            raise superseded(generation)

    def _of(self, generation: Generation) -> Any:
        return _Of(generation)


class _Of:
    """A table that is not there any more is a generation that was dropped."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, raised: BaseException | None, _: object) -> None:
        if isinstance(raised, _invalid()):
            raise superseded(self._generation) from raised


def _invalid() -> type[Exception]:
    from cassandra import InvalidRequest

    found: type[Exception] = InvalidRequest
    return found


def _position_of(text: str | None) -> tuple[int | None, str]:
    """The position and its note, which stand in one row."""
    if not text:
        return None, ""
    number, _, note = text.partition(" ")
    return int(number), note


def _table(id_: str) -> str:
    """Of a name that was made here: hexadecimal digits."""
    return f"g_{int(id_, 16):032x}"


def _now() -> str:
    return datetime.now(UTC).isoformat()
