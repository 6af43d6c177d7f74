"""Many processes publish to one product: nothing is lost, and readers see only whole versions.

Belongs here: writers and readers at once. Does not belong here: processes that die
(`test_crashes.py`).
"""

from __future__ import annotations

import time

import pytest

from shared_resources.stores.protocol import NotPublished, ProductStore
from tests.forkserver import ended, forkserver, heard, running
from tests.stores.places import LOCAL, REMOTE, Place
from tests.stores.products import day
from tests.stores.workers import (
    DAILY,
    ROWS_PER_BATCH,
    numbers_of,
    publish_many,
)

WRITERS = 16
SLOW = [pytest.param(store, marks=pytest.mark.slow) for store in REMOTE]


@pytest.mark.parametrize("place", [*LOCAL, *SLOW], indirect=True)
def test_sixteen_processes_publishing_lose_nothing(place: Place) -> None:
    _publish_and_watch(place, batches=2, locked=True)


@pytest.mark.slow
@pytest.mark.parametrize("place", REMOTE, indirect=True)
def test_four_machines_publishing_lose_nothing(place: Place) -> None:
    """No lock of one machine holds them off each other."""
    _publish_and_watch(place, batches=2, locked=False, machines=4)


@pytest.mark.slow
@pytest.mark.parametrize("place", LOCAL, indirect=True)
def test_nothing_is_lost_in_a_long_race(place: Place) -> None:
    _publish_and_watch(place, batches=15, locked=True)


@pytest.mark.slow
def test_nothing_is_lost_without_the_lock(place: Place) -> None:
    _publish_and_watch(place, batches=2 if place.store in REMOTE else 4, locked=False)


def _publish_and_watch(place: Place, batches: int, locked: bool, machines: int = WRITERS) -> None:
    context = forkserver()
    reports, writers = [], []
    for worker in range(machines):
        appends = worker % 2 == 0
        report, out = context.Pipe(duplex=False)
        arguments = (place, worker, batches, appends, locked, out)
        writers.append(context.Process(target=publish_many, args=arguments))
        reports.append(report)
    with running(*writers):
        store = place.open()
        seen = 0
        while any(writer.is_alive() for writer in writers):
            seen = max(seen, _check_current(store))
            time.sleep(0.02)
        for writer, report in zip(writers, reports, strict=True):
            assert heard(writer, report) == ""
        ended(*writers)
    assert _check_current(store) == machines * batches
    numbers = [version.number for version in store.versions(DAILY.key)]
    assert numbers == list(range(1, machines * batches + 1))
    store.remove_orphans(DAILY.key)  # a remote store's staged files were sent away
    _check_end(store, machines, batches)
    assert store.remove_orphans(DAILY.key) == []


def _check_current(store: ProductStore) -> int:
    """The current version is whole: its rows are its number of rows, and batches of them are."""
    try:
        snapshot = store.open(DAILY.key)
    except NotPublished:
        return 0
    ids = snapshot.batches(["id"]).read_all()["id"].to_pylist()
    assert len(ids) == len(set(ids)) == snapshot.version.rows
    whole = {number // ROWS_PER_BATCH for number in ids}
    assert len(ids) == len(whole) * ROWS_PER_BATCH
    return snapshot.version.number


def _check_end(store: ProductStore, writers: int, batches: int) -> None:
    """Every append is there, and of every other writer's partition its last batch."""
    snapshot = store.open(DAILY.key)
    appended = [n for w in range(0, writers, 2) for b in range(batches) for n in numbers_of(w, b)]
    read = snapshot.batches(["id"], [day(0)]).read_all()["id"].to_pylist()
    assert sorted(read) == sorted(appended)
    for worker in range(1, writers, 2):
        read = snapshot.batches(["id"], [day(1 + worker)]).read_all()["id"].to_pylist()
        assert sorted(read) == numbers_of(worker, batches - 1)
