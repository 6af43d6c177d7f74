"""The landing sensor of a domain: each new object becomes one run of its product, once.

Belongs here: whose turn it is in a tick, and what the tick tells people.
Does not belong here: one product's turn (`product_tick.py`).

One sensor a domain, for Dagster's daemon spends more on a tick than most products need of it. No
product waits for another for long: what there was no time for comes first in the next tick, and what
goes wrong with one is said and keeps none of the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

import dagster as dg

from shared_resources import wiring
from shared_resources.arrivals.cursor import RESET, DomainCursor, asked_to_reset, read_domain_cursor
from shared_resources.arrivals.ledger.questions import counts_of
from shared_resources.arrivals.ledger.rows import utc_now
from shared_resources.arrivals.ledger.sensor_notes import note_ticks, notes_of, write_notes
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError
from shared_resources.locations.sensing.product_tick import ProductTick, Ticked
from shared_resources.locations.sensing.run_requests import RUNS_A_TICK

INTERVAL_SECONDS = 10
# Dagster ends a tick after a minute; the product whose turn begins last has its own bounds.
SECONDS_TO_BEGIN = 20.0
_DESCRIPTION = """\
Runs a product once for each new object below its prefix: {products}.

What became of each object: `mesh landing`. Clearing the cursor makes the sensor look at whole prefixes
again, and try again at once what failed; what was ingested stays ingested. Setting the cursor to
`{{"reset": ["{name}"]}}` makes it ingest everything of {name} that lies there again, as `mesh landing
reset` does; `{{"reset": true}}` that of all its products."""


def landing_sensor(
    domain: str,
    contracts: Sequence[Contract],
    *,
    environment: Callable[[], Environment] = wiring.current,
    clock: Callable[[], datetime] = utc_now,
) -> dg.SensorDefinition:
    """The sensor `<domain>_landing` of a domain's ingest products, of which there is one at least.

    Each new object becomes one run, each run of more than three new partitions in a row one run
    over their range. Raises `ValueError` for a contract without a landing.
    """
    for contract in contracts:
        if contract.landing is None:
            raise ValueError(
                f"{contract.key}: its contract has no landing, so nothing can be sensed"
            )
    opened: list[Environment] = []

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        # Clients and connections are kept from tick to tick, as long as they lead to the same place.
        if (now := environment()) not in opened:
            opened[:] = [now]
        try:
            return _Tick(contracts, opened[0], context, clock).result()
        except LandingError as problem:
            return dg.SensorResult(skip_reason=dg.SkipReason(str(problem)), cursor=context.cursor)

    return dg.SensorDefinition(
        name=f"{domain}_landing",
        asset_selection=dg.AssetSelection.assets(
            *(dg.AssetKey([contract.domain, contract.name]) for contract in contracts)
        ),
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=_DESCRIPTION.format(
            products=", ".join(
                f"{one.name} ({one.landing.prefix})" for one in contracts if one.landing
            ),
            name=contracts[0].name,
        ),
    )


class _Tick:
    """One evaluation of the sensor."""

    def __init__(
        self,
        contracts: Sequence[Contract],
        environment: Environment,
        context: dg.SensorEvaluationContext,
        clock: Callable[[], datetime],
    ) -> None:
        self._contracts = {contract.name: contract for contract in contracts}
        self._environment = environment
        self._context = context
        self._clock = clock
        self._ticked: dict[str, Ticked] = {}
        self._failures: list[Exception] = []

    def result(self) -> dg.SensorResult:
        """Raises `LandingError` for a cursor that is none, and what went wrong with every product."""
        known = read_domain_cursor(self._context.cursor)
        reset = self._asked_to_reset()
        keys = [contract.key for contract in self._contracts.values()]
        notes = notes_of(self._environment.state, keys)
        counts = counts_of(self._environment.state, keys)
        first = ""
        end = time.monotonic() + SECONDS_TO_BEGIN
        for name in self._turns(known.first):
            if time.monotonic() > end or len(self._requests) >= RUNS_A_TICK:
                first = name
                break
            contract = self._contracts[name]
            tick = ProductTick(
                contract,
                self._environment,
                self._context,
                self._clock,
                notes[contract.key],
                counts[contract.key],
            )
            cursor = known.products.get(name)
            self._ticked[name] = self._turn(tick, contract, cursor, name in reset)
        if self._failures and len(self._failures) == len(self._ticked):
            raise self._failures[0]  # the tick is a failed one to Dagster, too
        quiet = [self._contracts[name].key for name, one in self._ticked.items() if one.quiet]
        note_ticks(self._environment.state, quiet, self._clock())
        cursors = {
            name: cursor
            for name in self._contracts
            if (cursor := self._cursor_of(name, known)) is not None
        }
        return dg.SensorResult(
            run_requests=self._requests,
            skip_reason=None if self._requests else dg.SkipReason(self._said()),
            cursor=DomainCursor(cursors, first).write(),
        )

    @property
    def _requests(self) -> list[dg.RunRequest]:
        return [request for one in self._ticked.values() for request in one.requests]

    def _turns(self, first: str) -> list[str]:
        names = sorted(self._contracts)
        at = names.index(first) if first in self._contracts else 0
        return [*names[at:], *names[:at]]

    def _asked_to_reset(self) -> set[str]:
        """The products whose objects are to be ingested again. Raises `LandingError` for others'."""
        asked = asked_to_reset(self._context.cursor)
        if asked is True:
            return {*self._contracts}
        if unknown := sorted({*asked} - {*self._contracts}):
            raise LandingError(
                f"the cursor asks to reset {', '.join(unknown)}, which this sensor does not have; it "
                f'has {", ".join(sorted(self._contracts))}: set it to {{"{RESET}": ["<one of them>"]}}'
            )
        return {*asked}

    def _turn(
        self, tick: ProductTick, contract: Contract, cursor: str | None, reset: bool
    ) -> Ticked:
        try:
            return tick.reset() if reset else tick.result(cursor)
        except LandingError as problem:
            said = str(problem)
        except Exception as problem:  # of whatever: the other products go on
            said = f"{type(problem).__name__}: {problem}"
            self._failures.append(problem)
            self._context.log.exception(f"{contract.key} was not looked at")
        write_notes(self._environment.state, contract.key, said=said, ticked_at=self._clock())
        return Ticked(cursor, said)

    def _cursor_of(self, name: str, known: DomainCursor) -> str | None:
        ticked = self._ticked.get(name)
        return ticked.cursor if ticked is not None else known.products.get(name)

    def _said(self) -> str:
        told = [f"{name}: {one.said}" for name, one in self._ticked.items() if not one.quiet]
        quiet = len(self._ticked) - len(told)
        if quiet:
            told.append(f"nothing new of {quiet} {'others' if told else 'products'}")
        return "\n".join(told)
