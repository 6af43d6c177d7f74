"""Executing one product's run in this process, recorded in the shared Dagster instance.

Belongs here: everything that a run worker does with Dagster, its internals included.
Does not belong here: the order of products and the display (`run.py`, `workers.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from shared_resources.data_products.asset_spec import asset_key

RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PARTITION = "dagster/partition"


@dataclass(frozen=True)
class RunOutcome:
    """How one run ended. `message` is for people: the refusal or the error, empty when it succeeded."""

    product: str
    run_id: str
    succeeded: bool
    message: str = ""
    rows: int | None = None
    version: int | None = None


def execute_product(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    product: str,
    partitions: Sequence[str],
) -> RunOutcome:
    """Materialize a product. `partitions` is a contiguous range of keys, empty for none."""
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=instance,
        asset_selection=[asset_key(product)],
        tags={"mesh/product": product.replace("/", "."), **_partition_tags(partitions)},
        raise_on_error=False,
    )
    if not result.success:
        return RunOutcome(product, result.run_id, False, _failure(result.all_events))
    metadata = _materialization_metadata(result.all_events)
    return RunOutcome(
        product,
        result.run_id,
        True,
        rows=metadata.get("dagster/row_count"),
        version=metadata.get("version"),
    )


def _partition_tags(partitions: Sequence[str]) -> Mapping[str, str]:
    if not partitions:
        return {}
    if len(partitions) == 1:
        return {PARTITION: partitions[0]}
    return {RANGE_START: partitions[0], RANGE_END: partitions[-1]}


def _failure(events: Sequence[dg.DagsterEvent]) -> str:
    for event in events:
        if event.event_type is dg.DagsterEventType.STEP_FAILURE:
            data = event.step_failure_data
            if data.user_failure_data is not None and data.user_failure_data.description:
                return str(data.user_failure_data.description)
            if data.error is not None:
                cause = data.error.cause or data.error
                return cause.message.strip()
    for event in events:
        if event.is_failure and event.message:
            return str(event.message)
    return "the run failed without a message; look at it in the UI (`make dev`)"


def _materialization_metadata(events: Sequence[dg.DagsterEvent]) -> dict[str, Any]:
    for event in events:
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            values = event.step_materialization_data.materialization.metadata
            return {name: value.value for name, value in values.items()}
    return {}
