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
    monkeypatch.setattr(keeper, "_FIRST_PATIENCE", 0.01)


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

    def mend(self, name: str) -> None:
        (self._folder / f"{name}.mended").touch()

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


def test_nobody_is_started_again_who_was_told_to_end(kept: Kept) -> None:
    thread = kept.keep(kept.wanted("told", "sys.exit(0)"))
    thread.join()
    assert kept.result is True and len(kept.starts("told")) == 1
    assert kept.said == ["told: has ended; the others go on"]


def test_who_waits_for_a_person_is_tried_again_and_said_once(kept: Kept) -> None:
    thread = kept.keep(kept.wanted("gap", "sys.exit(2)"))
    kept.until(lambda: len(kept.starts("gap")) > 2)
    kept.ended.set()
    thread.join()
    assert kept.result is False
    assert kept.said == [
        "gap: cannot go on until somebody acts; the others go on, and it is tried again, in 0 s and then "
        "more rarely"
    ]


def test_who_was_mended_goes_on_and_is_said_to(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_WELL_SECONDS", 0.5)
    mended = "os.path.exists(sys.argv[1] + '.mended') or sys.exit(2)\n"
    thread = kept.keep(kept.wanted("one", mended + WAITS))
    kept.until(lambda: len(kept.starts("one")) > 1)
    kept.mend("one")
    kept.until(lambda: kept.said[-1] == "one: goes on again")
    kept.ended.set()
    thread.join()
    assert kept.result is True and len(kept.said) == 2


@pytest.mark.parametrize(
    ("code", "first", "longest"),
    [(1, "_FIRST_PAUSE", "_LONGEST_PAUSE"), (2, "_FIRST_PATIENCE", "_LONGEST_PATIENCE")],
)
def test_pauses_grow_up_to_a_longest(
    kept: Kept, monkeypatch: pytest.MonkeyPatch, code: int, first: str, longest: str
) -> None:
    """Of each trouble by itself: what may pass is never as rare as what a person has to mend."""
    assert keeper._LONGEST_PAUSE < keeper._LONGEST_PATIENCE
    monkeypatch.setattr(keeper, first, 1.0)
    monkeypatch.setattr(keeper, longest, 4.0)
    one = keeper._Kept(kept.wanted("one", ""))
    judged = Keeper(kept.ended.is_set, kept.said.append)
    pauses = []
    for _ in range(4):
        one.began_at = time.monotonic()
        judged._ended(one, code)
        pauses.append(round(one.next_at - time.monotonic()))
    assert pauses == [1, 2, 4, 4]
    one.began_at = time.monotonic() - 2 * keeper._WELL_SECONDS
    judged._ended(one, code)
    assert round(one.next_at - time.monotonic()) == 1, "who ran for long was well"


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
