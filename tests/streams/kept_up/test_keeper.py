"""Who is started again, who is not, and that all of them end."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.port import PortUnreachable
from shared_resources.state.database import LockKept, StateUnreachable
from shared_resources.streams.decoding.registry import RegistryUnreachable
from shared_resources.streams.kept_up import keeper
from shared_resources.streams.kept_up.keeper import SOMEBODY_ACTS, Keeper, Wanted
from shared_resources.streams.log.port import LogProblem

# Writes a line for each start, then does as it is told.
STARTED = "import os, sys, time\nprint(os.getpid(), file=open(sys.argv[1], 'a'), flush=True)\n"
WAITS = "time.sleep(600)"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_LOOK_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "_READY_SECONDS", 0.01)
    monkeypatch.setattr(keeper, "_FIRST_PAUSE", 0.01)


class Kept:
    def __init__(self, folder: Path) -> None:
        self.said: list[str] = []
        self.ended = threading.Event()
        self.result: bool | None = None
        self._folder = folder

    def wanted(self, name: str, does: str, lacks: Callable[[], str] = lambda: "") -> Wanted:
        command = [sys.executable, "-S", "-c", STARTED + does, str(self._folder / name)]
        return Wanted(name, command, lacks)

    def starts(self, name: str) -> list[int]:
        file = self._folder / name
        return [int(one) for one in file.read_text().split()] if file.exists() else []

    def keep(self, *wanted: Wanted) -> threading.Thread:
        def run() -> None:
            self.result = Keeper(self.ended.is_set, self.said.append).keep(wanted)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def until(self, what: Callable[[], bool]) -> None:
        until = time.monotonic() + 60
        while not what():
            assert time.monotonic() < until, self.said
            time.sleep(0.01)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_who_dies_is_started_again_and_disturbs_nobody(kept: Kept) -> None:
    thread = kept.keep(kept.wanted("steady", WAITS), kept.wanted("dies", "sys.exit(1)"))
    kept.until(lambda: len(kept.starts("dies")) > 2)
    kept.until(lambda: len(kept.starts("steady")) == 1)
    kept.ended.set()
    thread.join()
    assert kept.result is True
    assert any(one.startswith("dies: ended with 1; it is started again in ") for one in kept.said)
    [steady] = kept.starts("steady")
    with pytest.raises(ProcessLookupError):
        os.kill(steady, 0)


def test_who_is_killed_is_started_again(kept: Kept) -> None:
    thread = kept.keep(kept.wanted("one", WAITS))
    kept.until(lambda: len(kept.starts("one")) == 1)
    os.kill(kept.starts("one")[0], signal.SIGKILL)
    kept.until(lambda: len(kept.starts("one")) == 2)
    kept.ended.set()
    thread.join()
    assert "one: was ended by SIGKILL; it is started again in 0 s" in kept.said


def test_nobody_is_started_again_who_waits_for_a_person_or_was_told_to_end(kept: Kept) -> None:
    thread = kept.keep(kept.wanted("gap", "sys.exit(2)"), kept.wanted("told", "sys.exit(0)"))
    thread.join()
    assert kept.result is False
    assert [len(kept.starts(one)) for one in ("gap", "told")] == [1, 1]
    assert sorted(kept.said) == [
        "gap: cannot go on until somebody acts; the others go on",
        "told: has ended; the others go on",
    ]


def test_what_one_waits_for_is_said_once_and_starts_it_when_it_is_there(kept: Kept) -> None:
    answers = ["waits for its topic"] * 3

    def lacks() -> str:
        if len(answers) == 1:
            answers.pop()
            raise LogProblem("the broker does not answer")
        return answers.pop() if answers else ""

    thread = kept.keep(kept.wanted("one", "sys.exit(0)", lacks))
    thread.join()
    assert len(kept.starts("one")) == 1
    assert kept.said[:2] == ["one: waits for its topic", "one: the broker does not answer"]


def test_who_does_not_end_in_time_is_killed(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_END_SECONDS", 0.2)
    deaf = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    says = "print(0, file=open(sys.argv[1] + '.deaf', 'w'), flush=True)\n"
    thread = kept.keep(kept.wanted("one", deaf + says + WAITS))
    kept.until(lambda: bool(kept.starts("one.deaf")))
    kept.ended.set()
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(kept.starts("one")[0], 0)


@pytest.mark.parametrize(
    "problem", [LogProblem, LockKept, PortUnreachable, RegistryUnreachable, StateUnreachable]
)
def test_a_server_that_does_not_answer_is_nothing_that_somebody_must_act_on(
    problem: type[MeshProblem],
) -> None:
    assert problem.exit_code != SOMEBODY_ACTS
