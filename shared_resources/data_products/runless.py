"""What rollbacks and replays, which are no runs, tell Dagster of a product.

Belongs here: which partitions they changed, and their checks as events.
Does not belong here: recording the events (`shared_resources/runless.py`), publishing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg

from shared_resources.contracts.model import Contract
from shared_resources.data_products.asset_spec import asset_key
from shared_resources.data_products.evidence_metadata import check_results
from shared_resources.environment import Environment
from shared_resources.governance.report import AuditReport
from shared_resources.instance import open_instance
from shared_resources.io_managers.protocol import UNPARTITIONED, Version
from shared_resources.runless import report_version as report_to


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
    oldest = to
    changed: set[str] = set()
    for version in reversed(before):
        if version.number <= oldest:
            break
        if version.rollback_of is not None:
            oldest = min(oldest, version.rollback_of)
        else:
            changed.update(version.evidence.partitions)
    known = sum(version.number > oldest for version in before)
    if before and known < before[-1].number - oldest:
        changed.update(held)
    return tuple(sorted(changed))


def report_version(
    environment: Environment,
    contract: Contract,
    versions: Sequence[Version],
    partitions: Sequence[str] | None = None,
    report: AuditReport | None = None,
) -> None:
    """Record a materialization of each partition; with `report`, its checks too."""
    key = asset_key(contract.key)
    with open_instance(environment) as instance:
        checks = (
            dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=result.check_name or "",
                passed=result.passed,
                severity=result.severity,
                description=result.description,
                metadata=result.metadata,
            )
            for result in (check_results(report) if report is not None else ())
        )
        report_to(instance, versions, partitions, checks=checks)
