"""What became of the runs that were asked for.

Belongs here: asking Dagster, and the evidence, about objects that are under way.
Does not belong here: asking for runs (`run_requests.py`).

A run says itself what came of its objects, after it has published. This is for the runs that could
not: they were never launched, they died, or what they were asked to read was not there any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache

import dagster as dg

from shared_resources.arrivals.ingested import Pairs, objects, of_batch
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.tables import Entry, State
from shared_resources.arrivals.listing import Budget, Finds
from shared_resources.contracts.model import Contract
from shared_resources.dagster_instance.versions_told import report_version
from shared_resources.environment import Environment
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.stores.protocol import Version

RUN_KEY_TAG = "dagster/run_key"
ROOT_TAG = "dagster/root_run_id"
WILL_RETRY_TAG = "dagster/will_retry"
# How long Dagster may take to show a run that was asked for, and one that follows a failed one.
UNSEEN_AFTER = timedelta(minutes=2)
RETRIED_WITHIN = timedelta(minutes=10)
# A run that this instance has never heard of reads the object: someone's own process.
FOREIGN_AFTER = timedelta(minutes=30)
# Every failure makes the next wait four times as long: an outage is over before the last of them.
FIRST_WAIT = timedelta(minutes=1)
LONGEST_WAIT = timedelta(hours=6)
# From then on it is said that somebody should look.
STUCK_AFTER = 4


class Settling:
    """One tick's look at the objects that are under way."""

    def __init__(
        self,
        contract: Contract,
        environment: Environment,
        instance: dg.DagsterInstance,
        ledger: Ledger,
        finds: Finds,
        now: datetime,
    ) -> None:
        self._environment = environment
        self._instance = instance
        self._ledger = ledger
        self._finds = finds
        self._now = now
        stores = environment.stores_of(contract)

        @cache  # after Dagster was asked whose runs are over: those have put what they put
        def entries() -> list[QuarantineEntry]:
            return environment.quarantine.list(contract.key)

        @cache
        def outcome(batch_id: str) -> tuple[Pairs, Pairs]:
            version, refused = of_batch(stores, entries(), contract.key, batch_id)
            if version is None:
                return set(), refused
            self._report(version)
            return objects(version), refused

        self._outcome = outcome
        self.unseen: list[Entry] = []
        self.overdue: list[Entry] = []

    def settle(self, entries: Sequence[Entry], budget: Budget, *, impatient: bool = False) -> None:
        """Settle what has ended. `unseen` are the objects whose run Dagster does not know.

        `overdue` are those of them that are to be asked for again: after a while, or at once when
        `impatient`, for someone has asked to look again.
        """
        by_key = self._by_key(_distinct(entry.run_key for entry in entries))
        by_id = self._by_id(_distinct(entry.run_id for entry in entries))
        latest = self._retries([*by_key.values(), *by_id.values()])
        for entry in entries:
            asked, taker = by_key.get(entry.run_key or ""), by_id.get(entry.run_id or "")
            # Of one that a run was asked for again, the run that took it is an earlier one.
            run = asked if entry.state is State.ASKED else taker or asked
            waited = self._now - (entry.asked_at or self._now)
            if run is not None:
                run = latest.get(run.dagster_run.run_id, run)
                if self._over(run) and budget.in_time:
                    self._conclude(entry)
            elif entry.state is State.ASKED:
                self.unseen.append(entry)
                if impatient or waited > UNSEEN_AFTER:
                    self.overdue.append(entry)
            elif waited > FOREIGN_AFTER:
                self._conclude(entry)

    def _conclude(self, entry: Entry) -> None:
        """The object's run has ended and did not say what came of it."""
        if entry.batch_id is not None:
            published, refused = self._outcome(entry.batch_id)
            for pairs, state in ((published, State.PUBLISHED), (refused, State.REFUSED)):
                if (entry.key, entry.etag) in pairs:
                    self._ledger.note([(entry.key, entry.etag)], state)
                    return
        if not self._finds.still_there(entry):
            return
        failures = entry.failures + 1
        state = State.STUCK if failures >= STUCK_AFTER else State.FOUND
        # The power is bounded as well: a run may fail for years.
        wait = min(FIRST_WAIT * 4 ** min(entry.failures, STUCK_AFTER + 1), LONGEST_WAIT)
        self._ledger.release(entry, failures=failures, wait=wait, state=state)

    def _report(self, version: Version) -> None:
        """Tell Dagster, so that consumers follow: the version's run died before it could.

        A run notes its objects first and tells Dagster then; these are not noted yet.
        """
        said = "Its run died after it had published."
        report_version(self._instance, [version], description=said)

    def _over(self, run: dg.RunRecord) -> bool:
        if not run.dagster_run.is_finished:
            return False
        ended = datetime.fromtimestamp(run.end_time or run.update_timestamp.timestamp(), UTC)
        retried = run.dagster_run.tags.get(WILL_RETRY_TAG) == "true"
        return not retried or self._now - ended > RETRIED_WITHIN

    def _by_key(self, keys: list[str]) -> dict[str, dg.RunRecord]:
        records = self._records(dg.RunsFilter(tags={RUN_KEY_TAG: keys})) if keys else []
        return {record.dagster_run.tags[RUN_KEY_TAG]: record for record in records}

    def _by_id(self, ids: list[str]) -> dict[str, dg.RunRecord]:
        records = self._records(dg.RunsFilter(run_ids=ids)) if ids else []
        return {record.dagster_run.run_id: record for record in records}

    def _retries(self, runs: Sequence[dg.RunRecord]) -> dict[str, dg.RunRecord]:
        """The latest of Dagster's own retries of these runs, by the run's id."""
        ids = _distinct(
            run.dagster_run.run_id for run in runs if WILL_RETRY_TAG in run.dagster_run.tags
        )
        records = self._records(dg.RunsFilter(tags={ROOT_TAG: ids})) if ids else []
        return {record.dagster_run.tags[ROOT_TAG]: record for record in records}

    def _records(self, which: dg.RunsFilter) -> Sequence[dg.RunRecord]:
        """The oldest first, so that the latest of a key wins."""
        return self._instance.get_run_records(which, ascending=True)


def _distinct(values: Iterable[str | None]) -> list[str]:
    return sorted({value for value in values if value is not None})
