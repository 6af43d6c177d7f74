"""Two gates pass the messages of a topic on and are killed at random, or stopped and woken, and the
broker is killed or restarted: exactly once, each message that keeps the contract is in the gate's topic
once, each other one in that of dead letters once, and what was aborted is nowhere. At least once, nothing
is lost."""

import collections
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared_resources.wiring.local import LocalEnvironment
from tests.guarantees.test_each_message_is_published_once import Upstream, hear, place, trouble
from tests.nightly import times
from tests.streams.gate.passing import in_topic
from tests.streams.receipts import PRODUCT, contract

pytestmark = pytest.mark.slow
__all__ = ["place"]
TEN_YEARS = 3650 * 86_400
ROOT = Path(__file__).resolve().parents[2]
KILLS = {"exactly_once": times(8, 100), "at_least_once": times(4, 50)}


def begin(where):
    command = [sys.executable, "-m", "tests.streams.gate.gate_process", PRODUCT, where]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("delivery", KILLS)
def test_each_message_passes_the_gate_whatever_is_killed(mesh, place, delivery, monkeypatch):
    place, broker = place
    log = place.open()
    monkeypatch.setattr(LocalEnvironment, "log", property(lambda self: log))
    good, bad = f"{place.topic}.good", f"{place.topic}.bad"
    for topic in (place.topic, good, bad):
        log.create(topic, 4, keep_seconds=TEN_YEARS)  # messages keep their times, which are old
    stream = {"gate": {"topic": good, "delivery": delivery}, "deadLetters": {"topic": bad}}
    mesh.product(PRODUCT, contract(topic=place.topic, **stream))
    chance = random.Random(12)
    running = [begin(place.where), begin(place.where)]
    try:
        with Upstream(log, place.topic) as upstream:
            for one in running:
                hear(one, "ready")
            for number in range(KILLS[delivery]):
                time.sleep(chance.uniform(0.1, 2.0))
                trouble(number, running, place, broker, chance, begin)
        assert upstream.failed is None
        until = time.monotonic() + 120
        while time.monotonic() < until and not (
            upstream.good <= passed(log, good).keys() and upstream.bad <= passed(log, bad).keys()
        ):
            time.sleep(0.5)
        assert [one.poll() for one in running] == [None, None]
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(60)
    assert [one.returncode for one in running] == [0, 0]
    there, rejected = passed(log, good), passed(log, bad)
    assert (there.keys() - upstream.good, upstream.good - there.keys()) == (set(), set())
    assert (rejected.keys() - upstream.bad, upstream.bad - rejected.keys()) == (set(), set())
    if delivery == "exactly_once":
        assert {*there.values(), *rejected.values()} == {1}


def passed(log, topic):
    """How often each receipt is in the topic, to readers of what is committed."""
    return collections.Counter(
        int(one["value"].split(b":")[1].split(b",")[0]) for one in in_topic(log, topic)
    )
