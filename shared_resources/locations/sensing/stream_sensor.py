"""The stream sensor of a domain: what its streams have committed, told to Dagster at a bounded rate.

Belongs here: one materialization a tick and product, of the newest version, with its checks; the
product's health when it changes; what a tick says to people.
Does not belong here: committing (`streams/`), which never waits for Dagster; what a cursor holds
(`stream_cursor.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from shared_resources import wiring
from shared_resources.contracts.model import Contract
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.environment import Environment
from shared_resources.evidence.record import stream_in
from shared_resources.locations.sensing.stream_cursor import Told, read_cursor, write_cursor
from shared_resources.observing.product_health import Observed, Observer
from shared_resources.problems import MeshProblem
from shared_resources.reporting.metadata import stream_metadata, version_metadata
from shared_resources.reporting.run_attempts import evaluation, result_of
from shared_resources.reporting.standing_checks import checks_of_version
from shared_resources.stores.protocol import Version
from shared_resources.streams.log.port import LogProblem
from shared_resources.streams.standing import waiting

INTERVAL_SECONDS = 15
HEALTH_SECONDS = (
    60.0  # a product of which nothing is new may have fallen behind, or its process died
)
_Event = dg.AssetMaterialization | dg.AssetCheckEvaluation


def stream_sensor(
    domain: str,
    contracts: Sequence[Contract],
    *,
    environment: Callable[[], Environment] = wiring.current,
) -> dg.SensorDefinition:
    """The sensor `<domain>_streams` of a domain's products that are made of topics."""

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        known = read_cursor(context.cursor)
        told: dict[str, Told] = {}
        events: list[_Event] = []
        said: list[str] = []
        failures: list[Exception] = []
        for contract in contracts:
            before = known.get(contract.key, Told())
            tick = _Tick(environment(), contract, before, context)
            try:
                events += list(tick.news())
            except MeshProblem as problem:
                tick.said = str(problem)
                context.log.warning(f"{contract.key}: {problem}")
            except Exception as problem:  # of whatever: the other products go on
                tick.said = f"{type(problem).__name__}: {problem}"
                context.log.exception(f"{contract.key} was not looked at")
                failures.append(problem)
            told[contract.key] = tick.told
            said.append(f"{contract.name}: {tick.said}")
        if len(failures) == len(contracts):
            raise failures[0]  # the tick is a failed one to Dagster, too
        return dg.SensorResult(
            asset_events=events,
            # Said of events, too: a tick without runs Dagster calls skipped, and without this empty.
            skip_reason=dg.SkipReason("\n".join(said)),
            cursor=write_cursor(told),
        )

    return dg.SensorDefinition(
        name=f"{domain}_streams",
        asset_selection=dg.AssetSelection.assets(*(asset_key(one.key) for one in contracts)),
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of the newest version that `mesh stream` has published of "
        + ", ".join(one.name for one in contracts)
        + ", and of its health when that changes. It starts nothing, and the process of a stream does "
        "not wait for it.",
    )


class _Tick:
    """One product's turn. `told` is what Dagster knows of it then, `said` a sentence for people."""

    def __init__(
        self,
        environment: Environment,
        contract: Contract,
        before: Told,
        context: dg.SensorEvaluationContext,
    ) -> None:
        self._environment = environment
        self._contract = contract
        self._instance = context.instance
        self.told = before
        self.said = ""

    def news(self) -> Iterator[_Event]:
        """Events of the newest version, if it is new, and of the health, if that changed. Raises what
        the store raises that cannot be read."""
        versions = self._environment.stores_of(self._contract)[0].versions(self._contract.key)
        current = versions[-1] if versions else None
        before, told = self.told, "nothing new"
        if current is not None and not before.is_of(current):
            self.told = before.now(current)
            told = "known already"
            if not self._is_told(current):
                told = "told"
                yield from self._version(current, _since(versions, before))
        elif datetime.now(UTC).timestamp() - before.looked_at < HEALTH_SECONDS:
            self.said = f"{_named(current)} ({told})"
            return
        observed = Observer(self._environment).observe_contract(self._contract)
        self.told = self.told.looked(observed.health, datetime.now(UTC).timestamp())
        is_first = not before.health and current is None and not observed.health.failing
        if self.told.health != before.health and not is_first:
            yield evaluation(result_of(self._contract, observed))
        self.said = f"{_named(current)} ({told}), {_state(observed)}"

    def _version(self, current: Version, since: Mapping[str, Any]) -> Iterator[_Event]:
        metadata = version_metadata(stream_metadata(current), [current])
        yield dg.AssetMaterialization(
            asset_key(self._contract.key), metadata={**metadata, **self._lag(), **since}
        )
        yield from map(evaluation, checks_of_version(self._contract, current))

    def _lag(self) -> dict[str, Any]:
        """How many messages wait, if the log says so: the version is told either way."""
        try:
            return {"messages waiting": waiting(self._environment, self._contract)}
        except LogProblem:
            return {}

    def _is_told(self, current: Version) -> bool:
        """Whether the last thing that Dagster knows is this version: of a run, a rollback, or this
        sensor under a cursor that was lost."""
        last = self._instance.get_latest_materialization_event(asset_key(self._contract.key))
        if last is None or last.asset_materialization is None:
            return False
        number = last.asset_materialization.metadata.get("version")
        # A product that was made anew counts its versions from the first again.
        is_later = last.timestamp >= current.published_at.timestamp()
        return number is not None and number.value == current.number and is_later


def _since(versions: Sequence[Version], before: Told) -> dict[str, Any]:
    """What came since the last version that was told, of what is kept: Dagster hears of the newest."""
    untold = [one for one in versions if one.number > before.version]
    if not before.version or not untold:
        return {}
    positions = [at for one in untold if (at := stream_in(one.properties)) is not None]
    return {
        "versions since the last one here": versions[-1].number - before.version,
        "messages in these": sum(at.messages for at in positions),
        "messages rejected of these": sum(at.rejected for at in positions),
    }


def _named(current: Version | None) -> str:
    return "no version yet" if current is None else f"version {current.number}"


def _state(observed: Observed) -> str:
    reasons = observed.health.reasons
    return str(reasons[0]) if reasons else observed.health.state
