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
LOCK_SECONDS = 60.0


def attempts(what: str) -> Iterator[int]:
    """Count attempts, with a growing random wait between them.

    Raises `PublishError` after so many that something other than competition must be wrong.
    """
    for number in range(ATTEMPTS):
        if number:
            time.sleep(random.uniform(0, min(1.0, 0.01 * 2 ** min(number, 7))))
        yield number
    raise PublishError(
        f"{what}: other writers won {ATTEMPTS} times in a row; nothing was published. Run it "
        "again, and look for a process that publishes this product in a loop."
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
