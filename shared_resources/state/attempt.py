"""What became of the last attempt at a part of a product, for those who only look.

Belongs here: what a row of the last attempts says, and those of all products, asked for once.
Does not belong here: the table, and how it changes (`last_attempts.py`): SQLAlchemy is not imported here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared_resources.contracts.model import UNPARTITIONED
from shared_resources.environment import Environment
from shared_resources.state.looking import look

# Where no partition is meant: the one part of a product without partitions, or all of another.
WHOLE = UNPARTITIONED
OF_A_STREAM = "stream-"  # begins the run ids of streams' processes, which are no runs of Dagster's
# Of a row, in the order of `LastAttempt.of`.
COLUMNS = ("partition", "run_id", "outcome", "message", "entry", "lease", "at")


class Outcome(StrEnum):
    RUNNING = "running"  # or dead: `lease` tells
    PUBLISHED = "published"
    REFUSED = "refused"  # `entry` is where it lies in quarantine
    FAILED = "failed"
    MISSING = "missing"  # there was nothing to make it of
    SETTLED = "settled"  # someone decided that nothing is to come of it; `message` says why


@dataclass(frozen=True)
class LastAttempt:
    """A row. `run_id` is the last run that came about, if one did."""

    partition: str
    run_id: str
    outcome: Outcome
    message: str
    entry: str | None
    lease: str | None
    at: datetime

    @staticmethod
    def of(
        partition: str,
        run_id: str,
        outcome: str,
        message: str,
        entry: str | None,
        lease: str | None,
        at: str,
    ) -> LastAttempt:
        moment = datetime.fromisoformat(at)
        return LastAttempt(partition, run_id, Outcome(outcome), message, entry, lease, moment)


class AttemptsOfAll:
    """The rows of every product that has any, asked for once; a row that cannot be read is the trouble
    of its own product."""

    def __init__(self, environment: Environment) -> None:
        self._rows: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
        columns = ", ".join(COLUMNS)
        query = f"SELECT product, {columns} FROM mesh_last_attempts ORDER BY product, partition"  # noqa: S608
        for product, *row in look(environment, "mesh_last_attempts", query):
            self._rows[product].append(tuple(row))

    def of(self, product: str) -> list[LastAttempt]:
        return [LastAttempt.of(*row) for row in self._rows.get(product, ())]
