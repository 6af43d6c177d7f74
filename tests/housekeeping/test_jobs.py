"""Housekeeping in Dagster: each domain has its jobs, with schedules of their own.

Belongs here: what a location holds of it, and what a run shows. Does not belong here: what the tasks
do (`test_tasks.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from shared_resources.housekeeping import tasks
from shared_resources.housekeeping.tasks import Task, perform
from shared_resources.locations import housekeeping_jobs as jobs
from shared_resources.locations.housekeeping_jobs import housekeeping
from shared_resources.stores.lake.store import LakeStore
from tests.guarantees.orders import KEY
from tests.housekeeping.test_tasks import LATER, later, numbers, orders, publish
from tests.stores.products import contract
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

JOBS = ["order_compaction", "order_expiry", "order_orphan_files", "order_quarantine_retention"]
OTHER = "order/other"


@pytest.fixture
def domain(mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> Iterator[TinyMesh]:
    """Two products, one published twice; and it is a year later."""
    orders(mesh)
    mesh.product(
        OTHER,
        contract_text(OTHER, [column("id")]),
        """
        import pandas as pd
        from shared_resources import data_product

        @data_product
        def other() -> pd.DataFrame:
            return pd.DataFrame({"id": [1]})
        """,
    )
    publish(mesh, [1.0], [2.0])
    assert mesh.run(OTHER).success

    def a_year_later(*given: Any, **options: Any) -> Any:
        return perform(*given, **{"now": later(LATER), **options})

    monkeypatch.setattr(jobs, "perform", a_year_later)
    return mesh


def run(mesh: TinyMesh, job: str) -> dg.ExecuteInProcessResult:
    resolved = mesh.definitions("order").resolve_job_def(job)
    return resolved.execute_in_process(instance=mesh.instance, raise_on_error=False)


def shown(result: dg.ExecuteInProcessResult, step: str) -> dict[str, Any]:
    """The metadata that the step's output shows in the UI."""
    for event in result.all_events:
        if event.event_type is dg.DagsterEventType.STEP_OUTPUT and event.step_key == step:
            metadata = event.step_output_data.metadata
            return {name: value.value for name, value in metadata.items()}
    raise AssertionError(f"no output of {step}")


def test_a_domain_has_each_job_with_a_schedule_of_its_own(domain: TinyMesh) -> None:
    definitions = domain.definitions("order")
    found = {
        schedule.job_name: schedule
        for schedule in definitions.schedules or ()
        if isinstance(schedule, dg.ScheduleDefinition)
    }
    assert sorted(found) == JOBS
    # Each at its own hour, so that none finds what another has not yet left.
    assert len({str(schedule.cron_schedule).split()[1] for schedule in found.values()}) == len(JOBS)
    for job in JOBS:
        assert found[job].default_status is dg.DefaultScheduleStatus.RUNNING
        assert found[job].execution_timezone == "UTC"
        ops = definitions.resolve_job_def(job).all_node_defs
        assert {op.pool for op in ops if isinstance(op, dg.OpDefinition)} == {
            "product_order_orders",
            "product_order_other",
        }


def test_a_domain_without_products_has_none() -> None:
    assert housekeeping("order", []) == ([], [])
    made, schedules = housekeeping("order", [contract()])
    assert [job.name for job in made] == JOBS
    assert len(schedules) == len(Task)


def test_a_run_shows_what_it_did_for_each_product(domain: TinyMesh) -> None:
    result = run(domain, "order_expiry")
    assert result.success
    told = shown(result, "orders")
    assert told["lake"] == told["warehouse"] == "versions 1 of 2"
    assert told["lake/versions_removed"] == [1]
    assert told["warehouse/versions_kept"] == 1
    assert shown(result, "other")["lake"] == tasks.NOTHING
    assert numbers(domain) == {"lake": [2], "warehouse": [2]}
    for job in JOBS:
        assert run(domain, job).success
    freed = shown(run(domain, "order_orphan_files"), "orders")
    assert freed["lake/leftovers_removed"] == freed["warehouse/leftovers_removed"] == []


def test_one_product_that_fails_fails_the_run_and_no_other_product(
    domain: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = LakeStore.expire

    def broken(self: LakeStore, of: Any, before: Any) -> Any:
        if of.key == KEY:
            raise OSError("the disk is away")
        return real(self, of, before)

    monkeypatch.setattr(LakeStore, "expire", broken)
    assert domain.run(OTHER).success
    result = run(domain, "order_expiry")
    assert not result.success
    assert "order/orders: expire failed, and is tried again the next time" in failures(result)
    assert "the disk is away" in failures(result)
    assert shown(result, "other")["lake"] == "versions 1 of 2"
    # The product's other store is done, and the next run catches up.
    assert numbers(domain) == {"lake": [1, 2], "warehouse": [2]}
    monkeypatch.setattr(LakeStore, "expire", real)
    assert run(domain, "order_expiry").success
    assert numbers(domain) == {"lake": [2], "warehouse": [2]}


def test_a_schedule_asks_for_a_run(domain: TinyMesh) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        definitions = domain.definitions("order")
        for schedule in definitions.schedules or ():
            assert isinstance(schedule, dg.ScheduleDefinition)
            moment = later(timedelta(0))
            context = dg.build_schedule_context(instance, scheduled_execution_time=moment)
            assert len(schedule.evaluate_tick(context).run_requests or ()) == 1
