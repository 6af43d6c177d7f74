"""The stream sensor of a domain: what its streams have committed, told to Dagster at a bounded rate.

Belongs here: one materialization a tick and product, of the newest version, with its checks.
Does not belong here: committing (`streams/`), which never waits for Dagster.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from shared_resources import wiring
from shared_resources.contracts.model import Contract, Severity
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.environment import Environment
from shared_resources.observing.product_health import Observer
from shared_resources.reporting.metadata import stream_metadata, version_metadata
from shared_resources.reporting.run_attempts import evaluation, result_of
from shared_resources.stores.protocol import Unreadable, Version

INTERVAL_SECONDS = 15
_Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def stream_sensor(
    domain: str,
    contracts: Sequence[Contract],
    *,
    environment: Callable[[], Environment] = wiring.current,
) -> dg.SensorDefinition:
    """The sensor `<domain>_streams` of a domain's products that are made of topics."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        told: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
        events: list[_Event] = []
        for contract in contracts:
            try:
                events += _news(environment(), contract, told)
            except Unreadable as problem:
                context.log.warning(str(problem))
        return dg.SensorResult(asset_events=events, cursor=json.dumps(told))

    return dg.SensorDefinition(
        name=f"{domain}_streams",
        asset_selection=dg.AssetSelection.assets(*(asset_key(one.key) for one in contracts)),
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of the newest version that `mesh stream` has published of "
        + ", ".join(one.name for one in contracts)
        + ". The process does not wait for it.",
    )


def _news(environment: Environment, contract: Contract, told: dict[str, int]) -> Iterator[_Event]:
    store = environment.stores_of(contract)[0]
    versions = store.versions(contract.key)
    if not versions or versions[-1].number == told.get(contract.key):
        return
    current = versions[-1]
    before = told.get(contract.key, 0)
    windows = {"versions since the last one here": current.number - before} if before else {}
    told[contract.key] = current.number
    metadata = version_metadata(stream_metadata(current), [current])
    yield dg.AssetMaterialization(asset_key(contract.key), metadata={**metadata, **windows})
    yield from _checks(contract, current)
    observed = Observer(environment).observe_contract(contract)
    yield evaluation(result_of(contract, observed))


def _checks(contract: Contract, current: Version) -> Iterator[_Event]:
    """What the rules came to on the version's last window, as it says itself."""
    for check in current.evidence.checks:
        blocking = check.severity is Severity.BLOCKING
        yield dg.AssetCheckEvaluation(
            asset_key=asset_key(contract.key),
            check_name=check.rule,
            passed=check.passed,
            metadata={"version": dg.MetadataValue.int(current.number)},
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        )
