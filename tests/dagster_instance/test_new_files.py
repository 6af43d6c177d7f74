"""The file of a run's events is copied, and is what Dagster makes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from shared_resources.dagster_instance import new_files
from shared_resources.dagster_instance.instance import open_instance
from shared_resources.wiring import LocalEnvironment


@dg.asset
def thing() -> dg.MaterializeResult[Any]:
    return dg.MaterializeResult(metadata={"rows": 7})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that Dagster made itself."""
    found: list[str] = []
    initdb = SqliteEventLogStorage._initdb

    def noted(self: Any, engine: Any, for_index_shard: bool = False) -> None:
        file = Path(str(engine.url.database))
        found.extend([] if file.exists() else [file.name])
        initdb(self, engine, for_index_shard)

    monkeypatch.setattr(SqliteEventLogStorage, "_initdb", noted)
    return found


def held(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        tables = connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
        ).fetchall()
        revision = connection.execute("SELECT * FROM alembic_version").fetchall()
        return [tables, revision, connection.execute("PRAGMA journal_mode").fetchall()]


def test_the_first_runs_file_is_dagsters_and_the_others_are_alike(
    tmp_path: Path, made: list[str]
) -> None:
    runs = tmp_path / "dagster" / "history" / "runs"
    ids = []
    for _ in range(2):
        with open_instance(LocalEnvironment(root=tmp_path, home=tmp_path)) as instance:
            ids += [dg.materialize([thing], instance=instance).run_id for _ in range(2)]
            assert all(len(instance.all_logs(one)) > 5 for one in ids)
            assert set(instance.event_log_storage.get_all_run_ids()) == set(ids)  # type: ignore[attr-defined]
    assert [name for name in made if name != "index.db"] == [f"{ids[0]}.db"]
    first, *others = [held(runs / f"{one}.db") for one in ids]
    assert all(one == first for one in others)


def test_a_file_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    with open_instance(LocalEnvironment(root=tmp_path, home=tmp_path)) as instance:
        run = dg.materialize([thing], instance=instance)
        storage: Any = instance.event_log_storage
        assert not new_files.copied(storage, Path(storage.path_for_shard(run.run_id)))
        assert not new_files.copied(storage, Path(storage.path_for_shard("index")))
        assert len(instance.all_logs(run.run_id)) > 5


def test_what_cannot_be_copied_dagster_makes(tmp_path: Path, made: list[str]) -> None:
    with open_instance(LocalEnvironment(root=tmp_path, home=tmp_path)) as instance:
        dg.materialize([thing], instance=instance)
        new_files._empty(instance.event_log_storage).write_text("no database")
        run = dg.materialize([thing], instance=instance)
        assert run.success and len(instance.all_logs(run.run_id)) > 5
        assert f"{run.run_id}.db" in made
