"""Executing one product's run in this process, recorded in the shared Dagster instance.

Belongs here: everything that a run worker does with Dagster, its internals included.
Does not belong here: the order of products (`engine.py`), the display (`cli/`), the process (`workers/`).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster._core.execution.api import execute_run_iterator
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.locations.sensing.run_requests import (
    PRODUCT_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
)
from shared_resources.running.dead_runs import WORKER_TAG
from shared_resources.running.measuring import Meter
from shared_resources.running.messages import RunOutcome, Task

PARTITION = "dagster/partition"
# Planned before the run, so that they are red too if its process dies; of more days, those that
# failed are planned after it: an event a day costs what nobody would read.
PLANNED_BEFORE = 3

# How Dagster begins the message of an exception of the platform's own.
_OWN_CLASS = re.compile(r"^shared_resources\.[\w.]+: ")
# A frame of a domain's own code in a rendered stack.
_OWN_FRAME = re.compile(r'File "([^"]*/domains/[^"]+)", line (\d+)')


def execute_product(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    task: Task,
    worker: str,
) -> RunOutcome:
    """Materialize a task's product. `worker` is this process's lease (`dead_runs.py`).

    What `job.execute_in_process` does, and the run's origin besides: with it the UI knows which
    location the run belongs to and can launch it again.
    """
    meter = Meter()
    product = task.product
    key = asset_key(product)
    job = definitions.resolve_implicit_global_asset_job_def().get_subset(asset_selection={key})
    run = instance.create_run_for_job(
        job,
        tags={PRODUCT_TAG: product, WORKER_TAG: worker},
        asset_selection=frozenset({key}),
        remote_job_origin=_origin(product.split("/")[0], job.name),
    )
    if task.partitions:
        run = _about_partitions(instance, run, task.partitions)
    if len(task.partitions) <= PLANNED_BEFORE:
        _plan(instance, run, key, task.partitions)
    events = list(execute_run_iterator(InMemoryJob(job), run, instance))
    metadata = _materialization_metadata(events)
    days = _published_days(events)
    if any(event.event_type is dg.DagsterEventType.RUN_FAILURE for event in events):
        if len(task.partitions) > PLANNED_BEFORE:
            _plan(instance, run, key, [day for day in task.partitions if day not in days])
        return RunOutcome(
            product,
            run.run_id,
            False,
            _failure(events),
            version=metadata.get("version"),
            seconds=meter.seconds,
            days=days,
        )
    return RunOutcome(
        product,
        run.run_id,
        True,
        rows=metadata.get("dagster/row_count"),
        version=metadata.get("version"),
        seconds=meter.seconds,
        peak_mib=meter.peak_mib,
        days=days,
    )


def _about_partitions(
    instance: dg.DagsterInstance, run: dg.DagsterRun, partitions: Sequence[str]
) -> dg.DagsterRun:
    """The run with its partitions, which it learns after its plan was recorded.

    Dagster records a planned event a partition, and a row a check and partition (13,000 for a year
    of order/transactions, a third of the run's time), that nothing reads once the run is over.
    """
    instance.add_run_tags(run.run_id, dict(_partition_tags(partitions)))
    known = instance.get_run_by_id(run.run_id)
    assert known is not None
    return known


def _plan(
    instance: dg.DagsterInstance, run: dg.DagsterRun, key: dg.AssetKey, days: Sequence[str]
) -> None:
    """Record that the run was to make the days: those without a materialization of it are red in the
    UI when it has failed, and not as grey as if nobody had tried."""
    for day in days:
        event = DagsterEvent.build_asset_materialization_planned_event(
            run.job_name, "__".join(key.path), AssetMaterializationPlannedData(key, partition=day)
        )
        instance.report_dagster_event(event, run.run_id, logging.DEBUG)


def _published_days(events: Sequence[dg.DagsterEvent]) -> tuple[str, ...]:
    days = {
        event.partition
        for event in events
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION and event.partition
    }
    return tuple(sorted(days))


def _origin(domain: str, job: str) -> RemoteJobOrigin:
    """Where the UI finds the job: the location of that name in `workspace.yaml`."""
    target = LoadableTargetOrigin(module_name=f"domains.{domain}.definitions")
    location = ManagedGrpcPythonEnvCodeLocationOrigin(target, location_name=domain)
    return RemoteJobOrigin(RemoteRepositoryOrigin(location, "__repository__"), job)


def _partition_tags(partitions: Sequence[str]) -> Mapping[str, str]:
    if not partitions:
        return {}
    if len(partitions) == 1:
        return {PARTITION: partitions[0]}
    return {RANGE_START_TAG: partitions[0], RANGE_END_TAG: partitions[-1]}


def _failure(events: Sequence[dg.DagsterEvent]) -> str:
    for event in events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return str(data.user_failure_data.description)
            if data.error is not None:
                cause = data.error.cause or data.error
                # Its own refusals say everything; of others' errors the class is half of it.
                return _OWN_CLASS.sub("", cause.message.strip()) + _place(cause.stack)
    for event in events:
        if event.is_failure and event.message:
            return str(event.message)
    return "the run failed without a message; look at it in the UI (`make dev`)"


def _place(stack: Sequence[str]) -> str:
    """Where in the domain's own code it happened, for people; nothing if it was elsewhere."""
    frames = [found for frame in stack if (found := _OWN_FRAME.search(frame))]
    return f" ({frames[-1][1]}:{frames[-1][2]})" if frames else ""


def _materialization_metadata(events: Sequence[dg.DagsterEvent]) -> dict[str, Any]:
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            values = event.step_materialization_data.materialization.metadata
            return {name: value.value for name, value in values.items()}
    return {}
