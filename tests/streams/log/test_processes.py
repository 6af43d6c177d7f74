"""Members and writers that are stopped, killed and many: processes of their own on each log."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import ExitStack

import pytest

from tests.nightly import NIGHTLY
from tests.streams.log.messages import Told, numbered, settle, take

KILLS = 30 if NIGHTLY else 3


def everything(log, topic, partition=0):
    """All messages of one partition, by their numbers."""
    ends = log.topic(topic).ends[partition]
    reader = log.reader(topic, f"all-{os.urandom(4).hex()}", Told())
    found = []
    deadline = time.monotonic() + 30
    while reader.positions().get(partition, -1) < ends:
        assert time.monotonic() < deadline
        found += [m for m in reader.take(10_000, 0.2).to_pylist() if m["partition"] == partition]
    reader.close()
    offsets = [m["offset"] for m in found]
    assert offsets == sorted(set(offsets))
    return [int(m["value"]) for m in found]


def hear_until(child, done):
    """What the child said and took, takes it is asked for one after the other."""
    said, took = [], []
    deadline = time.monotonic() + 30
    while not done(said, took):
        assert time.monotonic() < deadline, (said, took)
        child.say("take")
        heard = child.hear()
        said += [what for what, _ in heard["said"]]
        took += heard["took"]
    return said, took


def test_a_stopped_member_that_wakes_is_told_what_it_lost_and_shows_nothing(log, place):
    log.create(place.topic, 2)
    writer = log.writer()
    writer.send(place.topic, numbered(0, 100))
    writer.flush()
    with place.child("read") as child:
        child.hear()
        _, took = hear_until(child, lambda said, took: len(took) == 100)
        assert sorted(took) == list(range(100))
        child.send(signal.SIGSTOP)
        told = Told(dict(log.topic(place.topic).ends))
        reader = log.reader(place.topic, "group", told)
        settle(lambda: told.has == {0, 1}, reader)  # after the session's seconds
        writer.send(place.topic, numbered(100, 100))
        writer.flush()
        assert sorted(int(m["value"]) for m in take(reader, 100)) == list(range(100, 200))
        ends = log.topic(place.topic).ends
        reader.show({0: ends[0]})
        settle(lambda: log.shown(place.topic, "group") == {0: ends[0]}, reader)
        child.send(signal.SIGCONT)
        child.say("show 0 1")
        heard = child.hear()
        said = [what for what, _ in heard["said"]]
        if "taken" not in said:
            said += hear_until(child, lambda said, took: "taken" in said)[0]
        assert said[0] == "taken"
        settle(lambda: True, reader)
        assert log.shown(place.topic, "group") == {0: ends[0]}
    reader.close()


def test_what_a_killed_member_had_goes_to_the_others(log, place):
    log.create(place.topic, 2)
    told = Told()
    with place.child("read") as child:
        child.hear()
        hear_until(child, lambda said, took: "given" in said)
        reader = log.reader(place.topic, "group", told)
        child.kill()
        settle(lambda: told.has == {0, 1}, reader)
    reader.close()


@pytest.mark.slow
def test_writers_that_are_killed_leave_whole_transactions_alone(log, place):
    second = f"{place.topic}-second"
    for topic in (place.topic, second):
        log.create(topic, 1)
    chance = random.Random(7)
    for _ in range(KILLS):
        with place.child("write_transactions") as child:
            child.hear()
            for _ in range(chance.randrange(1, 6)):
                child.hear()
            time.sleep(chance.random() * 0.02)
            child.kill()
    log.writer(f"writer of {place.topic}").close()  # aborts what the last one had begun
    found = everything(log, place.topic)
    assert len(found) >= KILLS * 10
    assert found == everything(log, second)
    for first in range(0, len(found), 10):
        ten = found[first : first + 10]
        assert ten == list(range(ten[0], ten[0] + 10))
        assert ten[0] % 10 == 0


@pytest.mark.slow
def test_many_writers_share_a_partition(log, place):
    log.create(place.topic, 1)
    with ExitStack() as stack:
        children = [stack.enter_context(place.child("write", "20", "0")) for _ in range(3)]
        for child in children:
            assert child.hear() == "done"
    found = everything(log, place.topic)
    assert sorted(found) == sorted(3 * list(range(200)))


def test_a_writer_that_is_killed_leaves_no_half_message(log, place):
    log.create(place.topic, 1)
    with place.child("write_for_ever", "0") as child:
        for _ in range(5):
            told = child.hear()
        child.kill()
    found = everything(log, place.topic)
    assert found == list(range(len(found)))
    assert len(found) >= 100 * told
