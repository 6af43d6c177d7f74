"""Snowflake at its worst: a death or a lost connection at every statement, and people reading.

Belongs here: each statement of a publish in turn, and a view that is read all the while.
Does not belong here: the steps that all stores have (`test_crashes.py`).
"""

from __future__ import annotations

import contextlib
import random
import signal
import time
from datetime import timedelta

import pytest

from shared_resources.stores.cloud_warehouse import tables as snowflake_tables
from shared_resources.stores.cloud_warehouse.session import ConnectionLost, Missing
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.erased import Without, erasures_of
from tests.forkserver import ended, forkserver, running
from tests.stores.conftest import Places
from tests.stores.places import Place
from tests.stores.products import WHY, contract, day, publish, published
from tests.stores.snowflake_statements import (
    losing,
    losing_after,
    publish_and_die_at,
    recorded,
)
from tests.stores.workers import DAILY, publish_once

KEY = DAILY.key
VIEW = '"order"."sales"'


@pytest.fixture
def place(places: Places) -> Place:
    return places("snowflake")


@pytest.fixture
def store(place: Place) -> SnowflakeStore:
    opened = place.open()
    assert isinstance(opened, SnowflakeStore)
    return opened


def shown(store: SnowflakeStore) -> list[int]:
    found = store.session.query(f'SELECT "id" FROM {VIEW} ORDER BY 1')
    return [int(number) for (number,) in found.rows]


def number_of_statements(store: SnowflakeStore) -> int:
    """How many a publish of one partition has; it publishes `[0]` as day 0."""
    with recorded() as said:
        publish(store, DAILY, "counted", {day(0): [0]})
    return len(said.statements)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_at_every_statement(
    place: Place, store: SnowflakeStore, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, DAILY, "first", {day(0): [0], day(1): [1]})
    current = [0, 1]
    for statement in range(number_of_statements(store)):
        new = [10 + statement]
        batch = f"b{statement}"
        child = forkserver().Process(
            target=publish_and_die_at, args=(place, batch, new, statement, when)
        )
        with running(child):
            ended(child)
        assert child.exitcode == -signal.SIGKILL
        done = store.versions(KEY)[-1].batch_id == batch
        if done:
            assert published(store, KEY) == sorted([1, *new])
        else:
            assert published(store, KEY) == sorted(current)
        assert shown(store) in (sorted(current), sorted([1, *new]))
        publish(store, DAILY, batch, {day(0): new})  # the run is tried again
        current = [1, *new]
        assert published(store, KEY) == shown(store) == sorted(current)
    # A table that its maker had not signed yet is left alone for a minute.
    monkeypatch.setattr(snowflake_tables, "SIGNING", timedelta(0))
    store.remove_orphans(KEY)
    named = {version.snapshot for version in store.versions(KEY)}
    assert {table.name.name for table in store._tables(KEY).all()} == named
    for version in store.versions(KEY):
        assert len(published(store, KEY, version.number)) == version.rows


@pytest.mark.slow
@pytest.mark.parametrize("executed", [False, True])
def test_a_connection_lost_at_any_statement_publishes_once(
    store: SnowflakeStore, executed: bool
) -> None:
    """Whether Snowflake had executed it or not: the store looks again, and goes on."""
    publish(store, DAILY, "first", {day(0): [0], day(1): [1]})
    total = number_of_statements(store)
    for statement in range(total):
        before = len(store.versions(KEY))
        with losing(statement, executed=executed) as lost:
            version = publish(store, DAILY, f"b{statement}", {day(0): [10 + statement]})
        assert len(lost) == 1
        assert version.number == before + 1 == len(store.versions(KEY)), lost
        assert published(store, KEY) == shown(store) == [1, 10 + statement], lost


@pytest.mark.slow
@pytest.mark.parametrize("word", ["INSERT", "UPDATE", "CREATE"])
def test_an_erasure_that_is_cut_off_is_finished_by_the_next(
    place: Place, store: SnowflakeStore, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After each statement that changes the record, of which there are several for one version."""
    monkeypatch.setattr(snowflake_tables, "SIGNING", timedelta(0))
    publish(store, DAILY, "b1", {day(0): [1, 9], day(1): [2]})
    asked = Without("e", ("id",), frozenset({"9"}))
    for statement in range(1, 9):
        with losing_after(word, statement) as lost, contextlib.suppress(ConnectionLost):
            store.erase(DAILY, asked)
        following = place.open()
        assert isinstance(following, SnowflakeStore)
        following.erase(DAILY, asked)
        following.remove_orphans(KEY)
        newest = following.versions(KEY)[-1]
        assert published(following, KEY) == shown(following) == [1, 2], lost
        assert erasures_of(newest.properties) == [("e", 1)], lost
        assert newest.snapshot == _table_of(following), lost
        assert store.versions(KEY) == following.versions(KEY), lost
        if not lost:
            break
        publish(store, DAILY, f"again-{statement}", {day(0): [1, 9]})
    assert not lost


def _table_of(store: SnowflakeStore) -> str:
    """The table of the newest version, as what decides says it."""
    entry = store.record_of(KEY).head().entry
    assert entry is not None
    return entry.table


@pytest.mark.slow
def test_the_very_first_publish_survives_lost_connections(places: Places) -> None:
    """Also while the domain's schemas and tables are made."""
    for statement in range(0, 24, 3):
        store = places("snowflake").open()
        assert isinstance(store, SnowflakeStore)
        with losing(statement, executed=True):
            publish(store, DAILY, "first", {day(0): [0]})
        assert [version.number for version in store.versions(KEY)] == [1]
        assert shown(store) == [0]


@pytest.mark.slow
def test_people_reading_the_view_see_whole_versions_only(
    place: Place, store: SnowflakeStore
) -> None:
    """Each version has rows of one number, as many as the number says: a mixture would show."""
    seed = time.time_ns()
    chance = random.Random(seed)
    print(f"seed {seed}")
    publish(store, contract(name="other"), "b0", [1])
    reader = place.open()
    assert isinstance(reader, SnowflakeStore)
    context = forkserver()
    seen: set[tuple[int, ...]] = set()
    for round_ in range(10):
        writers = [
            context.Process(
                target=publish_once, args=(place, f"b{round_}-{n}", _rows(round_ * 3 + n))
            )
            for n in range(3)
        ]
        with running(*writers):
            end = time.monotonic() + 60
            killing = time.monotonic() + chance.uniform(0.2, 1.5)
            while any(writer.is_alive() for writer in writers) and time.monotonic() < end:
                _read(reader, seen)
                if time.monotonic() > killing:
                    writers[0].kill()
            ended(*writers)
        _read(reader, seen)
        if versions := store.versions(KEY):
            store.rollback(DAILY, chance.choice(versions).number, WHY, batch_id=f"r{round_}")
            _read(reader, seen)
    store.remove_orphans(KEY)
    _read(reader, seen)
    assert len(seen) > 5
    assert tuple(shown(store)) == tuple(published(store, KEY))


def _rows(number: int) -> list[int]:
    """`number + 1` rows, whose ids tell which number they belong to."""
    return [number * 1_000 + n for n in range(number + 1)]


def _read(store: SnowflakeStore, seen: set[tuple[int, ...]]) -> None:
    try:
        ids = shown(store)
    except Missing:  # nothing is published yet
        return
    assert ids == _rows(ids[0] // 1_000)
    seen.add(tuple(ids))
