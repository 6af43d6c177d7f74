"""Runs of `mesh run` whose process died before it could end them: found and ended.

Belongs here: telling a living worker from a dead one, and closing what a dead one left in Dagster.
Does not belong here: what a killed run left in the stores, which the next run of the product clears.

A run that nobody ends keeps its product's slot, and every later run of the product waits for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_resources.environment import Environment
from shared_resources.leases import forget, is_alive, sweep

if TYPE_CHECKING:
    import dagster as dg

WORKER_TAG = "mesh/worker"


def end_dead_runs(
    environment: Environment, instance: dg.DagsterInstance, tags: dict[str, str]
) -> None:
    """End the unfinished runs with `tags` whose worker has died, and free what they held."""
    from dagster._core.storage.dagster_run import (
        IN_PROGRESS_RUN_STATUSES,
        DagsterRunStatus,
        RunsFilter,
    )

    # A process may also die between recording its run and starting it.
    statuses = [*IN_PROGRESS_RUN_STATUSES, DagsterRunStatus.NOT_STARTED]
    unfinished = RunsFilter(tags=tags, statuses=statuses)
    for run in instance.get_runs(filters=unfinished):
        worker = run.tags.get(WORKER_TAG)
        if worker is None or is_alive(environment, worker):
            continue
        instance.report_run_failed(run, "The process of this run died before the run had ended.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        forget(environment, worker)
    sweep(environment)
