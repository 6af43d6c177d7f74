"""Trying a commit again while other writers win, without ever depending on a lock.

Belongs here: the bounded, jittered attempts and the advisory lock that keeps them few.
Does not belong here: what a conflict is (the stores).
"""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from shared_resources.io_managers.protocol import PublishError

ATTEMPTS = 100
# Of an attempt that waits for a lock a hundred would take hours.
SECONDS = 600.0
LOCK_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 1.0


class Attempts:
    """Counts attempts, with a growing random wait between them."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._problem: Exception | None = None
        self._made = 0

    def __iter__(self) -> Iterator[int]:
        end = time.monotonic() + SECONDS
        for number in range(ATTEMPTS):
            if number:
                if time.monotonic() > end:
                    return
                time.sleep(random.uniform(0, min(LONGEST_WAIT_SECONDS, 0.01 * 2 ** min(number, 9))))
            self._made = number + 1
            yield number

    def failed(self, problem: Exception) -> None:
        self._problem = problem

    def exhausted(self) -> PublishError:
        """The error after so many attempts that something other than competition is wrong."""
        because = f" (the last time: {self._problem})" if self._problem else ""
        return PublishError(
            f"{self._what}: other writers were first {self._made} times in a row{because}, and "
            "nothing was published. Look for a process that publishes this product in a loop, and "
            "run it again."
        )


@contextlib.contextmanager
def advisory_lock(path: Path) -> Iterator[None]:
    """Hold the lock file while publishing, so that writers queue up instead of colliding.

    It frees itself when its holder dies, and is given up after a minute: a stuck holder costs
    retries, never correctness.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Timeout):
            held.enter_context(lock.acquire(timeout=LOCK_SECONDS))
        yield
