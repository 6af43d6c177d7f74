"""Telling Dagster what no run of its own told: of a version by a rollback, a replay, a dead run; and of
days of which nothing is to come.

Belongs here: the events that keep the UI's history and the consumers' automation in step.
Does not belong here: publishing, or finding out which versions those are.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent

from shared_resources.stores.protocol import Version

SETTLED_TAG = "mesh/settled"


def report_version(
    instance: dg.DagsterInstance,
    versions: Sequence[Version],
    partitions: Sequence[str] | None = None,
    description: str | None = None,
    checks: Iterable[dg.AssetCheckEvaluation] = (),
) -> None:
    """Record a materialization of each partition, so that consumers follow the new version.

    `versions` are one a store, the leading one's first. `partitions` are by default those that its
    batch replaced. `checks` are recorded after them, so that they belong to the version.
    """
    leading = versions[0]
    key = dg.AssetKey(leading.product.split("/"))
    metadata: dict[str, Any] = {
        "dagster/row_count": leading.rows,
        "version": leading.number,
        "published to": ", ".join(f"{v.store} v{v.number}" for v in versions),
    }
    if leading.rollback_of is not None:
        metadata["rollback of"] = leading.rollback_of
    for partition in leading.evidence.partitions if partitions is None else partitions:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(
                asset_key=key,
                description=description,
                partition=partition or None,
                metadata=metadata,
            )
        )
    for check in checks:
        instance.report_runless_asset_event(check)


def report_settled(
    instance: dg.DagsterInstance, product: str, days: Iterable[str], why: str
) -> None:
    """Let days that were to be made and failed be missing in the UI, and not failed any more.

    Dagster asks for each day's latest run. It gets one that succeeded and made nothing of the days:
    its tags say who settled them, and why.
    """
    key = dg.AssetKey(product.split("/"))
    storage = instance.event_log_storage
    latest = storage.get_latest_asset_partition_materialization_attempts_without_materializations(
        key
    )
    runs = {day: latest[day][0] for day in set(days) & set(latest)}
    if not runs:
        return
    which = dg.RunsFilter(run_ids=list({*runs.values()}), statuses=[dg.DagsterRunStatus.FAILURE])
    failed = {run.run_id for run in instance.get_runs(which)}
    settled = sorted(day for day, run_id in runs.items() if run_id in failed)
    if not settled:
        return
    run = dg.DagsterRun(
        job_name="settled",
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.SUCCESS,
        asset_selection=frozenset({key}),
        tags={SETTLED_TAG: why},
    )
    instance.add_run(run)
    for day in settled:
        event = DagsterEvent.build_asset_materialization_planned_event(
            run.job_name, "__".join(key.path), AssetMaterializationPlannedData(key, partition=day)
        )
        instance.report_dagster_event(event, run.run_id, logging.DEBUG)
    storage.wipe_asset_cached_status(key)  # which only grows
