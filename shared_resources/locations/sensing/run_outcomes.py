"""What became of the runs that were asked for.

Belongs here: asking Dagster, and the evidence, about objects that are under way.
Does not belong here: asking for runs (`run_requests.py`).

A run says itself what came of its objects, after it has published. This is for the runs that could
not: they were never launched, they died, or what they were asked to read was not there any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import dagster as dg

from shared_resources.arrivals.ingested import Pairs, objects, of_batch
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.arrivals.ledger.tables import Entry
from shared_resources.arrivals.listing import Budget, Finds
from shared_resources.contracts.model import Contract
from shared_resources.dagster_instance.versions_told import report_version
from shared_resources.environment import Environment
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.reporting.run_attempts import evaluation
from shared_resources.reporting.standing_checks import checks_of_version
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


@dataclass(frozen=True)
class StillOut:
    """Objects that a run was asked for which Dagster does not know; `overdue` are those of them that
    are to be asked for again."""

    unseen: tuple[Entry, ...]
    overdue: tuple[Entry, ...]


def settle_ended(
    outcomes: RunOutcomes,
    ledger: Ledger,
    finds: Finds,
    budget: Budget,
    now: datetime,
    *,
    impatient: bool = False,
) -> StillOut:
    """Write down what became of the objects under way whose runs have ended; returns the others.

    What Dagster does not know is overdue after a while, or at once when `impatient`, for someone has
    asked to look again.
    """
    unseen: list[Entry] = []
    overdue: list[Entry] = []
    entries = ledger.questions.under_way()
    runs = outcomes.runs_of(entries)
    for entry in entries:
        run, waited = runs.get(entry.id), now - (entry.asked_at or now)
        if run is not None:
            if _over(run, now) and budget.in_time:
                _conclude(entry, outcomes, ledger, finds)
        elif entry.state is State.ASKED:
            unseen.append(entry)
            if impatient or waited > UNSEEN_AFTER:
                overdue.append(entry)
        elif waited > FOREIGN_AFTER:
            _conclude(entry, outcomes, ledger, finds)
    return StillOut(tuple(unseen), tuple(overdue))


def _over(run: dg.RunRecord, now: datetime) -> bool:
    if not run.dagster_run.is_finished:
        return False
    ended = datetime.fromtimestamp(run.end_time or run.update_timestamp.timestamp(), UTC)
    retried = run.dagster_run.tags.get(WILL_RETRY_TAG) == "true"
    return not retried or now - ended > RETRIED_WITHIN


def _conclude(entry: Entry, outcomes: RunOutcomes, ledger: Ledger, finds: Finds) -> None:
    """The object's run has ended and did not say what came of it."""
    if entry.batch_id is not None:
        published, refused = outcomes.of_batch(entry.batch_id)
        for pairs, state in ((published, State.PUBLISHED), (refused, State.REFUSED)):
            if (entry.key, entry.etag) in pairs:
                ledger.note([(entry.key, entry.etag)], state)
                return
    if not finds.still_there(entry):
        return
    failures = entry.failures + 1
    state = State.STUCK if failures >= STUCK_AFTER else State.FOUND
    # The power is bounded as well: a run may fail for years.
    wait = min(FIRST_WAIT * 4 ** min(entry.failures, STUCK_AFTER + 1), LONGEST_WAIT)
    ledger.release(entry, failures=failures, wait=wait, state=state)


class RunOutcomes:
    """What Dagster, the stores and the quarantine say of the runs of one product, for one tick."""

    def __init__(
        self, environment: Environment, contract: Contract, instance: dg.DagsterInstance
    ) -> None:
        self._environment = environment
        self._contract = contract
        self._instance = instance
        self._of_batches: dict[str, tuple[Pairs, Pairs]] = {}

    def runs_of(self, entries: Sequence[Entry]) -> dict[tuple[str, str], dg.RunRecord]:
        """The last run of each object that has one which Dagster knows, by the object's id."""
        by_key = self._by_key(_distinct(entry.run_key for entry in entries))
        by_id = self._by_id(_distinct(entry.run_id for entry in entries))
        latest = self._retries([*by_key.values(), *by_id.values()])
        found: dict[tuple[str, str], dg.RunRecord] = {}
        for entry in entries:
            asked, taker = by_key.get(entry.run_key or ""), by_id.get(entry.run_id or "")
            # Of one that a run was asked for again, the run that took it is an earlier one.
            run = asked if entry.state is State.ASKED else taker or asked
            if run is not None:
                found[entry.id] = latest.get(run.dagster_run.run_id, run)
        return found

    def of_batch(self, batch_id: str) -> tuple[Pairs, Pairs]:
        """The objects that were published, and that were refused, with a batch."""
        if batch_id not in self._of_batches:
            stores = self._environment.stores_of(self._contract)
            version, refused = of_batch(stores, self._entries, self._contract.key, batch_id)
            if version is not None:
                self._report(version)
            self._of_batches[batch_id] = (objects(version) if version else set(), refused)
        return self._of_batches[batch_id]

    @cached_property  # after Dagster was asked whose runs are over: those have put what they put
    def _entries(self) -> list[QuarantineEntry]:
        return self._environment.quarantine.list(self._contract.key)

    def _report(self, version: Version) -> None:
        """Tell Dagster, so that consumers follow: the version's run died before it could.

        A run notes its objects first and tells Dagster then; these are not noted yet.
        """
        said = "Its run died after it had published."
        checks = map(evaluation, checks_of_version(self._contract, version))
        report_version(self._instance, [version], description=said, checks=checks)

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
