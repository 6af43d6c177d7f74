"""What Dagster's own records say of the last run of each asset.

Belongs here: the one query of its tables, without importing Dagster, which takes a second.
Does not belong here: what attempts said themselves (`last_attempts.py`): a run that ends before its
product's function begins (an input that is not published, a launch that failed) says nothing there.

The tables are Dagster's and no public interface; what cannot be read is said to be unknown.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass

import sqlalchemy as sa

from shared_resources.environment import Environment

_LAST_RUNS = "SELECT asset_key, last_run_id FROM asset_keys WHERE last_run_id IS NOT NULL"
# A run that Dagster started again by itself is known by the first one's id.
_BAD = """
    SELECT runs.run_id, runs.status, first.value FROM runs
    LEFT JOIN run_tags AS first ON first.run_id = runs.run_id AND first.key = 'dagster/root_run_id'
    WHERE runs.status IN ('FAILURE', 'CANCELED')
"""


@dataclass(frozen=True)
class BadRun:
    """A last run of an asset that did not succeed; `root` is the run that it tried again, or itself."""

    run_id: str
    status: str
    root: str


def last_bad_runs(environment: Environment) -> dict[str, BadRun]:
    """The products whose last run in Dagster failed, by key. Raises nothing that a person could not
    do without: records that cannot be read give none."""
    try:
        last, bad = _rows(environment)
    except (sqlite3.Error, sa.exc.SQLAlchemyError):
        return {}
    return {"/".join(json.loads(key)): bad[run_id] for key, run_id in last.items() if run_id in bad}


def _rows(environment: Environment) -> tuple[Mapping[str, str], Mapping[str, BadRun]]:
    if environment.database_url:
        with environment.state.engine.connect() as connection:
            if not sa.inspect(connection).has_table("asset_keys"):
                return {}, {}
            last = [row._tuple() for row in connection.execute(sa.text(_LAST_RUNS))]
            bad = [row._tuple() for row in connection.execute(sa.text(_BAD))]
        return dict(last), _by_id(bad)
    history = environment.dagster / "history"
    index, runs = history / "runs" / "index.db", history / "runs.db"
    if not index.exists() or not runs.exists():
        return {}, {}
    # Only read: nothing is made, and whoever may not write may look.
    with closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as opened:
        last = opened.execute(_LAST_RUNS).fetchall()
    with closing(sqlite3.connect(f"{runs.as_uri()}?mode=ro", uri=True)) as opened:
        return dict(last), _by_id(opened.execute(_BAD).fetchall())


def _by_id(rows: Iterable[tuple[str, str, str | None]]) -> dict[str, BadRun]:
    return {run_id: BadRun(run_id, status, root or run_id) for run_id, status, root in rows}
