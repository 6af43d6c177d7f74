"""What the checks say in Dagster, which has one answer a check, whichever day the last run was about.

Belongs here: a rule's check that stays failed while a day that broke the rule stands refused; the
check of the product's health.
Does not belong here: what stands (`observing/`), recording it outside a run (`outside_runs.py`).
"""

from __future__ import annotations

from collections.abc import Mapping

import dagster as dg

from shared_resources.contracts.model import Contract, Severity
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.environment import Environment
from shared_resources.governance.audit.report import AuditReport
from shared_resources.observing.health import named
from shared_resources.observing.product_health import Observed, Observer
from shared_resources.reporting.metadata import check_results
from shared_resources.reporting.run_attempts import result_of
from shared_resources.stores.protocol import Version

Days = Mapping[str, tuple[str, ...]]  # that stand refused, by the rule that they broke


def results_now(
    environment: Environment, contract: Contract, report: AuditReport | None
) -> list[dg.AssetCheckResult]:
    """The results of a run's rules, if it came so far, and of the product's health, as they are now."""
    return results_of(contract, Observer(environment).observe_contract(contract), report)


def results_of(
    contract: Contract, observed: Observed, report: AuditReport | None
) -> list[dg.AssetCheckResult]:
    """The same, of a product that was looked at already."""
    own = check_results(report) if report is not None else []
    return [*_with_all_standing(own, observed), result_of(contract, observed)]


def results_of_version(
    contract: Contract, observed: Observed, version: Version
) -> list[dg.AssetCheckResult]:
    """`checks_of_version`, failed where other days stand refused, and the product's health."""
    own = checks_of_version(contract, version)
    return [*_with_all_standing(own, observed), result_of(contract, observed)]


def checks_of_version(contract: Contract, version: Version) -> list[dg.AssetCheckResult]:
    """What the version was checked against, as it says itself: of one that nobody's run tells of, whose
    checks would otherwise look as if nothing had been asked of it."""
    evidence = version.evidence_or_none
    return [
        dg.AssetCheckResult(
            asset_key=asset_key(contract.key),
            check_name=check.rule,
            passed=check.passed,
            severity=dg.AssetCheckSeverity.ERROR
            if check.severity is Severity.BLOCKING
            else dg.AssetCheckSeverity.WARN,
            description=f"as version {version.number} was checked",
            metadata={"version": version.number},
        )
        for check in (evidence.checks if evidence is not None else ())
    ]


def _with_all_standing(
    results: list[dg.AssetCheckResult], observed: Observed
) -> list[dg.AssetCheckResult]:
    days = broken_rules(observed)
    return [_with_standing(one, days) for one in results]


def refusals_standing(environment: Environment, contract: Contract) -> Days:
    return broken_rules(Observer(environment).observe_contract(contract))


def broken_rules(observed: Observed) -> dict[str, tuple[str, ...]]:
    """The parts of which a refusal stands, by the rules that they broke."""
    found: dict[str, set[str]] = {}
    for part, entries in observed.standing.refused.items():
        for entry in entries:
            for rule, *_ in entry.reasons:
                found.setdefault(rule, set()).add(part)
    return {rule: tuple(sorted(parts)) for rule, parts in found.items()}


def _with_standing(result: dg.AssetCheckResult, days: Days) -> dg.AssetCheckResult:
    """The result, failed where other days stand refused for the same rule.

    As a warning: what readers see has passed; and Dagster would fail the run of a day that is good.
    """
    standing = days.get(result.check_name or "")
    if standing is None or not result.passed:
        return result
    return dg.AssetCheckResult(
        asset_key=result.asset_key,
        check_name=result.check_name,
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{_stands(standing)}; the last run's batch: {result.description}",
        metadata=result.metadata,
    )


def changed(contract: Contract, before: Days, after: Days) -> list[dg.AssetCheckResult]:
    """A result for each rule for which other days stand refused than before.

    Something was settled, or stands again, outside a run: no rule was asked anything.
    """
    return [
        dg.AssetCheckResult(
            asset_key=asset_key(contract.key),
            check_name=rule,
            passed=rule not in after,
            severity=dg.AssetCheckSeverity.WARN,
            description=_stands(after[rule])
            if rule in after
            else "what was refused for it is settled; what readers see has passed it",
        )
        for rule in sorted({*before, *after})
        if before.get(rule) != after.get(rule)
    ]


def _stands(parts: tuple[str, ...]) -> str:
    what = named([part for part in parts if part]) or "the last batch"
    return f"{what} broke it, was refused and is not published since (`mesh quarantine list`)"
