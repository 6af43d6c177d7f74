"""What Dagster's own tables say of runs that failed, in both databases."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator

import dagster as dg
import pytest
from dagster._core.events import AssetMaterializationPlannedData, DagsterEvent
from dagster._core.storage.partition_status_cache import get_and_update_asset_status_cache_value

from shared_resources.dagster_instance.instance import open_instance
from shared_resources.dagster_instance.last_runs import BadRun, last_bad_runs
from shared_resources.dagster_instance.versions_told import SETTLED_TAG, report_settled
from shared_resources.environment import Environment
from shared_resources.state.leases import lease
from shared_resources.wiring import current
from tests.stand_ins.postgres import Postgres
from tests.stand_ins.servers import environment

KEY = "order/orders"
FIRST, SECOND = "2024-01-01", "2024-01-02"
FAILED = dg.DagsterRunStatus.FAILURE
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST, end_date="2024-01-05")


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest) -> Iterator[Environment]:
    if request.param == "sqlite":
        yield request.getfixturevalue("mesh").environment
        return
    request.getfixturevalue("production")
    postgres: Postgres = request.getfixturevalue("postgres")
    with environment({"MESH_DATABASE_URL": postgres.fresh()}):
        yield current()


def a_run(
    instance: dg.DagsterInstance,
    days: tuple[str | None, ...],
    status: dg.DagsterRunStatus = FAILED,
    **tags: str,
) -> str:
    """A run that was to make the days, and did so if it succeeded."""
    key = dg.AssetKey(KEY.split("/"))
    named = {name.replace("__", "/"): value for name, value in tags.items()}
    run = dg.DagsterRun(job_name="job", run_id=str(uuid.uuid4()), status=status, tags=named)
    instance.add_run(run)
    for day in days:
        planned = DagsterEvent.build_asset_materialization_planned_event(
            "job", "step", AssetMaterializationPlannedData(key, partition=day)
        )
        instance.report_dagster_event(planned, run.run_id, logging.DEBUG)
        if status is dg.DagsterRunStatus.SUCCESS:
            instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=day))
    return run.run_id


def test_the_last_run_and_that_of_each_day_are_told_if_they_failed(place: Environment) -> None:
    assert last_bad_runs(place) == {}
    with open_instance(place) as instance:
        first = a_run(instance, (FIRST, SECOND))
        a_run(instance, (SECOND,), dg.DagsterRunStatus.SUCCESS)
        assert last_bad_runs(place) == {KEY: [BadRun(first, "FAILURE", first, FIRST)]}

        again = a_run(instance, (FIRST,), dagster__root_run_id=first)
        told = [BadRun(again, "FAILURE", first, day) for day in ("", FIRST)]
        assert last_bad_runs(place) == {KEY: told}

        a_run(instance, (FIRST,), dg.DagsterRunStatus.SUCCESS)
        assert last_bad_runs(place) == {}


def test_a_run_of_mesh_run_whose_process_died_is_told_before_anyone_ends_it(
    place: Environment,
) -> None:
    with open_instance(place) as instance, lease(place) as living:
        a_run(instance, (None,), dg.DagsterRunStatus.STARTED, mesh__worker=living)
        assert last_bad_runs(place) == {}
        dead = a_run(instance, (None,), dg.DagsterRunStatus.NOT_STARTED, mesh__worker="dead")
        assert last_bad_runs(place) == {KEY: [BadRun(dead, "NOT_STARTED", dead)]}


def test_days_that_are_settled_are_not_red_any_more(place: Environment) -> None:
    def red(instance: dg.DagsterInstance) -> set[str]:
        key = dg.AssetKey(KEY.split("/"))
        value = get_and_update_asset_status_cache_value(instance, key, DAYS)
        assert value is not None
        return set(value.deserialize_failed_partition_subsets(DAYS).get_partition_keys())

    with open_instance(place) as instance:
        a_run(instance, (FIRST, SECOND))
        assert red(instance) == {FIRST, SECOND}
        report_settled(instance, KEY, [FIRST, "2024-01-03"], "the till was closed")
        assert red(instance) == {SECOND}
        assert [bad.partition for bad in last_bad_runs(place)[KEY]] == [SECOND]
        assert len(instance.get_runs(dg.RunsFilter(tags={SETTLED_TAG: "the till was closed"}))) == 1
        report_settled(instance, KEY, [FIRST], "again")
        assert len(instance.get_runs()) == 2
        a_run(instance, (FIRST,))
        assert red(instance) == {FIRST, SECOND}
