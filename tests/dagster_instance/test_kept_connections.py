"""Dagster's connections to its SQLite files are kept, and what it stores over them is the same."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from sqlalchemy import Engine, event

from shared_resources.dagster_instance.event_batches import SIZE
from shared_resources.dagster_instance.instance import open_instance
from shared_resources.dagster_instance.kept_connections import MOST_FILES
from shared_resources.wiring import LocalEnvironment

CHECKS = [f"check_{number}" for number in range(20)]


@dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="thing") for name in CHECKS])
def thing() -> Any:
    yield dg.MaterializeResult(metadata={"rows": 7})
    for name in CHECKS:
        yield dg.AssetCheckResult(check_name=name, passed=True)


@pytest.fixture
def opened() -> Any:
    """How many connections SQLAlchemy has opened."""
    count = [0]

    def on_connect(*_: object) -> None:
        count[0] += 1

    event.listen(Engine, "connect", on_connect)
    yield count
    event.remove(Engine, "connect", on_connect)


def stored(files: Path, run_id: str) -> list[Any]:
    queries = (
        (run_id, "SELECT dagster_event_type, step_key FROM event_logs"),
        ("index", f"SELECT dagster_event_type FROM event_logs WHERE run_id = '{run_id}'"),
        ("index", "SELECT check_name, execution_status FROM asset_check_executions"),
        ("index", "SELECT asset_key FROM asset_keys"),
    )
    found: list[Any] = []
    for shard, query in queries:
        with closing(sqlite3.connect(files / f"{shard}.db")) as connection:
            found.append(sorted(connection.execute(query).fetchall(), key=repr))
    return found


def test_a_run_opens_few_connections_and_stores_what_dagster_stores(
    tmp_path: Path, opened: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SIZE, "0")
    stock = tmp_path / "stock"
    stock.mkdir()
    with dg.DagsterInstance.from_config(str(_home(stock))) as instance:
        run = dg.materialize([thing], instance=instance)
    expected, before = stored(stock / "history" / "runs", run.run_id), opened[0]
    assert before > len(CHECKS), "Dagster opens one an event, or more"
    mine = tmp_path / "mine"
    with open_instance(LocalEnvironment(root=mine, home=mine)) as instance:
        begun = opened[0]
        run = dg.materialize([thing], instance=instance)
        assert opened[0] - begun < 10
    assert stored(mine / "dagster" / "history" / "runs", run.run_id) == expected


def _home(folder: Path) -> Path:
    (folder / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return folder


def test_connections_to_the_latest_files_are_kept_and_all_are_closed_at_the_end(
    tmp_path: Path, opened: list[int]
) -> None:
    with open_instance(LocalEnvironment(root=tmp_path, home=tmp_path)) as instance:
        runs = [dg.materialize([thing], instance=instance).run_id for _ in range(MOST_FILES + 2)]
        before = opened[0]
        instance.all_logs(runs[-1])
        assert opened[0] == before
        instance.all_logs(runs[0])
        assert opened[0] == before + 1
    assert not [file for file in _open_files() if str(tmp_path) in file]


def _open_files() -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # it was the one of this loop
    return found


def test_what_is_wiped_is_made_anew(tmp_path: Path) -> None:
    with open_instance(LocalEnvironment(root=tmp_path, home=tmp_path)) as instance:
        dg.materialize([thing], instance=instance)
        instance.wipe()
        assert instance.get_runs_count() == 0
        run = dg.materialize([thing], instance=instance)
        assert len(instance.all_logs(run.run_id)) > len(CHECKS)
        assert instance.get_latest_materialization_event(dg.AssetKey("thing")) is not None
    files = tmp_path / "dagster" / "history" / "runs"
    assert (files / f"{run.run_id}.db").is_file()
