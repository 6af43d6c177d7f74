"""The handle of a domain's process: starting it, handing it products, and hearing how they ended.

Belongs here: what `mesh run` itself does with the processes.
Does not belong here: which product is next (`running/engine.py`), what a process does (`process.py`),
what it is forked from (`forkserver.py`).
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from shared_resources.data_products.dbt.forking.asking import serving
from shared_resources.data_products.dbt.process import expect
from shared_resources.environment import Environment
from shared_resources.mesh.model import ProductKind
from shared_resources.running.messages import Loaded, NotLoaded, RunOutcome, Task, Waits
from shared_resources.running.selection import product_folder
from shared_resources.running.workers import forkserver
from shared_resources.running.workers.process import Served, serve

# What ends a process through a fault of a library: an assertion of C++, a bad address. SIGKILL is
# the system's for want of memory, or somebody's.
_FAULTS = frozenset(
    {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP}
)


@contextlib.contextmanager
def serving_dbt(environment: Environment, due: Iterable[str]) -> Iterator[socket.socket | None]:
    """One dbt for all the processes, where models are among what is due to be made.

    It imports what it needs while the processes load their locations, where models are parsed first.
    """
    if all(product_folder(environment, key).kind is not ProductKind.DBT for key in due):
        yield None
        return
    with serving(environment.home / "logs" / "dbt.log") as channel:
        expect(environment.dbt_target, parsing=not environment.dbt.is_dir())
        yield channel


class Worker:
    """The handle of one domain's process."""

    def __init__(self, environment: Environment, domain: str, log: Path, served: Served) -> None:
        context = forkserver.context()
        self.domain = domain
        self.log = log
        self.running: Task | None = None
        self.connection, theirs = context.Pipe()
        watched, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(
            target=serve, args=(theirs, watched, environment, domain, log, served), daemon=True
        )
        self._process.start()
        theirs.close()
        watched.close()

    def start(self, task: Task) -> None:
        """Hand over a task. Raises `BrokenPipeError` when the process has died meanwhile."""
        self.connection.send(task)
        self.running = task

    def receive(self) -> Loaded | NotLoaded | RunOutcome | Waits | None:
        """The next message; None when the process died without one."""
        try:
            message: Loaded | NotLoaded | RunOutcome | Waits = self.connection.recv()
        except (EOFError, ConnectionResetError):
            self._process.join(timeout=5)
            return None
        return message

    @property
    def exit_code(self) -> int | None:
        return self._process.exitcode

    @property
    def broke_down(self) -> bool:
        """Whether it ended by a fault, such as an object that a library cannot stand."""
        return -(self.exit_code or 0) in _FAULTS

    def why_not_loaded(self, message: object) -> str:
        """Why the location did not load, by the process's first message; nothing if it did."""
        if isinstance(message, Loaded):
            return ""
        if isinstance(message, NotLoaded):
            return message.message
        return f"the location's process died (exit {self.exit_code}); see {self.log}"

    def join(self, timeout: float) -> bool:
        """Whether the process has ended within `timeout` seconds."""
        self._process.join(timeout)
        return not self._process.is_alive()

    def signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid or 0, number)


def stop(workers: Collection[Worker]) -> None:
    """End the processes. An idle one leaves when its pipe closes; a busy one is interrupted, so that
    Dagster records its run as such, and killed if it does not listen."""
    for worker in workers:
        worker.connection.close()
    left = list(workers)
    for patience, then in ((3.0, signal.SIGINT), (5.0, signal.SIGKILL)):
        deadline = time.monotonic() + patience
        left = [one for one in left if not one.join(max(0.0, deadline - time.monotonic()))]
        for worker in left:
            worker.signal(then)
