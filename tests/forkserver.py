"""The one fork server of a test process: it makes children in milliseconds, and has no threads.

Belongs here: what it has imported by then, and that no child outlives its test for ever. Does not
belong here: what children do (`workers.py`, `processes.py` beside the tests).

A test process is full of threads of other tests, and a child that is forked from it may wait for ever
for a lock that one of them held: only tests whose subject is a fork do that.
"""

from __future__ import annotations

import atexit
import multiprocessing
import multiprocessing.util  # registers its hook for the exit, which has to be there before ours
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from multiprocessing.process import BaseProcess
from typing import Any

# Less than pytest-timeout gives a test: that a process hangs is said of the process.
PATIENCE = 120.0

# Modules that are missing here are imported by each child, for a second or more.
_PRELOADED = (
    "shared_resources.stores.lake.files.s3",
    "shared_resources.production.aws_resources",
    "tests.guarantees.processes",
    "tests.housekeeping.workers",
    "tests.stores.workers",
)


def _kill_children() -> None:
    for process in multiprocessing.active_children():
        process.kill()


# At exit, multiprocessing waits for its children, where pytest-timeout does not reach: a test that
# fails with one alive would keep pytest from ending. Hooks run in reverse order, so this one runs
# before that of `multiprocessing.util`. Daemons would be ended too, but may have no children.
atexit.register(_kill_children)


class _Child(ForkServerProcess):
    """Has the variables of its parent when it is started, not those of the server.

    The server keeps those of the test that was the first to need it: a child of a later test would
    work in another environment, and find nothing there.
    """

    def start(self) -> None:
        self._variables = dict(os.environ)
        super().start()

    def run(self) -> None:
        os.environ.clear()
        os.environ.update(self._variables)
        super().run()


class _ForkServer(ForkServerContext):
    Process = _Child


def forkserver() -> ForkServerContext:
    context = _ForkServer()
    context.set_forkserver_preload(list(_PRELOADED))
    return context


@contextmanager
def running(*processes: BaseProcess) -> Iterator[None]:
    """Start them; those that are still alive afterwards are killed, so no later test has them."""
    try:
        for process in processes:
            process.start()
        yield
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()
        for process in processes:
            if process.pid is not None:
                process.join(10)


def ended(*processes: BaseProcess, within: float = PATIENCE) -> None:
    """Wait until all of them have ended, for so many seconds together; the test fails if not."""
    deadline = time.monotonic() + within
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    alive = [process.name for process in processes if process.is_alive()]
    assert not alive, f"{', '.join(alive)} did not end within {within:g} s"


def lifetime(process: BaseProcess, at_most: float) -> float | None:
    """Start it, and kill it after so many seconds: None. Else how long it took to its own end."""
    with running(process):
        began = time.monotonic()
        process.join(at_most)
        took = None if process.exitcode is None else time.monotonic() - began
        if took is None:
            process.kill()
        ended(process)
        return took


def heard(process: BaseProcess, report: Connection, within: float = PATIENCE) -> Any:
    """What it sent; the test fails if it sends nothing, and at once if it ends without a word.

    A connection alone does not tell: as long as the test holds the other end, it has no end of file.
    """
    wait([report, process.sentinel], within)
    if report.poll(0):
        with suppress(EOFError):
            return report.recv()
        process.join(1)  # its end is closed: it is about to end
    alive = f"said nothing within {within:g} s"
    dead = f"ended with {process.exitcode} and without a word"
    raise AssertionError(f"{process.name} {alive if process.is_alive() else dead}")
