"""Leases: a name that is held for as long as the process that took it lives.

Belongs here: taking a lease, and telling whether its holder is alive, on whichever machine.
Does not belong here: what follows from a death (`running/dead_runs.py`, `observing/`).

It is a lock on a file, which the system frees whatever the process dies of; and one in Postgres,
where machines share their runs: there no other machine sees the file. Who only asks about runs that are
over takes no lock: what brings asyncio with it is imported by those that do.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path

from shared_resources.environment import Environment

# Between making the file and locking it.
TAKING_SECONDS = 60.0


@contextmanager
def lease(environment: Environment) -> Iterator[str]:
    """A name for what this process does, known to be alive while the block lasts."""
    from filelock import FileLock

    name = uuid.uuid4().hex
    file = _file(environment, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    shared = environment.state.lock(_shared(name)) if environment.database_url else nullcontext()
    with FileLock(file), shared:
        yield name
    file.unlink(missing_ok=True)


def is_alive(environment: Environment, name: str) -> bool:
    """Whether the holder of the lease lives."""
    file = _file(environment, name)
    if file.exists():
        from filelock import FileLock, Timeout

        try:
            with FileLock(file, timeout=0):
                return False
        except Timeout:
            return True
    return bool(environment.database_url) and environment.state.is_held(_shared(name))


def any_alive(environment: Environment) -> bool:
    """Whether anybody on this machine holds a lease."""
    files = (environment.home / "locks").glob("worker.*.lock")
    return any(is_alive(environment, file.name.split(".")[1]) for file in files)


def forget(environment: Environment, name: str) -> None:
    """Remove what the holder, which is dead, left."""
    _file(environment, name).unlink(missing_ok=True)


def sweep(environment: Environment) -> None:
    """Remove the files of holders that died, but none that is being taken at this moment."""
    from filelock import FileLock, Timeout

    for file in (environment.home / "locks").glob("worker.*.lock"):
        with suppress(OSError, Timeout):
            if time.time() - file.stat().st_mtime > TAKING_SECONDS:
                with FileLock(file, timeout=0):
                    file.unlink(missing_ok=True)


def _shared(name: str) -> str:
    return f"worker/{name}"


def _file(environment: Environment, name: str) -> Path:
    return environment.home / "locks" / f"worker.{name}.lock"
