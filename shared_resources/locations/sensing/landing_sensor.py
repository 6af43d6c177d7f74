"""The sensor of a landing prefix: each new object becomes one run of its product, once.

Belongs here: the order of a tick, and what it tells people.
Does not belong here: the tick's parts: listing (`arrivals/listing.py`), events
(`arrivals/events.py`), what became of runs (`run_outcomes.py`), run requests (`run_requests.py`),
and the memory of it all (`arrivals/ledger/ledger.py`).

What a tick does is bounded, and does not grow with what was ingested: the rest is left to the next
ticks. The ledger decides what is new; the cursor only says where to look, so that it can be cleared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from shared_resources import wiring
from shared_resources.arrivals.cursor import Cursor, asks_for_reset, read_cursor
from shared_resources.arrivals.known_before import adopt
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.passed_over import PassedOver, told
from shared_resources.arrivals.ledger.rows import utc_now
from shared_resources.arrivals.ledger.sensor_notes import read_notes, write_notes
from shared_resources.arrivals.ledger.tables import UNPROCESSED, State
from shared_resources.arrivals.listing import (
    LIST_BESIDE_EVENTS_EVERY,
    SWEEP_EVERY,
    Budget,
    Finds,
    Scan,
)
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.landing.errors import LandingError
from shared_resources.locations.sensing.run_outcomes import RunOutcomes, settle_ended
from shared_resources.locations.sensing.run_requests import (
    OBJECT_TAG,
    PRODUCT_TAG,
    RANGE_END_TAG,
    RANGE_START_TAG,
    Asking,
    named,
)

if TYPE_CHECKING:
    from shared_resources.arrivals.events import QueueState

__all__ = ["OBJECT_TAG", "PRODUCT_TAG", "RANGE_END_TAG", "RANGE_START_TAG", "landing_sensor"]

NAMED = 5
INTERVAL_SECONDS = 10
_DESCRIPTION = """\
Runs {product} once for each new object below {prefix}.

What became of each object: `mesh landing {product}`. Clearing the cursor makes the sensor look at
the whole prefix again, and try again at once what failed; what was ingested stays ingested. Setting
the cursor to `{{"reset": true}}` makes it ingest everything that lies there again, as
`mesh landing reset {product}` does."""


def landing_sensor(
    contract: Contract,
    *,
    environment: Callable[[], Environment] = wiring.current,
    clock: Callable[[], datetime] = utc_now,
) -> dg.SensorDefinition:
    """The sensor `<domain>_<product>_landing` of an ingest product.

    Each new object becomes one run, each run of more than three new partitions in a row one run
    over their range. Raises `ValueError` when the contract has no landing.
    """
    if contract.landing is None:
        raise ValueError(f"{contract.key}: its contract has no landing, so nothing can be sensed")
    key = dg.AssetKey([contract.domain, contract.name])
    opened: list[Environment] = []

    def evaluate(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        # Clients and connections are kept from tick to tick, as long as they lead to the same place.
        if (now := environment()) not in opened:
            opened[:] = [now]
        try:
            return _Tick(contract, key, opened[0], context, clock).result()
        except LandingError as problem:
            write_notes(opened[0].state, contract.key, said=str(problem), ticked_at=clock())
            return dg.SensorResult(skip_reason=dg.SkipReason(str(problem)), cursor=context.cursor)

    return dg.SensorDefinition(
        name=f"{contract.domain}_{contract.name}_landing",
        asset_selection=dg.AssetSelection.assets(key),
        evaluation_fn=evaluate,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=_DESCRIPTION.format(product=contract.key, prefix=contract.landing.prefix),
    )


class _Tick:
    """One evaluation of the sensor."""

    def __init__(
        self,
        contract: Contract,
        key: dg.AssetKey,
        environment: Environment,
        context: dg.SensorEvaluationContext,
        clock: Callable[[], datetime],
    ) -> None:
        assert contract.landing is not None
        self._contract = contract
        self._key = key
        self._prefix = contract.landing.prefix.strip("/")
        self._environment = environment
        self._context = context
        self._now = clock()
        self._budget = Budget()
        self._ledger = Ledger(environment.state, contract.key, clock)
        self._notes = read_notes(environment.state, contract.key)
        self._passed = PassedOver(environment.state, contract.key, clock)
        self._finds = Finds(
            contract, environment.sensed_zone, self._ledger, self._passed, self._adopt, self._now
        )
        self._asking = Asking(contract, key, self._ledger, self._finds, self._budget, self._now)

    def result(self) -> dg.SensorResult:
        if asks_for_reset(self._context.cursor):
            return self._reset()
        known = read_cursor(self._context.cursor, self._prefix)
        cursor = known or Cursor(self._prefix, resets=self._notes.resets)
        if cursor.resets != self._notes.resets:
            cursor = cursor.restarted(self._prefix, self._notes.resets)
        if known is None:
            # Someone has cleared the cursor: what stores and quarantine say is looked at again, too.
            self._notes = replace(self._notes, adopted=False)
            self._ledger.retry()
        outcomes = RunOutcomes(self._environment, self._contract, self._context.instance)
        out = settle_ended(
            outcomes, self._ledger, self._finds, self._budget, self._now, impatient=known is None
        )
        queue, cursor = self._look(cursor)
        self._asking.ask(
            self._ledger.questions.under_way(),
            out.unseen,
            out.overdue,
            complete=cursor.caught_up,
        )
        return self._told(cursor, queue)

    def _look(self, cursor: Cursor) -> tuple[QueueState | None, Cursor]:
        """Take in what is new: from the queue if there is one, and by listing."""
        queue = self._environment.landing_queue(self._contract)
        scan = Scan(cursor, self._environment.sensed_zone, self._finds, self._budget, self._now)
        if queue is None:
            scan.forward()
            scan.sweep()
            return None, scan.cursor
        state = queue.take_in(
            self._environment.sensed_zone, self._ledger, self._finds, self._budget
        )
        events = state.usable and not state.blind
        every = LIST_BESIDE_EVENTS_EVERY if events else timedelta(0)
        listed = cursor.listed_at
        if listed is None or not cursor.caught_up or self._now - listed >= every:
            scan.forward()
        scan.sweep(max(SWEEP_EVERY, every))
        return state, scan.cursor

    def _adopt(self) -> None:
        if not self._notes.adopted:
            adopt(self._environment, self._contract, self._ledger)
            self._notes = replace(self._notes, adopted=True)

    def _reset(self) -> dg.SensorResult:
        """Forget what was ingested, and nothing else: a tick that dies here is made again."""
        self._adopt()
        forgotten = self._ledger.forget()
        said = f"{forgotten} objects are forgotten; those that lie there are ingested again"
        cursor = Cursor(self._prefix, resets=self._notes.resets)
        return dg.SensorResult(skip_reason=dg.SkipReason(said), cursor=cursor.write())

    def _told(self, cursor: Cursor, queue: QueueState | None) -> dg.SensorResult:
        """What Dagster gets: requests, the cursor, and a sentence for people."""
        counts = self._ledger.questions.counts()
        oldest = self._ledger.questions.oldest_unprocessed()
        at = oldest.object.modified_at if oldest else None
        new = self._finds.new
        cursor = replace(
            cursor,
            found=new[-1].key if new else cursor.found,
            found_at=self._now if new else cursor.found_at,
            unprocessed=sum(counts.values()),
            stuck=counts.get(State.STUCK, 0),
            oldest_at=at,
            lag_seconds=max(0, int((self._now - at).total_seconds())) if at else 0,
        )
        problems = self._problems(cursor, queue)
        progress = self._progress(cursor, counts, queue)
        for line in problems if self._asking.requests else ():
            self._context.log.warning(line)
        self._context.log.info("; ".join(progress))
        said = "; ".join((*progress, *problems))
        text = cursor.write()
        write_notes(
            self._environment.state,
            self._contract.key,
            cursor=text,
            said=said,
            ticked_at=self._now,
        )
        return dg.SensorResult(
            run_requests=self._asking.requests,
            skip_reason=None if self._asking.requests else dg.SkipReason(said),
            cursor=text,
        )

    def _progress(
        self, cursor: Cursor, counts: dict[State, int], queue: QueueState | None
    ) -> list[str]:
        """How far the sensor has come."""
        said = []
        if not self._finds.new and not self._asking.requests:
            said.append(f"nothing new below {self._prefix}")
        elif self._finds.new:
            said.append(f"{len(self._finds.new)} new objects")
        if not cursor.caught_up:
            said.append(f"catching up, at {cursor.position!r}")
        waiting = [f"{counts[state]} {state}" for state in UNPROCESSED if counts.get(state)]
        if waiting:
            lag = timedelta(seconds=cursor.lag_seconds)
            said.append(f"not processed yet: {', '.join(waiting)}; lag {lag}")
        if queue is not None:
            dead = "no" if queue.dead_letters is None else queue.dead_letters
            said.append(f"{queue.waiting} messages in {queue.name}, {dead} dead letters")
        return said

    def _problems(self, cursor: Cursor, queue: QueueState | None) -> list[str]:
        """What a person should know: objects that nothing will be made of, and why."""
        said = list(queue.problems) if queue is not None else []
        said.extend(f"could not be looked at: {why}" for why in self._finds.unusable.values())
        said.extend(told(self._passed, NAMED))
        if cursor.stuck:
            keys = named([entry.key for entry in self._ledger.questions.stuck(NAMED + 1)], NAMED)
            said.append(
                f"stuck, since every run of it ended without a result: {keys}; look at the runs. "
                f"The next try may be hours away; `mesh landing retry {self._contract.key}` makes it now"
            )
        return said
