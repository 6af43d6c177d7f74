"""Telling Dagster of versions that were published outside a run: rollbacks and replays.

Belongs here: the events that keep the UI's history and the consumers' automation in step.
Does not belong here: publishing itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

import dagster as dg

from shared_resources.contracts.model import Contract
from shared_resources.data_products.asset_spec import asset_key
from shared_resources.data_products.evidence_metadata import check_results
from shared_resources.environment import Environment
from shared_resources.governance.report import AuditReport
from shared_resources.instance import open_instance
from shared_resources.io_managers.protocol import UNPARTITIONED, Version


def partitions_of_rollback(
    contract: Contract, before: Sequence[Version], to: int, held: Iterable[str] = ()
) -> tuple[str, ...]:
    """The partitions that a rollback to version `to` may have changed: those that were replaced since.

    `before` are the versions before the rollback. An earlier rollback among them undid what had been
    published since the version that it restored. When some of them have expired, nobody knows what
    they replaced: then it is every partition that has rows before or after, which are `held`.
    """
    if contract.partitioning is None:
        return (UNPARTITIONED,)
    oldest, changed = to, set()
    for version in reversed(before):
        if version.number <= oldest:
            break
        if version.rollback_of is not None:
            oldest = min(oldest, version.rollback_of)
        else:
            changed.update(json.loads(version.properties["mesh.partitions"]))
    known = sum(version.number > oldest for version in before)
    if before and known < before[-1].number - oldest:
        changed.update(held)
    return tuple(sorted(changed))


def report_version(
    environment: Environment,
    contract: Contract,
    versions: Sequence[Version],
    partitions: Sequence[str] = (UNPARTITIONED,),
    report: AuditReport | None = None,
) -> None:
    """Record a materialization of each partition, so that consumers follow the new version.

    With `report`, its checks are recorded too.
    """
    leading = versions[0]
    metadata: dict[str, Any] = {
        "dagster/row_count": leading.rows,
        "version": leading.number,
        "published to": ", ".join(f"{v.store} v{v.number}" for v in versions),
    }
    if leading.rollback_of is not None:
        metadata["rollback of"] = leading.rollback_of
    with open_instance(environment) as instance:
        for partition in partitions:
            instance.report_runless_asset_event(
                dg.AssetMaterialization(
                    asset_key=asset_key(contract.key),
                    partition=partition or None,
                    metadata=metadata,
                )
            )
        for result in check_results(report) if report is not None else ():
            instance.report_runless_asset_event(
                dg.AssetCheckEvaluation(
                    asset_key=asset_key(contract.key),
                    check_name=result.check_name or "",
                    passed=result.passed,
                    severity=result.severity,
                    description=result.description,
                    metadata=result.metadata,
                )
            )
