"""A product's turn in a tick of its domain's landing sensor.

Belongs here: the order of a turn, and what it says.
Does not belong here: its parts: listing (`arrivals/listing.py`), events (`arrivals/events.py`), what
became of runs (`run_outcomes.py`), run requests (`run_requests.py`), and the memory of it all
(`arrivals/ledger/ledger.py`); whose turn it is (`landing_sensor.py`).

What a turn does is bounded, and does not grow with what was ingested: the rest is left to the next
ones. The ledger decides what is new; the cursor only says where to look, so that it can be cleared.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from shared_resources.arrivals.cursor import Cursor, read_cursor
from shared_resources.arrivals.known_before import adopt
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.passed_over import PassedOver, told
from shared_resources.arrivals.ledger.sensor_notes import SensorNotes, read_notes, write_notes
from shared_resources.arrivals.ledger.states import REVIVED, UNPROCESSED, State
from shared_resources.arrivals.listing import (
    LIST_BESIDE_EVENTS_EVERY,
    SWEEP_EVERY,
    Budget,
    Finds,
    Scan,
)
from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.locations.sensing.run_outcomes import RunOutcomes, settle_ended
from shared_resources.locations.sensing.run_requests import Asking, named

if TYPE_CHECKING:
    from shared_resources.arrivals.events import LandingQueue, QueueState

NAMED = 5
# What the notes say while a turn goes on; of one that its tick did not outlive they say it for ever.
BEGUN = "a tick began to look at it, and has not come to an end"


@dataclass(frozen=True)
class Ticked:
    """What came of a turn. `quiet`: nothing happened, and there is nothing to say of it. `problems` are
    what a person should know of what was said."""

    cursor: str | None
    said: str
    requests: tuple[dg.RunRequest, ...] = ()
    quiet: bool = False
    problems: tuple[str, ...] = ()


def forget_ingested(
    contract: Contract, environment: Environment, clock: Callable[[], datetime]
) -> Ticked:
    """Forget what was ingested, and nothing else: a turn that dies here is made again."""
    assert contract.landing is not None
    ledger = Ledger(environment.state, contract.key, clock)
    notes = read_notes(environment.state, contract.key)
    if not notes.adopted:
        adopt(environment, contract, ledger)
    forgotten = ledger.forget()
    said = f"{forgotten} objects are forgotten; those that lie there are ingested again"
    cursor = Cursor(contract.landing.prefix.strip("/"), resets=notes.resets)
    write_notes(environment.state, contract.key, said=said, ticked_at=clock())
    return Ticked(cursor.write(), said)


class ProductTick:
    """One turn. `notes` are those of its earlier ones, `counts` the ledger's (`counts_of`); `tells`:
    something was passed over that nobody has settled."""

    def __init__(
        self,
        contract: Contract,
        environment: Environment,
        context: dg.SensorEvaluationContext,
        clock: Callable[[], datetime],
        notes: SensorNotes,
        counts: Mapping[State, int],
        *,
        tells: bool,
    ) -> None:
        assert contract.landing is not None
        self._contract = contract
        self._prefix = contract.landing.prefix.strip("/")
        self._environment = environment
        self._context = context
        self._now = clock()
        self._budget = Budget()
        self._ledger = Ledger(environment.state, contract.key, clock)
        self._notes = notes
        self._counts = counts
        self._tells = tells
        self._passed = PassedOver(environment.state, contract.key, clock)
        self._finds = Finds(
            contract, environment.sensed_zone, self._ledger, self._passed, self._adopt, self._now
        )
        key = dg.AssetKey([contract.domain, contract.name])
        self._asking = Asking(contract, key, self._ledger, self._finds, self._budget, self._now)

    def result(self, text: str | None) -> Ticked:
        """`text` is the cursor. Raises `LandingError` for one that is none, and where nothing can be
        looked at."""
        known = read_cursor(text, self._prefix)
        cursor = known or Cursor(self._prefix, resets=self._notes.resets)
        if cursor.resets != self._notes.resets:
            cursor = cursor.restarted(self._prefix, self._notes.resets)
        queue = self._environment.landing_queue(self._contract)
        if known is None:
            # Someone has cleared the cursor: what stores and quarantine say is looked at again, too.
            self._notes = replace(self._notes, adopted=False)
            self._ledger.retry()
        # What is known of a listing stands in the state: one that was lost or restored knows less.
        if self._notes.cursor.get("seen") != cursor.seen:
            cursor = replace(cursor, seen="")
        zone = self._environment.sensed_zone
        revived = sum(self._counts.get(state, 0) for state in REVIVED)
        scan = Scan(cursor, zone, self._finds, self._budget, self._now, revived=revived)
        if self._is_idle(queue) and scan.same_as_before():
            return Ticked(cursor.write(), f"nothing new below {self._prefix}", quiet=True)
        # If this turn does not come to its end, nothing is known of the listing any more.
        unknown = json.dumps({**self._notes.cursor, "seen": ""})
        write_notes(
            self._environment.state,
            self._contract.key,
            said=BEGUN,
            ticked_at=self._now,
            cursor=unknown,
        )
        outcomes = RunOutcomes(self._environment, self._contract, self._context.instance)
        out = settle_ended(
            outcomes, self._ledger, self._finds, self._budget, self._now, impatient=known is None
        )
        state, cursor = self._look(scan, queue)
        self._asking.ask(
            self._ledger.questions.under_way(),
            out.unseen,
            out.overdue,
            complete=cursor.caught_up,
        )
        return self._told(cursor, state)

    def _is_idle(self, queue: LandingQueue | None) -> bool:
        """Whether nothing waits for anything, as far as the ledger knows."""
        waiting = any(self._counts.get(state, 0) for state in UNPROCESSED)
        return not waiting and not self._tells and queue is None

    def _look(self, scan: Scan, queue: LandingQueue | None) -> tuple[QueueState | None, Cursor]:
        """Take in what is new: from the queue if there is one, and by listing."""
        cursor = scan.cursor
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

    def _told(self, cursor: Cursor, queue: QueueState | None) -> Ticked:
        """Requests, the cursor, and a sentence for people."""
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
        self._context.log.info(f"{self._contract.key}: {'; '.join(progress)}")
        said = "; ".join((*progress, *problems))
        if problems or counts or new or self._finds.young or queue is not None:
            cursor = replace(cursor, seen="")
        text = cursor.write()
        write_notes(
            self._environment.state,
            self._contract.key,
            cursor=text,
            said=said,
            ticked_at=self._now,
        )
        return Ticked(text, said, tuple(self._asking.requests), problems=tuple(problems))

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
