"""What the ledger writes of many objects at once, on SQLite and on Postgres."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.tables import OBJECTS
from shared_resources.landing.zones.zone import VERSION_MARK, LandingObject
from shared_resources.state.database import StateDatabase

THEN = datetime(2026, 1, 1, tzinfo=UTC)


def _landed(key: str, etag: str, at: datetime = THEN) -> LandingObject:
    return LandingObject(f"shop/items/{key}", 1, at, etag)


def _states(database: StateDatabase) -> dict[tuple[str, str], str]:
    query = sa.select(OBJECTS.c.key, OBJECTS.c.etag, OBJECTS.c.state)
    with database.begin() as connection:
        return {(row[0][-1], row[1]): row[2] for row in connection.execute(query)}


def test_what_was_taken_is_noted_and_what_waits_of_older_is_out_of_date(
    state: StateDatabase,
) -> None:
    ledger = Ledger(state, "shop/items")
    other = Ledger(state, "shop/others")
    old, new = _landed("a", "1"), _landed("a", "2", THEN + timedelta(hours=1))
    ledger.supersede([_landed("c", "1")])
    other.discover([old])
    ledger.discover([old])
    ledger.take([new], "run-1", "batch-1")
    ledger.take([_landed("b", "1")], "run-1", "batch-1")
    assert _states(state)["b", "1"] == State.TAKEN
    ledger.note([(one.key, one.etag) for one in (new, new, _landed("b", "1"))], State.PUBLISHED)
    ledger.note([("shop/items/d", "1")], State.REFUSED)
    ledger.take([new], "run-2", "batch-2")
    assert ledger.questions.suspects() == set(), "what is published is not taken again"
    with state.begin() as connection:
        of_others = sa.select(OBJECTS.c.state).where(OBJECTS.c.product == "shop/others")
        assert connection.execute(of_others).scalars().all() == [State.FOUND]
        connection.execute(sa.delete(OBJECTS).where(OBJECTS.c.product == "shop/others"))
    assert _states(state) == {
        ("a", "1"): State.REPLACED,
        ("a", "2"): State.PUBLISHED,
        ("b", "1"): State.PUBLISHED,
        ("c", "1"): State.SUPERSEDED,
        ("d", "1"): State.REFUSED,
    }


def test_a_row_of_a_listing_learns_its_version_unless_it_is_done(state: StateDatabase) -> None:
    ledger = Ledger(state, "shop/items")
    first, second = f"1{VERSION_MARK}v1", f"1{VERSION_MARK}v2"
    ledger.discover([_landed("a", "1")])
    ledger.note([("shop/items/b", "1")], State.PUBLISHED)
    ledger.take([_landed("a", first)], "run-1", "batch-1")
    ledger.take([_landed("b", first)], "run-1", "batch-1")
    assert _states(state) == {("a", first): State.TAKEN, ("b", "1"): State.PUBLISHED}
    ledger.note([("shop/items/b", second), ("shop/items/a", first)], State.PUBLISHED)
    assert _states(state) == {("a", first): State.PUBLISHED, ("b", second): State.PUBLISHED}
