"""Runs of `mesh run` whose process died before it could end them: found and ended.

Belongs here: telling a living worker from a dead one, and closing what a dead one left in Dagster.
Does not belong here: what a killed run left in the stores, which the next run of the product clears.

A run that nobody ends keeps its product's slot, and every later run of the product waits for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from shared_resources.environment import Environment

if TYPE_CHECKING:
    import dagster as dg

WORKER_TAG = "mesh/worker"


@contextmanager
def lease(environment: Environment) -> Iterator[str]:
    """A name for this process, known to be alive while the block lasts.

    It is a lock on a file, which the system frees whatever the process dies of; and one in Postgres,
    where machines share their runs: there no other machine sees the file.
    """
    name = uuid.uuid4().hex
    file = _file(environment, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    shared = environment.state.lock(_shared(name)) if environment.database_url else nullcontext()
    with FileLock(file), shared:
        yield name
    file.unlink(missing_ok=True)


def end_dead_runs(
    environment: Environment, instance: dg.DagsterInstance, tags: dict[str, str]
) -> None:
    """End the unfinished runs with `tags` whose worker has died, and free what they held."""
    from dagster._core.storage.dagster_run import IN_PROGRESS_RUN_STATUSES, RunsFilter

    unfinished = RunsFilter(tags=tags, statuses=IN_PROGRESS_RUN_STATUSES)
    for run in instance.get_runs(filters=unfinished):
        worker = run.tags.get(WORKER_TAG)
        if worker is None or _alive(environment, worker):
            continue
        instance.report_run_failed(run, "The process of this run died before the run had ended.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        _file(environment, worker).unlink(missing_ok=True)


def _alive(environment: Environment, worker: str) -> bool:
    file = _file(environment, worker)
    if file.exists():
        try:
            with FileLock(file, timeout=0):
                return False
        except Timeout:
            return True
    return bool(environment.database_url) and environment.state.is_held(_shared(worker))


def _shared(worker: str) -> str:
    return f"worker/{worker}"


def _file(environment: Environment, worker: str) -> Path:
    return environment.home / "locks" / f"worker.{worker}.lock"
