"""Worker processes of `mesh run`: one a domain, forked from a server that has imported the libraries.

Belongs here: starting a domain's process, handing it products, and hearing how they ended.
Does not belong here: which product is next (`cli/commands/run.py`), how a product is executed
(`execution.py`).

A domain in a process of its own: one that does not load, crashes or is killed ends alone.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Collection, Iterable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from shared_resources.data_products.dbt.forking.asking import ask_at, serving
from shared_resources.environment import Environment
from shared_resources.mesh.model import ProductKind
from shared_resources.running.messages import Loaded, NotLoaded, RunOutcome, Task, Waits
from shared_resources.running.selection import product_folder

# What every worker imports sooner or later, once for all of them: how Dagster keeps its events, too.
_PRELOADED = (
    "dagster",
    "dagster._core.remote_representation.external_data",
    "dagster._core.storage.event_log",
    "dagster._core.storage.runs",
    "dagster._core.storage.schedules",
    "duckdb",
    "pandas",
    "polars",
    "pyarrow.parquet",
    "pyiceberg.catalog.sql",
    "shared_resources.running.execution",
    "shared_resources.locations.location",
    "shared_resources.stores.lake.store",
)

# What ends a process through a fault of a library: an assertion of C++, a bad address. SIGKILL is
# the system's for want of memory, or somebody's.
_FAULTS = frozenset(
    {signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGSEGV, signal.SIGTRAP}
)


def serving_dbt(
    environment: Environment, due: Iterable[str]
) -> contextlib.AbstractContextManager[socket.socket | None]:
    """One dbt for all the processes, where models are among what is due to be made."""
    if any(product_folder(environment, key).kind is ProductKind.DBT for key in due):
        return serving(environment.home / "logs" / "dbt.log")
    return contextlib.nullcontext()


class Worker:
    """The handle of one domain's process."""

    def __init__(
        self, environment: Environment, domain: str, log: Path, dbt: socket.socket | None
    ) -> None:
        """`dbt` is where the process asks for dbt (`data_products/dbt/forking/`)."""
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(list(_PRELOADED))
        self.domain = domain
        self.log = log
        self.running: Task | None = None
        self.connection, theirs = context.Pipe()
        watched, self._lifeline = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_serve, args=(theirs, watched, environment, domain, log, dbt), daemon=True
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


def _serve(
    connection: Connection,
    lifeline: Connection,
    environment: Environment,
    domain: str,
    log: Path,
    dbt: socket.socket | None,
) -> None:
    """The worker's life: load the location, then execute what comes until the pipe closes."""
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _redirect_output(log)
    ask_at(dbt)
    try:
        definitions, loaded = _load(environment, domain)
    except Exception as problem:  # noqa: BLE001 - whatever a domain's code raises is its finding
        traceback.print_exc()
        connection.send(NotLoaded(str(problem) or type(problem).__name__))
        return
    connection.send(loaded)

    from shared_resources.dagster_instance.instance import open_instance
    from shared_resources.state.leases import lease

    with lease(environment) as name, open_instance(environment) as instance:
        while True:
            try:
                task: Task = connection.recv()
            except EOFError:
                return
            outcome = _execute(environment, definitions, instance, task, name, connection)
            connection.send(outcome)


def _end_with(lifeline: Connection) -> None:
    """End this process when `mesh run` is no more, however it ended, and whatever runs here."""
    with contextlib.suppress(EOFError, OSError):
        lifeline.recv()
    os._exit(1)


def _execute(
    environment: Environment,
    definitions: Any,
    instance: Any,
    task: Task,
    name: str,
    connection: Connection,
) -> RunOutcome:
    from shared_resources.locations.asset_spec import pool_of
    from shared_resources.locations.sensing.run_requests import PRODUCT_TAG
    from shared_resources.running.dead_runs import end_dead_runs, wait_for_slot
    from shared_resources.running.execution import execute_product

    def say(why: str) -> None:
        connection.send(Waits(why))

    try:
        end_dead_runs(environment, instance, {PRODUCT_TAG: task.product})
        wait_for_slot(environment, instance, pool_of(task.product), say)
        return execute_product(definitions, instance, task, name)
    except Exception as problem:  # noqa: BLE001 - what Dagster refuses ends this run, not the worker
        traceback.print_exc()
        return RunOutcome(task.product, "", False, str(problem) or type(problem).__name__)


def _load(environment: Environment, domain: str) -> tuple[Any, Loaded]:
    from shared_resources.locations.stopped_asset import STOPPED_TAG

    sys.path.insert(0, str(environment.root))
    from shared_resources.locations.location import refuse_other_definitions

    refuse_other_definitions(environment.domains / domain)
    definitions = importlib.import_module(f"domains.{domain}.definitions").defs
    graph = definitions.resolve_asset_graph()
    nodes = {"/".join(key.path): graph.get(key) for key in graph.materializable_asset_keys}
    reads = {
        product: tuple("/".join(dep.path) for dep in node.parent_keys)
        for product, node in nodes.items()
    }
    stopped = {
        product: str(node.metadata[STOPPED_TAG])
        for product, node in nodes.items()
        if STOPPED_TAG in node.tags
    }
    return definitions, Loaded(reads, stopped)


def _redirect_output(log: Path) -> None:
    """Dagster's console log goes to a file: the terminal belongs to the progress display."""
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
