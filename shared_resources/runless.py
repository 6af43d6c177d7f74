"""Telling Dagster of a version that no run of its own told of: a rollback, a replay, a dead run.

Belongs here: the events that keep the UI's history and the consumers' automation in step.
Does not belong here: publishing, or finding out which versions those are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from shared_resources.io_managers.protocol import Version


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
