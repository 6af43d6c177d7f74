"""Run requests for objects that were found: each object once, days in a row together.

Belongs here: which objects become one run, its key and its tags.
Does not belong here: finding objects (`arrivals/listing.py`, `arrivals/events.py`), what became of
runs (`run_outcomes.py`).

A run key names the objects and the attempt. Dagster launches a sensor's run key once, so to ask
again for a run that nobody saw is harmless.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg

from shared_resources.arrivals.ages import newest
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.tables import Entry
from shared_resources.arrivals.listing import Budget, Finds
from shared_resources.contracts.days import rows_of_days
from shared_resources.contracts.model import Contract, LandingMode
from shared_resources.landing.objects import Matched, match

PRODUCT_TAG = "mesh/product"
OBJECT_TAG = "mesh/object"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
# A run costs seconds, a further partition of a run milliseconds.
LARGEST_SEPARATE = 3
LARGEST_RANGE = 400
RUNS_A_TICK = 50
# Runs that were asked for and have not ended: what waits beyond them waits in the ledger.
RUNS_AT_ONCE = 100
OBJECTS_A_TICK = 5000


@dataclass(frozen=True)
class Group:
    """The objects of one run; `days` are their partitions, in a row, if there are partitions."""

    entries: tuple[Entry, ...]
    days: tuple[str, ...] = ()

    def run_key(self, product: str) -> str:
        first, last = self.entries[0], self.entries[-1]
        if len(self.entries) == 1:
            return f"{product}:{first.key}:{first.etag}:{first.attempt}"
        every = "\n".join(f"{one.key} {one.etag} {one.attempt}" for one in self.entries)
        digest = hashlib.sha256(every.encode()).hexdigest()[:16]
        return f"{product}:{first.key}..{last.key}:{digest}"

    def request(self, product: str, key: dg.AssetKey, run_key: str) -> dg.RunRequest:
        tags = {PRODUCT_TAG: product}
        if len(self.entries) == 1:
            tags[OBJECT_TAG] = self.entries[0].key
        else:
            tags |= {RANGE_START_TAG: self.days[0], RANGE_END_TAG: self.days[-1]}
        partition = self.days[0] if len(self.days) == 1 else None
        return dg.RunRequest(
            run_key=run_key, asset_selection=[key], partition_key=partition, tags=tags
        )


class Asking:
    """What a tick asks for."""

    def __init__(
        self,
        contract: Contract,
        key: dg.AssetKey,
        ledger: Ledger,
        finds: Finds,
        budget: Budget,
        now: datetime,
    ) -> None:
        assert contract.landing is not None
        self._contract = contract
        self._landing = contract.landing
        self._key = key
        self._ledger = ledger
        self._finds = finds
        self._budget = budget
        self._now = now
        self.requests: list[dg.RunRequest] = []

    def ask(
        self,
        under_way: Sequence[Entry],
        unseen: Sequence[Entry],
        overdue: Sequence[Entry],
        *,
        complete: bool,
    ) -> None:
        """Ask for what was found, as far as the bounds of a tick and of runs at a time allow.

        `unseen`: of what is under way, those whose run Dagster does not know; `overdue`: those of
        them that are to be asked for again. `complete`: everything that lies in the landing zone was
        looked at, as far as is known.
        """
        replaces = self._landing.mode is LandingMode.REPLACE
        found = self._meant(self._ledger.questions.found(OBJECTS_A_TICK, newest_first=replaces))
        found, overdue = self._still_there(found), self._still_there(overdue)
        # What was overwritten before its run was launched is not asked for again.
        keys = {entry.key for entry in found}
        lost = {entry.id for entry in unseen if entry.key in keys}
        self._ledger.change([e for e in unseen if e.id in lost], state=State.REPLACED)
        under_way = [entry for entry in under_way if entry.id not in lost]
        self._again([entry for entry in overdue if entry.id not in lost])
        if replaces:
            # The newest extract counts, which is not known as long as there are keys to look at.
            found = self._newest(found, under_way) if complete else []
        # A run that was asked for reads what lies there when it starts: one at a time of a key.
        busy = {entry.key for entry in under_way}
        room = RUNS_AT_ONCE - len({entry.run_key or entry.run_id for entry in under_way})
        for group in self._groups([entry for entry in found if entry.key not in busy]):
            if len(self.requests) >= min(RUNS_A_TICK, room):
                return
            run_key = group.run_key(self._contract.key)
            self._ledger.ask(group.entries, run_key)
            self._request(group, run_key)

    def _again(self, overdue: Sequence[Entry]) -> None:
        """Ask for a run of the same key that nobody has seen since it was asked for."""
        by_run: dict[str, list[Entry]] = {}
        for entry in overdue:
            by_run.setdefault(entry.run_key or "", []).append(entry)
        for run_key, together in by_run.items():
            groups = list(self._groups(together))
            if len(groups) == 1 and run_key:
                self._ledger.ask(together, run_key)
                self._request(groups[0], run_key)
            else:
                # A part of its days was ingested otherwise, or is none of the contract's any more.
                for entry in together:
                    self._ledger.release(entry)

    def _request(self, group: Group, run_key: str) -> None:
        self.requests.append(group.request(self._contract.key, self._key, run_key))

    def _newest(self, found: list[Entry], under_way: Sequence[Entry]) -> list[Entry]:
        """The newest full extract, unless a newer one is ingested or on its way already."""
        if not found:
            return []
        processed = self._ledger.questions.newest_processed()
        others = [*under_way, *([processed] if processed else [])]
        counts = newest((entry.dated for entry in (*found, *others)), self._now)
        self._ledger.change([one for one in found if one is not counts], state=State.SUPERSEDED)
        return [entry for entry in found if entry is counts]

    def _still_there(self, entries: Sequence[Entry]) -> list[Entry]:
        """Without those that were overwritten by what is processed already: a run would read that
        once more. S3 tells seconds, and an upload's beginning: only a look tells which was last."""
        doubtful = {entry.id for entry in self._ledger.questions.doubtful(entries)}
        return [
            entry
            for entry in entries
            if entry.id not in doubtful
            # What there is no time to look at waits for another tick.
            or (self._budget.in_time and self._finds.still_there(entry))
        ]

    def _meant(self, found: list[Entry]) -> list[Entry]:
        """Without those that the contract meant when they were found, and does not mean any more."""
        unmatched = {one.object.key for one in self._match(found).unmatched}
        lost = [entry for entry in found if entry.key in unmatched]
        self._ledger.change(lost, state=State.FORGOTTEN)
        return [entry for entry in found if entry.key not in unmatched]

    def _match(self, entries: Sequence[Entry]) -> Matched:
        objects = (one.object for one in entries)
        return match(self._landing, objects, self._contract.partitioning)

    def _groups(self, entries: Sequence[Entry]) -> Iterator[Group]:
        by_key = {entry.key: entry for entry in entries}
        matched = self._match(entries)
        if self._landing.mode is LandingMode.REPLACE:
            yield from (Group((by_key[obj.key],)) for obj in matched.candidates)
            return
        for days in rows_of_days(matched.by_partition, LARGEST_RANGE):
            here = tuple(by_key[matched.by_partition[day].key] for day in days)
            if len(days) > LARGEST_SEPARATE:
                yield Group(here, days)
            else:
                yield from (Group((entry,), (day,)) for day, entry in zip(days, here, strict=True))


def named(keys: Sequence[str], limit: int) -> str:
    """Some of the keys, and how many more there are."""
    more = f" and {len(keys) - limit} more" if len(keys) > limit else ""
    return ", ".join(keys[:limit]) + more
