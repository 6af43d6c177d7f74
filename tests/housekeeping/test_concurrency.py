"""Housekeeping beside publishers and readers: nothing is lost, and nobody sees half of anything.

Belongs here: processes at once. Does not belong here: those that die (`test_killed.py`).
"""

from __future__ import annotations

import time

import pytest

from shared_resources.stores.protocol import NotPublished
from tests.forkserver import ended, forkserver, heard, running
from tests.housekeeping.workers import keep_house_forever
from tests.stores.conftest import Places
from tests.stores.places import Place
from tests.stores.products import day
from tests.stores.workers import DAILY, ROWS_PER_BATCH, numbers_of, publish_many

KEY = DAILY.key


@pytest.mark.parametrize("name", ["lake", "warehouse"])
def test_publishers_and_readers_do_not_notice(name: str, places: Places) -> None:
    _publish_keep_house_and_watch(places(name), writers=3, batches=6)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "writers", "batches"),
    [("lake", 6, 25), ("warehouse", 6, 25), ("lake-s3", 3, 6), ("snowflake", 2, 3)],
)
def test_nor_do_they_for_long(name: str, writers: int, batches: int, places: Places) -> None:
    _publish_keep_house_and_watch(places(name), writers, batches)


def _publish_keep_house_and_watch(place: Place, writers: int, batches: int) -> None:
    context = forkserver()
    stop = context.Event()
    kept, tell = context.Pipe(duplex=False)
    keeper = context.Process(None, keep_house_forever, "housekeeping", (place, stop, tell))
    writing, reports = [], []
    for worker in range(writers):
        report, out = context.Pipe(duplex=False)
        arguments = (place, worker, batches, worker % 2 == 0, True, out)
        writing.append(context.Process(target=publish_many, args=arguments))
        reports.append(report)
    with running(keeper, *writing):
        seen = 0
        while any(writer.is_alive() for writer in writing):
            number = _check_current(place)
            assert number >= seen, "a version went back"
            seen = number
            time.sleep(0.05)
        stop.set()
        rounds = heard(keeper, kept)
        assert isinstance(rounds, int) and rounds > 0, rounds
        ended(keeper, *writing)
        said = [heard(*both) for both in zip(writing, reports, strict=True)]
        assert said == [""] * writers
    _check_nothing_is_lost(place, writers, batches)


def _check_current(place: Place) -> int:
    try:
        snapshot = place.open().open(KEY)
    except NotPublished:
        return 0
    ids = snapshot.batches(["id"]).read_all()["id"].to_pylist()
    assert len(ids) == len(set(ids)) == snapshot.version.rows
    assert len(ids) == len({number // ROWS_PER_BATCH for number in ids}) * ROWS_PER_BATCH
    return snapshot.version.number


def _check_nothing_is_lost(place: Place, writers: int, batches: int) -> None:
    """Every append is there, and of every other writer's partition its last batch; as often numbered."""
    snapshot = place.open().open(KEY)
    assert snapshot.version.number == writers * batches
    appended = [n for w in range(0, writers, 2) for b in range(batches) for n in numbers_of(w, b)]
    read = snapshot.batches(["id"], [day(0)]).read_all()["id"].to_pylist()
    assert sorted(read) == sorted(appended)
    for worker in range(1, writers, 2):
        read = snapshot.batches(["id"], [day(1 + worker)]).read_all()["id"].to_pylist()
        assert sorted(read) == numbers_of(worker, batches - 1)
