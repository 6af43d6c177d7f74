"""What Dagster stores of a run over many days is the same, stored together or one by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from shared_resources.dagster_instance import event_batches
from shared_resources.dagster_instance.instance import open_instance
from shared_resources.wiring import LocalEnvironment

DAYS = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-02-10")
RANGE = {
    "dagster/asset_partition_range_start": "2024-01-01",
    "dagster/asset_partition_range_end": "2024-02-09",
}
COUNT = 40


@dg.asset(
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("sound", asset="days")],
)
def days() -> Iterator[Any]:
    yield dg.MaterializeResult(metadata={"rows": 7})
    yield dg.AssetCheckResult(check_name="sound", passed=True)


def executed(home: Path) -> dict[str, list[Any]]:
    """What the files of the instance hold of one run over all days."""
    environment = LocalEnvironment(root=home, home=home)
    with open_instance(environment) as instance:
        done = dg.materialize([days], instance=instance, tags=RANGE)
        assert done.success
        key = dg.AssetKey("days")
        made = instance.get_materialized_partitions(key)
        counts = {"partitions": sorted(made)}
    runs = environment.dagster / "history" / "runs"
    of_run, index = runs / f"{done.run_id}.db", runs / "index.db"
    return {
        **counts,
        "of the run": rows(of_run, "SELECT dagster_event_type, partition FROM event_logs"),
        "of all": rows(index, "SELECT id, dagster_event_type, partition, step_key FROM event_logs"),
        "tags": rows(index, "SELECT asset_key, key FROM asset_event_tags"),
        "assets": rows(
            index,
            "SELECT asset_key, json_extract(last_materialization, '$.storage_id'),"
            " last_run_id IS NOT NULL, last_materialization_timestamp IS NOT NULL FROM asset_keys",
        ),
        "checks": rows(index, "SELECT check_name, execution_status FROM asset_check_executions"),
    }


def rows(file: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that transactions over a batch were made in."""
    seen: list[str] = []
    begin = event_batches._transaction

    def noted(storage: Any, shard: str) -> Any:
        seen.append(shard)
        return begin(storage, shard)

    monkeypatch.setattr(event_batches, "_transaction", noted)
    return seen


def test_events_stored_together_are_those_stored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactions: list[str]
) -> None:
    monkeypatch.setenv(event_batches.SIZE, "0")
    alone = executed(tmp_path / "alone")
    assert transactions == []
    assert len(alone["partitions"]) == COUNT
    monkeypatch.delenv(event_batches.SIZE)
    together = executed(tmp_path / "together")
    assert together == alone
    assert transactions[1::2] == ["index", "index"], "what is planned, and what was made"


def test_a_batch_that_cannot_be_stored_leaves_nothing_and_is_stored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, transactions: list[str]
) -> None:
    alone = executed(tmp_path / "alone")
    at_once, failed = event_batches._AtOnce.store, []

    def failing(self: event_batches._AtOnce, events: Any) -> None:
        stored = self._storage.store_event

        def store(event: Any) -> None:
            if len(failed) == 0 and event.dagster_event.partition == "2024-01-20":
                failed.append(event)
                raise sqlite3.OperationalError("disk I/O error")
            stored(event)

        self._storage.store_event = store
        at_once(self, events)

    monkeypatch.setattr(event_batches._AtOnce, "store", failing)
    assert executed(tmp_path / "troubled") == alone
    assert len(failed) == 1


def test_another_instances_storage_is_left_alone(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        before = instance.event_log_storage.store_event_batch
        event_batches.store_batches_at_once(instance)
        assert instance.event_log_storage.store_event_batch == before
