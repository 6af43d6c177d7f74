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

from shared_resources.stores.protocol import PublishError

ATTEMPTS = 100
# A hundred attempts that each wait for a lock would take hours. The first one does not count: it
# may load for as long as it likes.
SECONDS = 600.0
LEAST_ATTEMPTS = 5
LOCK_SECONDS = 60.0
LONGEST_WAIT_SECONDS = 1.0


class Attempts:
    """Counts attempts, with a growing random wait between them.

    `what` is tried, and `otherwise` is what holds when it is given up.
    """

    def __init__(self, what: str, otherwise: str = "nothing was published") -> None:
        self._what = what
        self._otherwise = otherwise
        self._problem: Exception | None = None
        self._made = 0

    def __iter__(self) -> Iterator[int]:
        end = 0.0
        for number in range(ATTEMPTS):
            if number == 1:
                end = time.monotonic() + SECONDS
            if number >= LEAST_ATTEMPTS and time.monotonic() > end:
                return
            if number:
                time.sleep(random.uniform(0, min(LONGEST_WAIT_SECONDS, 0.01 * 2 ** min(number, 9))))
            self._made = number + 1
            yield number

    def failed(self, problem: Exception) -> None:
        self._problem = problem

    def exhausted(self) -> PublishError:
        """The error after so many attempts that something other than competition is wrong.

        Whoever raises it has looked once more whether the last one succeeded after all.
        """
        because = f" (the last time: {self._problem})" if self._problem else ""
        return PublishError(
            f"{self._what}: {self._made} attempts in a row were in vain{because}, and "
            f"{self._otherwise}. Look for a process that publishes this product in a loop, and run "
            "it again."
        )


@contextlib.contextmanager
def advisory_lock(path: Path) -> Iterator[None]:
    """Hold the lock file while publishing, so that writers queue up instead of colliding.

    It frees itself when its holder dies, and is given up after a minute: a stuck holder costs
    retries, never correctness.
    """
    from filelock import FileLock, Timeout  # here: it imports asyncio, which readers do without

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    with contextlib.ExitStack() as held:
        with contextlib.suppress(Timeout):
            held.enter_context(lock.acquire(timeout=LOCK_SECONDS))
        yield
