"""Leases: a name that is held for as long as the process that took it lives.

Belongs here: taking a lease, and telling whether its holder is alive, on whichever machine.
Does not belong here: what follows from a death (`cli/dead_runs.py`, `observing/`).

It is a lock on a file, which the system frees whatever the process dies of; and one in Postgres,
where machines share their runs: there no other machine sees the file.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from filelock import FileLock, Timeout

from shared_resources.environment import Environment


@contextmanager
def lease(environment: Environment) -> Iterator[str]:
    """A name for what this process does, known to be alive while the block lasts."""
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
        try:
            with FileLock(file, timeout=0):
                return False
        except Timeout:
            return True
    return bool(environment.database_url) and environment.state.is_held(_shared(name))


def forget(environment: Environment, name: str) -> None:
    """Remove what the holder, which is dead, left."""
    _file(environment, name).unlink(missing_ok=True)


def _shared(name: str) -> str:
    return f"worker/{name}"


def _file(environment: Environment, name: str) -> Path:
    return environment.home / "locks" / f"worker.{name}.lock"
