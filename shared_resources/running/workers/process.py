"""A worker's life: it loads its domain's location and executes what comes, until nobody asks any more.

Belongs here: what a domain's process does from its first step to its last.
Does not belong here: how a product is executed (`running/execution.py`), who asks (`worker.py`).
"""

from __future__ import annotations

import contextlib
import importlib
import os
import socket
import sys
import threading
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from shared_resources.data_products.dbt.forking.asking import ask_at
from shared_resources.environment import Environment
from shared_resources.governance.audit.domain_rules.process.origin import Origin, fork_at
from shared_resources.running.messages import Loaded, NotLoaded, RunOutcome, Task, Waits
from shared_resources.running.workers.captured_output import copy_by_tail_alone


@dataclass(frozen=True)
class Served:
    """Where a worker asks the servers of its `mesh run`; None: there is none."""

    dbt: socket.socket | None = None  # `data_products/dbt/forking/`
    rules: Origin | None = None


def serve(
    connection: Connection,
    lifeline: Connection,
    environment: Environment,
    domain: str,
    log: Path,
    served: Served,
) -> None:
    """The worker's life: load the location, then execute what comes until the pipe closes."""
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    _redirect_output(log)
    ask_at(served.dbt)
    fork_at(served.rules)
    try:
        definitions, loaded = _load(environment, domain)
    except Exception as problem:  # noqa: BLE001 - whatever a domain's code raises is its finding
        traceback.print_exc()
        connection.send(NotLoaded(str(problem) or type(problem).__name__))
        return
    connection.send(loaded)

    from shared_resources.dagster_instance.instance import open_instance
    from shared_resources.state.leases import lease

    copy_by_tail_alone()
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
