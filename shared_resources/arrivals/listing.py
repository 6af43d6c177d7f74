"""Finding new objects by listing: what comes after the position, and slowly all the rest.

Belongs here: how many keys a tick looks at, and how the cursor moves over them.
Does not belong here: what becomes of what was found (`arrivals/ledger/ledger.py`,
`locations/sensing/run_requests.py`), events (`events.py`).

Every tick lists from a position that lies WINDOW_KEYS before the last key. A prefix that grows at
its end, and any small prefix, costs one request, however many keys lie before the position; what is
overwritten or comes late within the window is seen at once, and a stray key that sorts last does
not hide what follows. All that lies before the window is walked through a page at a time, again and
again, when nothing else is new: there the sweep finds overwritten objects, late old keys, and what
no event told of.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from shared_resources.arrivals.cursor import Cursor
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.passed_over import PassedOver
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.strays import strays_of
from shared_resources.arrivals.ledger.tables import Entry
from shared_resources.contracts.model import Contract
from shared_resources.landing.errors import RefusedKey, RefusedObject
from shared_resources.landing.objects import Matched, match
from shared_resources.landing.zones.zone import PAGE_KEYS, LandingObject, LandingZone, Page
from shared_resources.release import code_digest

WINDOW_KEYS = 100
PAGES_A_TICK = 10
SECONDS_A_TICK = 20.0
SWEEP_EVERY = timedelta(seconds=30)
# With events, listing finds only what these have missed.
LIST_BESIDE_EVENTS_EVERY = timedelta(minutes=5)
# A prefix where something is always new is swept all the same.
BUSY_SWEEP_EVERY = timedelta(minutes=5)
# An object that S3 does not let us look at is no failure of its runs: it may refuse all of them.
REFUSED_WAIT = timedelta(minutes=15)


@dataclass
class Budget:
    """What a tick may still spend, so that Dagster does not end it halfway."""

    started: float = field(default_factory=time.monotonic)
    pages: int = 0

    @property
    def in_time(self) -> bool:
        return time.monotonic() - self.started < SECONDS_A_TICK

    @property
    def may_list(self) -> bool:
        return self.pages < PAGES_A_TICK and self.in_time


class Finds:
    """Objects that lie in the landing zone, written down; those that are none of the contract's, too.

    `unusable`: what this tick could not look at, and why. `young`: something may have been written
    again in the second in which it was looked at.
    """

    def __init__(
        self,
        contract: Contract,
        zone: LandingZone,
        ledger: Ledger,
        passed: PassedOver,
        adopt: Callable[[], None],
        now: datetime,
    ) -> None:
        self._contract = contract
        self._zone = zone
        self._ledger = ledger
        self._passed = passed
        self._adopt = adopt
        self._now = now
        self.new: list[LandingObject] = []
        self.unusable: dict[str, str] = {}
        self.young = False

    def take_in(self, objects: Iterable[LandingObject]) -> int:
        """Write down what lies there. Returns how many of those that the contract means are new."""
        matched = self._match(objects)
        self._passed.note(strays_of(matched, None, self._now))
        return self._discover(matched)

    def take_in_page(self, page: Page, after: str) -> int:
        """Write down all that lies after a key, up to the page's last."""
        matched = self._match(page.objects)
        to = page.names[-1] if page.more else ""
        self._passed.looked(strays_of(matched, page, self._now), page.names, after, to)
        return self._discover(matched)

    def digest(self, page: Page, revived: int) -> str:
        """Of all that a page says, and of how it is understood."""
        said = json.dumps(
            [
                code_digest("arrivals", "landing"),
                self._contract.digest,
                revived,
                page.more,
                page.names,
                page.refusals,
                [(one.key, one.etag, one.size, str(one.modified_at)) for one in page.objects],
            ]
        )
        return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]

    def _match(self, objects: Iterable[LandingObject]) -> Matched:
        landing = self._contract.landing
        assert landing is not None
        return match(landing, objects, self._contract.partitioning)

    def _discover(self, matched: Matched) -> int:
        meant = [*matched.by_partition.values(), *matched.candidates]
        if self._ledger.questions.unknown(meant):
            self._adopt()
        discovered = self._ledger.discover(meant)
        new = list(discovered.new)
        self.young = self.young or bool(discovered.young)
        for obj in discovered.young:
            # Read in the second of its making: only S3's own version tells whether it was the last.
            try:
                now = self._zone.head(obj.key)
            except (RefusedKey, RefusedObject) as refusal:
                self.unusable[obj.key] = str(refusal)
                continue
            if now is not None and self._ledger.recheck(now):
                new.append(now)
        self.new.extend(new)
        return len(new)

    def still_there(self, entry: Entry) -> bool:
        """Whether the row's object lies there as it was found; if not, write down what does."""
        try:
            there = self._zone.head(entry.key)
        except (RefusedKey, RefusedObject) as refusal:
            self.unusable[entry.key] = str(refusal)
            self._ledger.release(entry, failures=entry.failures, wait=REFUSED_WAIT)
            return False
        if there is None:
            self._ledger.change([entry], state=State.GONE)
            # What a full extract superseded that was never read counts again.
            self._ledger.reconsider()
            return False
        if entry.etag not in (there.etag, there.listed):
            self._ledger.change([entry], state=State.REPLACED)
            self.take_in([there])
            return False
        return True


class Scan:
    """One tick's listing. `cursor` is where it has come to; `revived` is how many objects would be
    news if they were found again."""

    def __init__(
        self,
        cursor: Cursor,
        zone: LandingZone,
        finds: Finds,
        budget: Budget,
        now: datetime,
        *,
        revived: int = 0,
    ) -> None:
        self.cursor = cursor
        self._zone = zone
        self._finds = finds
        self._budget = budget
        self._now = now
        self._revived = revived
        self._ahead: Page | None = None

    def same_as_before(self) -> bool:
        """Whether the last page is what it was when there was nothing left to do or to say of it: then
        nothing needs to be written down."""
        cursor = self.cursor
        sweeps = bool(cursor.position) and (cursor.hot or self._sweep_is_due(SWEEP_EVERY))
        if not cursor.seen or not cursor.caught_up or sweeps:
            return False
        self._ahead = self._list(cursor.position)
        return self._finds.digest(self._ahead, self._revived) == cursor.seen

    def forward(self) -> None:
        """List what sorts after the position, page by page as far as the tick's bounds allow."""
        names: list[str] = []
        at, more, seen = self.cursor.position, True, ""
        while more and self._budget.may_list:
            page = self._ahead or self._list(at)
            self._ahead = None
            self._finds.take_in_page(page, at)
            seen = "" if names or page.more else self._finds.digest(page, self._revived)
            names = [*names, *page.names][-(WINDOW_KEYS + 1) :]
            more = page.more
            at = page.names[-1] if page.names else at
        if more:
            position = at
        elif len(names) > WINDOW_KEYS:
            position = names[0]
        else:
            # Nothing is left behind the position: what there is may lie before it, renamed.
            position = self.cursor.position if names else ""
        self.cursor = replace(
            self.cursor,
            position=position,
            caught_up=not more,
            listed_at=self._now,
            seen=seen if position == self.cursor.position else "",
        )

    def sweep(self, every: timedelta = SWEEP_EVERY) -> None:
        """Look at one page of what lies before the position, if it is time."""
        cursor = self.cursor
        if not cursor.position or not cursor.caught_up:
            return
        if self._finds.new:
            every = max(every, BUSY_SWEEP_EVERY)
        elif cursor.hot:
            every = timedelta(0)
        if not self._sweep_is_due(every) or not self._budget.may_list:
            self.cursor = replace(cursor, swept_at=cursor.swept_at or self._now)
            return
        page = self._list(cursor.sweep)
        found = self._finds.take_in_page(page, cursor.sweep)
        through = not page.more or page.names[-1] >= cursor.position
        self.cursor = replace(
            cursor,
            sweep="" if through else page.names[-1],
            round=cursor.round + through,
            swept_at=self._now,
            hot=found > 0,
        )

    def _sweep_is_due(self, every: timedelta) -> bool:
        swept_at = self.cursor.swept_at
        return swept_at is not None and self._now - swept_at >= every

    def _list(self, start_after: str) -> Page:
        self._budget.pages += 1
        return self._zone.page(self.cursor.prefix, start_after, PAGE_KEYS)
