"""Runs whose process died before it could end them, whoever started them: found and ended.

Belongs here: telling a living run from a dead one, closing what a dead one left in Dagster, and
waiting for a living one.
Does not belong here: what a killed run left in the stores, which the next run of the product clears.

A run that nobody ends keeps its product's slot, and every later run of the product waits for it.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.environment import Environment
from shared_resources.problems import MeshProblem
from shared_resources.state.leases import forget, is_alive, sweep

if TYPE_CHECKING:
    import dagster as dg

WORKER_TAG = "mesh/worker"
LONGEST_WAIT_SECONDS = 3_600.0
ASK_EVERY_SECONDS = 1.0
# A process is younger than what it wrote itself only by the clocks' grain.
_GRAIN_SECONDS = 5.0


class SlotKept(MeshProblem):
    """Another run has worked on the product for too long; the message says which."""


def end_dead_runs(
    environment: Environment, instance: dg.DagsterInstance, tags: dict[str, str]
) -> None:
    """End the unfinished runs with `tags` whose process has died, and free what they held."""
    from dagster._core.storage.dagster_run import (
        IN_PROGRESS_RUN_STATUSES,
        DagsterRunStatus,
        RunsFilter,
    )

    # A process may also die between recording its run and starting it.
    statuses = [*IN_PROGRESS_RUN_STATUSES, DagsterRunStatus.NOT_STARTED]
    unfinished = RunsFilter(tags=tags, statuses=statuses)
    for run in instance.get_runs(filters=unfinished):
        if _is_dead(environment, instance, run):
            _end(environment, instance, run)
    sweep(environment)


def wait_for_slot(
    environment: Environment,
    instance: dg.DagsterInstance,
    pool: str,
    say: Callable[[str], None],
) -> None:
    """Wait until no run works on the product whose pool it is; those that are dead are ended.

    What is waited for is said once a run. Raises `SlotKept` after an hour.
    """
    said: set[str] = set()
    end = time.monotonic() + LONGEST_WAIT_SECONDS
    while True:
        holders = _holders(environment, instance, pool)
        if not holders:
            return
        if time.monotonic() > end:
            raise SlotKept(
                f"{_who(holders[0])} has kept the product for {LONGEST_WAIT_SECONDS / 60:.0f} "
                "minutes; see in the UI (`make dev`) whether it still works, or terminate it there"
            )
        for run in holders:
            if run.run_id not in said:
                said.add(run.run_id)
                say(f"waits for {_who(run)}, which works on the same product")
        time.sleep(ASK_EVERY_SECONDS)


def _holders(
    environment: Environment, instance: dg.DagsterInstance, pool: str
) -> list[dg.DagsterRun]:
    """The living runs that hold the pool's slots."""
    storage = instance.event_log_storage
    living: list[dg.DagsterRun] = []
    for run_id in sorted(storage.get_concurrency_info(pool).active_run_ids):
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
        elif _is_dead(environment, instance, run):
            _end(environment, instance, run)
        else:
            living.append(run)
    return living


def _who(run: dg.DagsterRun) -> str:
    by = "`mesh run`" if WORKER_TAG in run.tags else "Dagster"
    return f"run {run.run_id} ({by} started it)"


def _end(environment: Environment, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.report_run_failed(run, "The process of this run died before the run had ended.")
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
    if worker := run.tags.get(WORKER_TAG):
        forget(environment, worker)


def _is_dead(environment: Environment, instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    worker = run.tags.get(WORKER_TAG)
    if worker is not None:
        return not is_alive(environment, worker)
    if environment.database_url:
        return False  # it may be another machine's: Dagster's own monitoring ends those
    processes = _processes(instance, run)
    return bool(processes) and not any(_lives(*one) for one in processes)


def _processes(instance: dg.DagsterInstance, run: dg.DagsterRun) -> list[tuple[int, float]]:
    """The processes that Dagster says worked for the run, each with when it said so."""
    import dagster as dg

    kinds = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.STEP_WORKER_STARTED}
    found: list[tuple[int, float]] = []
    for entry in instance.all_logs(run.run_id, of_type=kinds):
        event = entry.dagster_event
        data = event.event_specific_data if event is not None else None
        number = getattr(data, "metadata", {}).get("pid")
        with contextlib.suppress(ValueError):
            if number is not None:
                found.append((int(str(number.value)), entry.timestamp))
    return found


def _lives(number: int, seen: float) -> bool:
    """Whether the process is there, and is not another that was given the number since."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        begun = Path(f"/proc/{number}").stat().st_ctime
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return not Path("/proc/self").exists()  # elsewhere than on Linux the signal is all there is
    return state != "Z" and begun <= seen + _GRAIN_SECONDS
