"""The name of a gate's writer: stable over the restarts of one process, and no other process's.

Belongs here: choosing it. Does not belong here: what the log does with it (`log/port.py`).

Each process of a machine takes the first number that no living one has, and loses it with its life. So
one that is started again has the name of the one that was killed, and the log aborts at once what that
had begun; else it would wait until that times out, and hold up whoever reads the gate's topics.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from shared_resources.environment import Environment


@contextmanager
def name_of_its_own(environment: Environment, gate: str) -> Iterator[str]:
    folder = environment.home / "gates"
    folder.mkdir(parents=True, exist_ok=True)
    lock, number = next(_free(folder, gate))
    try:
        yield f"{gate}.{socket.gethostname()}.{number}"
    finally:
        lock.release()


def _free(folder: Path, gate: str) -> Iterator[tuple[FileLock, int]]:
    for number in itertools.count():
        lock = FileLock(folder / f"{gate}.{number}.lock", timeout=0, thread_local=False)
        with suppress(Timeout):
            lock.acquire()
            yield lock, number
