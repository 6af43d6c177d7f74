"""The landing sensor of a domain: each new object becomes one run of its product, once.

Belongs here: whose turn it is in a tick, and what the tick tells people.
Does not belong here: one product's turn (`product_tick.py`).

One sensor a domain, for Dagster's daemon spends more on a tick than most products need of it. No
product waits for another for long: what there was no time for comes first in the next tick, what goes
wrong with one is said and keeps none of the others, and one at which a tick did not come to its end
has its turn when nothing that the others ask for can be lost with it.
"""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import IntEnum, auto

import dagster as dg

from shared_resources import wiring
from shared_resources.arrivals.cursor import RESET, DomainCursor, read_domain_cursor
from shared_resources.arrivals.ledger.passed_over import products_with_open
from shared_resources.arrivals.ledger.questions import counts_of
from shared_resources.arrivals.ledger.rows import utc_now
from shared_resources.arrivals.ledger.sensor_notes import (
    SensorNotes,
    note_ticks,
    notes_of,
    read_notes,
    write_notes,
)
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError
from shared_resources.locations.sensing.product_tick import (
    BEGUN,
    ProductTick,
    Ticked,
    forget_ingested,
)
from shared_resources.locations.sensing.run_requests import RUNS_A_TICK

INTERVAL_SECONDS = 10
# Dagster ends a tick after a minute; the product whose turn begins last has its own bounds.
SECONDS_TO_BEGIN = 20.0
TRIED_AGAIN_AFTER = timedelta(minutes=2)
_DESCRIPTION = """\
Runs a product once for each new object below its prefix: {products}.

What became of each object: `mesh landing`. Clearing the cursor makes the sensor look at whole prefixes
again, and try again at once what failed; what was ingested stays ingested. Setting the cursor to
`{{"reset": ["{name}"]}}` makes it ingest everything of {name} that lies there again, as `mesh landing
reset` does, and look again at the others; `{{"reset": true}}` that of all its products."""


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


class _Place(IntEnum):
    """Of a product at which a tick did not come to its end, which may happen again: once in a while it
    comes before the others have asked for anything, which would be lost; else after them."""

    FIRST = auto()
    ORDINARY = auto()
    LAST = auto()


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
        self._again: list[str] = []
        self._told_first: list[str] = []

    def result(self) -> dg.SensorResult:
        """Raises `LandingError` for a cursor that is none, and what went wrong with every product."""
        known = read_domain_cursor(self._context.cursor)
        self._reset(known)
        keys = [contract.key for contract in self._contracts.values()]
        notes = notes_of(self._environment.state, keys)
        counts = counts_of(self._environment.state, keys)
        open_ = products_with_open(self._environment.state, keys)
        end = time.monotonic() + SECONDS_TO_BEGIN
        for name in self._turns(notes):
            contract = self._contracts[name]
            held_up = self._requests and self._place(notes[contract.key]) is _Place.LAST
            if held_up or time.monotonic() > end or len(self._requests) >= RUNS_A_TICK:
                break
            tick = ProductTick(
                contract,
                self._environment,
                self._context,
                self._clock,
                notes[contract.key],
                counts[contract.key],
                tells=contract.key in open_,
            )
            cursor = known.products.get(name)
            self._ticked[name] = self._turn(
                functools.partial(tick.result, cursor), contract, cursor
            )
        if len(self._failures) == len(self._contracts):
            raise self._failures[0]  # the tick is a failed one to Dagster, too
        quiet = [self._contracts[name].key for name, one in self._ticked.items() if one.quiet]
        note_ticks(self._environment.state, quiet, self._clock())
        return self._told(known)

    @property
    def _requests(self) -> list[dg.RunRequest]:
        return [request for one in self._ticked.values() for request in one.requests]

    def _turns(self, notes: Mapping[str, SensorNotes]) -> list[str]:
        """In the order of their places; of those in one, who was looked at the longest ago first."""

        def turn(name: str) -> tuple[_Place, float, str]:
            noted = notes[self._contracts[name].key]
            at = noted.ticked_at.timestamp() if noted.ticked_at else 0.0
            return self._place(noted), at, name

        return sorted((name for name in self._contracts if name not in self._ticked), key=turn)

    def _place(self, noted: SensorNotes) -> _Place:
        if noted.said != BEGUN or noted.ticked_at is None:
            return _Place.ORDINARY
        waited = self._clock() - noted.ticked_at
        return _Place.FIRST if waited > TRIED_AGAIN_AFTER else _Place.LAST

    def _reset(self, known: DomainCursor) -> None:
        """Forget what was ingested of the products that somebody asked for; that is their turn."""
        asked = [*self._contracts] if known.reset is True else known.reset
        for name in asked:
            contract = self._contracts.get(name)
            if contract is None:
                self._again.append(name)
                self._told_first.append(
                    f"the cursor asks to reset {name}, which this sensor does not have; it has "
                    f"{', '.join(sorted(self._contracts))}: correct `{RESET}` in the cursor"
                )
                continue
            forget = functools.partial(forget_ingested, contract, self._environment, self._clock)
            cursor = known.products.get(name)
            self._ticked[name] = self._turn(forget, contract, cursor)
            if self._ticked[name].problems:
                self._again.append(name)

    def _turn(self, turn: Callable[[], Ticked], contract: Contract, cursor: str | None) -> Ticked:
        try:
            return turn()
        except LandingError as problem:
            said = str(problem)
        except Exception as problem:  # of whatever: the other products go on
            said = f"{type(problem).__name__}: {problem}"
            self._failures.append(problem)
            self._context.log.exception(f"{contract.key} was not looked at")
        state = self._environment.state
        stands = json.dumps({**read_notes(state, contract.key).cursor, "seen": ""})
        write_notes(state, contract.key, said=said, ticked_at=self._clock(), cursor=stands)
        return Ticked(cursor, said, problems=(said,))

    def _told(self, known: DomainCursor) -> dg.SensorResult:
        cursors = {}
        for name in self._contracts:
            ticked = self._ticked.get(name)
            cursor = ticked.cursor if ticked is not None else known.products.get(name)
            if cursor is not None:
                cursors[name] = cursor
        # Beside requests Dagster shows no reason to skip: who looks at the tick finds it in its log.
        for name, one in self._ticked.items() if self._requests else ():
            for line in one.problems:
                self._context.log.warning(f"{self._contracts[name].key}: {line}")
        for line in self._told_first if self._requests else ():
            self._context.log.warning(line)
        return dg.SensorResult(
            run_requests=self._requests,
            skip_reason=None if self._requests else dg.SkipReason(self._said()),
            cursor=DomainCursor(cursors, self._again).write(),
        )

    def _said(self) -> str:
        told = [f"{name}: {one.said}" for name, one in self._ticked.items() if not one.quiet]
        quiet = len(self._ticked) - len(told)
        if quiet:
            told.append(f"nothing new of {quiet} {'others' if told else 'products'}")
        return "\n".join([*self._told_first, *told])
