"""What Dagster's own records say of the last run of each asset, and of each of its days.

Belongs here: the queries of its tables, without importing Dagster, which takes a second.
Does not belong here: what attempts said themselves (`state/last_attempts.py`): a run that ends before its
product's function begins (an input that is not published, a launch that failed) says nothing there.

The tables are Dagster's and no public interface; what cannot be read tells of no bad run.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from shared_resources.environment import Environment
from shared_resources.state.leases import is_alive

_LAST_RUNS = "SELECT asset_key, '', last_run_id FROM asset_keys WHERE last_run_id IS NOT NULL"
# Days whose latest run made nothing of them: those that Dagster shows in red, if it failed.
_LAST_RUNS_OF_DAYS = """
    SELECT planned.asset_key, planned.partition, planned.run_id FROM event_logs AS planned
    JOIN (
        SELECT MAX(id) AS id FROM event_logs
        WHERE asset_key IS NOT NULL AND partition IS NOT NULL AND dagster_event_type IN
            ('ASSET_MATERIALIZATION', 'ASSET_MATERIALIZATION_PLANNED')
        GROUP BY asset_key, partition
    ) AS latest ON latest.id = planned.id
    WHERE planned.dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED'
"""
# A run that Dagster started again by itself is known by the first one's id. Of a run of `mesh run`
# the lease tells that its process died before it could say so.
_BAD = """
    SELECT runs.run_id, runs.status, first.value, NULL FROM runs
    LEFT JOIN run_tags AS first ON first.run_id = runs.run_id AND first.key = 'dagster/root_run_id'
    WHERE runs.status IN ('FAILURE', 'CANCELED')
    UNION ALL
    SELECT runs.run_id, runs.status, NULL, worker.value FROM runs
    JOIN run_tags AS worker ON worker.run_id = runs.run_id AND worker.key = 'mesh/worker'
    WHERE runs.status IN ('NOT_STARTED', 'STARTING', 'STARTED')
"""
_Rows = Iterable[tuple[str, str, str]]
_Bad = Iterable[tuple[str, str, str | None, str | None]]


@dataclass(frozen=True)
class BadRun:
    """A run that did not succeed, the last of an asset, or of the day that is `partition`; `root` is
    the run that it tried again, or itself."""

    run_id: str
    status: str
    root: str
    partition: str = ""


def last_bad_runs(environment: Environment) -> dict[str, list[BadRun]]:
    """The last runs of each product, and of each of its days, that failed, by the product's key.

    Raises nothing that a person could not do without: records that cannot be read give none.
    """
    last, bad = _of_database(environment) if environment.database_url else _of_files(environment)
    known = {
        run_id: (status, root or run_id)
        for run_id, status, root, worker in bad
        if worker is None or not is_alive(environment, worker)
    }
    found: dict[str, list[BadRun]] = defaultdict(list)
    for key, partition, run_id in last:
        if run_id in known:
            found["/".join(json.loads(key))].append(BadRun(run_id, *known[run_id], partition))
    return found


def _of_database(environment: Environment) -> tuple[_Rows, _Bad]:
    import sqlalchemy as sa  # a fifth of a second, which files of SQLite do not take

    try:
        with environment.state.engine.connect() as connection:
            if not sa.inspect(connection).has_table("asset_keys"):
                return [], []
            last, days, bad = (
                [row._tuple() for row in connection.execute(sa.text(query))]
                for query in (_LAST_RUNS, _LAST_RUNS_OF_DAYS, _BAD)
            )
    except sa.exc.SQLAlchemyError:
        return [], []
    return [*last, *days], bad


def _of_files(environment: Environment) -> tuple[_Rows, _Bad]:
    history = environment.dagster / "history"
    index, runs = history / "runs" / "index.db", history / "runs.db"
    if not index.exists() or not runs.exists():
        return [], []
    # Only read: nothing is made, and whoever may not write may look.
    try:
        with closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as opened:
            last = [*opened.execute(_LAST_RUNS), *opened.execute(_LAST_RUNS_OF_DAYS)]
        with closing(sqlite3.connect(f"{runs.as_uri()}?mode=ro", uri=True)) as opened:
            return last, opened.execute(_BAD).fetchall()
    except sqlite3.Error:
        return [], []
