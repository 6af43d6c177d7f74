"""Live rows: whoever is killed while served rows follow a stream has lost nothing, doubled nothing, and
taken no row back that a reader has seen."""

from __future__ import annotations

import itertools
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from pathlib import Path

import pytest

from tests.streams.live.made import (
    TAKINGS,
    follow,
    publish,
    publish_receipts,
    send,
    served,
    shop,
)

ROUNDS = 6
TILLS = ("one", "two", "three", "four", "five")


class Readers(threading.Thread):
    """Asks for the rows all the time; of one generation a count of receipts never falls."""

    def __init__(self, port) -> None:
        super().__init__(daemon=True)
        self.port, self.stop, self.fallen, self.read = port, threading.Event(), [], 0

    def run(self) -> None:
        seen = {}
        for till in itertools.cycle(TILLS):
            if self.stop.is_set():
                return
            found = self.port.get(TAKINGS, json.dumps([till]))
            if found is None or found.row is None:
                continue
            self.read += 1
            count = json.loads(found.row)[1]
            before = seen.get((found.generation.id, till), 0)
            if count < before:
                self.fallen.append((till, before, count))
            seen[found.generation.id, till] = count
            time.sleep(0.001)


def begin(told: Path) -> subprocess.Popen:
    mesh_command = Path(sys.executable).parent / "mesh"
    with told.open("ab") as file:
        command = [mesh_command, "stream", "live", TAKINGS]
        return subprocess.Popen(command, stdout=file, stderr=file)


def position(mesh) -> int:
    held = mesh.environment.serving_port.current(TAKINGS)
    return held.position or 0


@pytest.mark.slow
def test_rows_are_those_of_an_undisturbed_run(mesh, tmp_path):
    shop(mesh)
    chance, number, expected = random.Random(7), 0, defaultdict(lambda: (0, 0.0))
    readers = Readers(mesh.environment.serving_port)
    readers.start()

    def more(count: int) -> None:
        nonlocal number
        sent = []
        for _ in range(count):
            number += 1
            till, paid = chance.choice(TILLS), chance.randint(1, 9) / 4
            sent.append((number, till, paid))
            expected[till] = (expected[till][0] + 1, expected[till][1] + paid)
        send(mesh, *sent)

    told = tmp_path / "told.txt"
    for one in range(ROUNDS):
        more(20)
        if one == 2:
            publish_receipts(mesh)  # what was published is not read from the log again
        process = begin(told)
        try:
            if one == 4:
                publish(mesh, [*TILLS, "six"])  # under the feet of who follows
            before, ends = position(mesh), time.monotonic() + 120
            while position(mesh) in (0, before):  # until it writes: then at any moment
                assert process.poll() is None, told.read_text()
                assert time.monotonic() < ends, told.read_text()
                more(3)
                time.sleep(0.02)
            for _ in range(chance.randint(1, 20)):
                more(2)
                time.sleep(chance.random() / 200)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
    follow(mesh)
    readers.stop.set()
    readers.join()
    assert {till: served(mesh, till) for till in TILLS} == dict(expected)
    assert served(mesh, "six") == (0, 0.0)
    assert not readers.fallen and readers.read > 100


@pytest.mark.slow
def test_a_second_process_waits_and_goes_on_when_the_first_is_killed(mesh, tmp_path):
    shop(mesh)
    send(mesh, (1, "one", 1.0))
    told = [tmp_path / "first.txt", tmp_path / "second.txt"]
    first = begin(told[0])
    second = None
    try:
        wait_until(lambda: served(mesh, "one") == (1, 1.0))
        second = begin(told[1])
        send(mesh, (2, "one", 1.0))
        wait_until(lambda: served(mesh, "one") == (2, 2.0))
        time.sleep(3)
        assert "follows" not in told[1].read_text()
        first.kill()
        first.wait()
        send(mesh, (3, "one", 1.0))
        wait_until(lambda: served(mesh, "one") == (3, 3.0))
        assert "follows" in told[1].read_text()
        second.terminate()
        assert second.wait(60) == 0, "SIGTERM ends it as it should"
    finally:
        for process in (first, second):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def wait_until(holds, seconds=120.0):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.05)
