"""Two processes make a product of a topic and are killed at random, or stopped and woken, and the
broker is killed or restarted: each message that keeps the contract is a row once, each other one is in
quarantine once, what was aborted is nowhere, and readers meanwhile see whole versions only."""

import collections
import random
import signal
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from confluent_kafka import KafkaException

from shared_resources.streams.kept_messages import kept_messages
from shared_resources.streams.log.port import LogProblem
from shared_resources.wiring.local import LocalEnvironment
from tests.nightly import times
from tests.stand_ins.kafka import running_kafka
from tests.streams.log.logs import Place
from tests.streams.receipts import PRODUCT, contract, messages, receipt

pytestmark = [pytest.mark.slow, pytest.mark.timeout(times(300, 7200))]
ROOT = Path(__file__).resolve().parents[2]
KILLS = times(8, 100)
PATIENCE = times(120, 1200)  # in seconds: a machine that works on much else starts a process slowly
BROKEN = 10  # one message of so many


@pytest.fixture(params=["embedded", "kafka"])
def place(request, tmp_path):
    """The log; and the broker, which is this test's own to kill."""
    topic = f"receipts-{uuid.uuid4().hex[:8]}"
    with ExitStack() as opened:
        if request.param == "embedded":
            broker, where = None, f"embedded:{tmp_path / 'log'}"
        else:
            broker = opened.enter_context(running_kafka())
            where = f"kafka:{broker.address}"
        made = Place(where, topic)
        yield made, broker
        made.close()


class Upstream:
    """Sends receipts in transactions of which every third is aborted, until it is told to stop. Of one
    that failed as the broker went away it knows that it is seen whole or never (`unknown`)."""

    def __init__(self, log, topic):
        self._log, self._topic = log, topic
        self.good, self.bad = set(), set()
        self.unknown = []
        self.failed = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _send(self):
        try:
            self._send_all()
        except Exception as problem:  # noqa: BLE001
            self.failed = problem  # in a thread nobody else would hear of it

    def _send_all(self):
        writer = self._log.writer("till")
        number = 0
        for round_ in range(1_000_000):
            if self._stop.is_set():
                writer.close()
                return
            sent = range(number, number + 20)
            number += 20
            values = [receipt(n, paid=-1 if n % BROKEN == 0 else 1) for n in sent]
            try:
                with writer.transaction():
                    writer.send(self._topic, messages(values))
                    if round_ % 3 == 2:
                        raise _Aborted
            except _Aborted:
                continue
            except (LogProblem, KafkaException):
                self.unknown.append(sent)
                writer = self._log.writer("till")  # which ends what the one before had begun
                continue
            self._sent(sent)
            time.sleep(0.05)

    def _sent(self, numbers):
        self.good |= {n for n in numbers if n % BROKEN}
        self.bad |= {n for n in numbers if n % BROKEN == 0}

    def learn(self, published):
        """What became of the transactions that failed, by what is published of them."""
        for numbers in self.unknown:
            if published & set(numbers):
                self._sent(numbers)


class _Aborted(Exception):
    pass


class Reader:
    """Looks at what is published all the while."""

    def __init__(self, mesh):
        self._mesh = mesh
        self.wrong = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _look(self):
        before = 0
        while not self._stop.wait(0.2):
            versions = self._mesh.versions(PRODUCT)
            if not versions:
                continue
            rows = self._mesh.rows(PRODUCT, versions[-1].number)
            seen = [row["receipt_id"] for row in rows]
            if len(seen) != len(set(seen)) or len(seen) < before or len(seen) != versions[-1].rows:
                self.wrong.append((versions[-1].number, len(seen), len(set(seen)), before))
            if any(row["paid"] < 0 for row in rows):
                self.wrong.append((versions[-1].number, "a row that breaks a rule"))
            before = len(seen)


def begin(where):
    command = [sys.executable, "-m", "tests.streams.stream_process", PRODUCT, where]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def hear(process, word):
    """Until it has said so."""
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        for line in process.stdout:
            if line.strip() == word:
                return
        raise AssertionError(f"the process ended before it said {word!r}")
    finally:
        timer.cancel()


def trouble(number, running, place, broker, chance, start=begin):
    """One more of all that goes wrong: each time a process is killed, now and then another is stopped for
    longer than its session, and wakes as a zombie; and now and then the broker is away."""
    which = chance.randrange(2)
    if number % 4 == 3:
        running[which].send_signal(signal.SIGSTOP)
        time.sleep(3)
        running[which].send_signal(signal.SIGCONT)
        time.sleep(chance.uniform(0.0, 1.0))
    if number % 6 == 5 and broker is not None:
        broker.kill() if number % 12 == 5 else broker.stop()
        broker.start()
    which = chance.randrange(2)
    running[which].kill()
    running[which].wait()
    running[which] = start(place.where)
    hear(running[which], "ready")


def test_each_message_is_published_once_whatever_is_killed(mesh, place, monkeypatch):
    place, broker = place
    log = place.open()
    monkeypatch.setattr(LocalEnvironment, "log", property(lambda self: log))
    log.create(place.topic, 4)
    mesh.product(PRODUCT, contract(topic=place.topic, budget=50))
    chance = random.Random(11)
    running = [begin(place.where), begin(place.where)]
    try:
        with Reader(mesh) as reader, Upstream(log, place.topic) as upstream:
            for one in running:
                hear(one, "ready")
            for number in range(KILLS):
                time.sleep(chance.uniform(0.1, 2.0))
                trouble(number, running, place, broker, chance)
        assert upstream.failed is None
        until = time.monotonic() + 120
        while time.monotonic() < until and not _has_all(mesh, upstream):
            time.sleep(0.5)
        if upstream.unknown:
            time.sleep(10)  # they are rows by then, or never
    finally:
        for one in running:
            one.terminate()
        for one in running:
            one.wait(60)
    published = collections.Counter(row["receipt_id"] for row in mesh.rows(PRODUCT))
    upstream.learn(set(published))
    assert set(published) == upstream.good
    assert set(published.values()) == {1}
    assert reader.wrong == []
    assert kept(mesh) == dict.fromkeys(upstream.bad, 1)


def _has_all(mesh, upstream):
    """Whether every good message is a row; what was rejected is kept before that."""
    versions = mesh.versions(PRODUCT)
    return bool(versions) and versions[-1].rows >= len(upstream.good)


def kept(mesh):
    """How often each message is in what is still open of the quarantine."""
    found = collections.Counter()
    for entry in mesh.environment.quarantine.list(PRODUCT):
        if entry.open:
            for file in mesh.environment.quarantine.files(entry):
                for value in kept_messages(file).column("value").to_pylist():
                    found[int(value.split(b":")[1].split(b",")[0])] += 1
    return dict(found)
