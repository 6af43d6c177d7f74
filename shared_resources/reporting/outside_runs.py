"""What rollbacks and replays, which are no runs, tell Dagster of a product.

Belongs here: which partitions they changed, and their checks as events.
Does not belong here: recording the events (`shared_resources/dagster_instance/versions_told.py`),
publishing itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg

from shared_resources.contracts.model import Contract
from shared_resources.dagster_instance.instance import open_instance
from shared_resources.dagster_instance.versions_told import report_settled
from shared_resources.dagster_instance.versions_told import report_version as report_to
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import AuditReport
from shared_resources.observing.product_health import Observer
from shared_resources.reporting.run_attempts import evaluation
from shared_resources.reporting.standing_checks import (
    Days,
    broken_rules,
    changed,
    results_of,
    results_of_version,
)
from shared_resources.stores.protocol import UNPARTITIONED, Version


def partitions_of_rollback(
    contract: Contract, before: Sequence[Version], to: int, held: Iterable[str] = ()
) -> tuple[str, ...]:
    """The partitions that a rollback to version `to` may have changed: those that were replaced since.

    `before` are the versions before the rollback. An earlier rollback among them undid what had been
    published since the version that it restored. When some of them have expired, or have no evidence,
    nobody knows what they replaced: then it is every partition that has rows before or after, which are
    `held`.
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
            evidence = version.evidence_or_none
            changed.update(evidence.partitions if evidence else held)
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
    before: Days | None = None,
) -> None:
    """Record a materialization of each partition, its checks, and the health.

    The checks are `report`'s, by default what the version itself says that it was checked against.
    `before` are the refusals that stood before, where no report says what the rules found.
    """
    observed = Observer(environment).observe_contract(contract)
    if report is not None:
        results = results_of(contract, observed, report)
    else:
        settled = changed(contract, before, broken_rules(observed)) if before is not None else []
        results = [*settled, *results_of_version(contract, observed, versions[0])]
    with open_instance(environment) as instance:
        report_to(instance, versions, partitions, checks=map(evaluation, results))


def report_health(
    environment: Environment,
    contract: Contract,
    before: Days | None = None,
    settled: Sequence[str] = (),
    why: str = "",
) -> None:
    """Record the product's health as it is now: something ended, or began, outside a run.

    `before` are the refusals that stood before it; `settled` are parts of which nothing is to come.
    """
    with open_instance(environment) as instance:
        report_settled(instance, contract.key, settled, why)
        for result in _standing(environment, contract, before):
            instance.report_runless_asset_event(evaluation(result))


def _standing(
    environment: Environment, contract: Contract, before: Days | None
) -> list[dg.AssetCheckResult]:
    observed = Observer(environment).observe_contract(contract)
    results = results_of(contract, observed, None)
    if before is None:
        return results
    return [*changed(contract, before, broken_rules(observed)), *results]
