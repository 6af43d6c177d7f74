"""The Dagster instance that the command line, the UI and the daemon share.

Belongs here: its configuration file, opening it, and making its SQLite files fast enough.
Does not belong here: running anything in it.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from shared_resources.dagster_instance.event_batches import store_batches_at_once
from shared_resources.dagster_instance.kept_connections import keep_connections
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.state.database import StateUnreachable
from shared_resources.wiring import current

if TYPE_CHECKING:
    import dagster as dg

_CONFIGURATION = """\
# Written once by the platform; yours to change.
telemetry:
  enabled: false
nux:
  enabled: false
run_monitoring:
  enabled: true
  # A run whose process was killed holds its product's slot until the daemon frees it.
  free_slots_after_run_end_seconds: 30
concurrency:
  runs:
    max_concurrent_runs: 4
    # New objects of one product are ingested one after the other, in the order of their arrival.
    tag_concurrency_limits:
      - key: mesh/product
        limit: 1
        value:
          applyLimitPerUniqueValue: true
  pools:
    # Two runs of one product never make it at the same time.
    default_limit: 1
    granularity: op
"""
# The address holds a password: the file names the variable that it is in.
_ON_POSTGRES = """\
storage:
  custom:
    module: shared_resources.production.dagster_storage
    class: MeshPostgresStorage
    config:
      postgres_url:
        env: MESH_DATABASE_URL
"""


def prepare_instance(environment: Environment) -> None:
    """Create the instance's folder and `dagster.yaml`, unless they are there.

    Raises `EnvironmentProblem` if a file that is there keeps runs elsewhere than the variables say, or
    if Dagster cannot keep its SQLite files in the folder, and `StateUnreachable` if the Postgres that
    they say does not answer.
    """
    if not environment.database_url:
        _refuse_what_is_no_url(environment.dagster)
    environment.dagster.mkdir(parents=True, exist_ok=True)
    file = environment.dagster / "dagster.yaml"
    if not file.exists():
        stored = _ON_POSTGRES if environment.database_url else ""
        file.write_text(_CONFIGURATION + stored)
    _refuse_another_storage(file, environment.database_url)
    if environment.database_url:
        _ = environment.state.engine


def _refuse_what_is_no_url(folder: Path) -> None:
    """Dagster writes the path of its SQLite files into a URL as it is, and they would be elsewhere."""
    from sqlalchemy import make_url

    file = f"{folder}/runs.db"
    if make_url(f"sqlite:///{file}").database != file:
        raise EnvironmentProblem(
            f"Dagster cannot keep its SQLite files in {folder}: a path with `?`, or with `%` before "
            "two digits, is read as another one; set MESH_HOME to a folder without"
        )


def _refuse_another_storage(file: Path, database_url: str | None) -> None:
    """Runs in two places would be half a history in each, and slots that hold nothing back."""
    text = file.read_text()
    if database_url and "storage:" not in text:
        raise EnvironmentProblem(
            f"MESH_DATABASE_URL is set, but {file} keeps Dagster's runs in SQLite; remove the file "
            "to have it written anew, or add the storage section that docs/production.md shows"
        )
    if "MESH_DATABASE_URL" in text and not database_url:
        raise EnvironmentProblem(
            f"{file} keeps Dagster's runs in Postgres, but MESH_DATABASE_URL is not set (or MESH_ENV "
            "is not production); set both, or remove the file to use SQLite"
        )


@contextmanager
def open_instance(environment: Environment) -> Iterator[dg.DagsterInstance]:
    """The instance, opened for writing events and runs."""
    import dagster as dg

    prepare_instance(environment)
    with _fast_sqlite():
        # Of several processes that open a new instance each would create its tables, and Dagster
        # would refuse the one with two schema revisions from then on.
        with FileLock(environment.dagster / ".opening.lock"), _alone_in_database(environment):
            opened = dg.DagsterInstance.from_config(str(environment.dagster))
        with opened as instance, keep_connections(instance):
            store_batches_at_once(instance)
            yield instance


def _alone_in_database(environment: Environment) -> AbstractContextManager[None]:
    """The same on every machine that shares a Postgres."""
    if environment.database_url:
        return environment.state.lock("opening the instance")
    return nullcontext()


@contextmanager
def _fast_sqlite() -> Iterator[None]:
    """Spare the disk two waits an event: Dagster opens and closes a connection for each.

    The last connection that closes moves the write-ahead log into the file; one that stays open
    puts that off. In that mode `synchronous=NORMAL` survives a killed process, and a power cut
    without damage (https://sqlite.org/pragma.html#pragma_synchronous).
    """
    from sqlalchemy import Engine, event

    kept: dict[str, sqlite3.Connection] = {}
    with ExitStack() as stack:

        def on_connect(connection: Any, record: object) -> None:
            if not isinstance(connection, sqlite3.Connection):
                return
            file = connection.execute("PRAGMA database_list").fetchone()[2]
            connection.execute("PRAGMA synchronous=NORMAL")
            if file and file not in kept:
                kept[file] = sqlite3.connect(file, check_same_thread=False)
                kept[file].execute("SELECT count(*) FROM sqlite_master").fetchone()
                stack.enter_context(closing(kept[file]))

        event.listen(Engine, "connect", on_connect)
        try:
            yield
        finally:
            event.remove(Engine, "connect", on_connect)


if __name__ == "__main__":
    # `make dev` needs the folder and the tables before Dagster's own processes start together.
    try:
        here = current()
        with open_instance(here):
            print(here.dagster)
    except (EnvironmentProblem, StateUnreachable) as problem:
        print(f"mesh: {problem}", file=sys.stderr)
        raise SystemExit(2) from None
