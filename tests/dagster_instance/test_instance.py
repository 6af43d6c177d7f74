"""The Dagster instance: SQLite by itself, Postgres where the variables say so."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest
import sqlalchemy as sa

from shared_resources.dagster_instance.instance import open_instance, prepare_instance
from shared_resources.environment import EnvironmentProblem
from shared_resources.locations.asset_spec import pool_of
from shared_resources.running import dead_runs
from shared_resources.running.dead_runs import WORKER_TAG, SlotKept, end_dead_runs, wait_for_slot
from shared_resources.state.leases import lease
from shared_resources.wiring import LocalEnvironment, ProductionEnvironment, current
from tests.stand_ins.postgres import PASSWORD, Postgres
from tests.stand_ins.servers import environment


@dg.op
def say() -> int:
    return 1


@dg.job
def greeting() -> None:
    say()


@pytest.fixture
def on_postgres(production: ProductionEnvironment, postgres: Postgres) -> object:
    with environment({"MESH_DATABASE_URL": postgres.fresh()}):
        yield current()


def test_runs_and_events_are_in_postgres_and_its_password_on_no_disk(
    on_postgres: ProductionEnvironment,
) -> None:
    with open_instance(on_postgres) as instance:
        result = greeting.execute_in_process(instance=instance)
        assert result.success
        ref = instance.get_ref().to_dict()
    assert PASSWORD not in str(ref)  # what a run's own process is told
    with on_postgres.state.begin() as connection:
        named = connection.scalar(sa.text("SELECT count(DISTINCT run_id) FROM event_logs"))
        assert named == connection.scalar(sa.text("SELECT count(*) FROM runs")) == 1
    with open_instance(on_postgres) as instance:
        assert [run.run_id for run in instance.get_runs()] == [result.run_id]
    files = [path for path in on_postgres.home.rglob("*") if path.is_file()]
    assert on_postgres.dagster / "dagster.yaml" in files
    assert not any(PASSWORD.encode() in path.read_bytes() for path in files)
    assert not list(on_postgres.home.rglob("*.db"))


@pytest.mark.slow
def test_processes_that_open_a_new_instance_together_agree(
    on_postgres: ProductionEnvironment,
) -> None:
    command = [sys.executable, "-m", "shared_resources.dagster_instance.instance"]
    started = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=120)[0].strip() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert set(said) == {str(on_postgres.dagster)}
    with open_instance(on_postgres) as instance:
        assert greeting.execute_in_process(instance=instance).success


def test_a_run_of_another_machine_is_ended_when_its_process_is_dead_and_not_before(
    on_postgres: ProductionEnvironment,
    tmp_path: Path,
) -> None:
    """Two machines share a Postgres, and neither sees the other's files."""
    with environment({"MESH_HOME": str(tmp_path / "another machine")}):
        elsewhere = current()
    tags = {"mesh/product": "sales/slow"}
    with open_instance(on_postgres) as instance, ExitStack() as working:
        worker = working.enter_context(lease(elsewhere))
        run = dg.DagsterRun(
            "slow", status=dg.DagsterRunStatus.STARTED, tags={**tags, WORKER_TAG: worker}
        )
        instance.add_run(run)
        end_dead_runs(on_postgres, instance, tags)
        (seen,) = instance.get_runs()
        assert seen.status is dg.DagsterRunStatus.STARTED
        working.close()
        end_dead_runs(on_postgres, instance, tags)
        (seen,) = instance.get_runs()
        assert seen.status is dg.DagsterRunStatus.FAILURE


def test_an_instance_in_sqlite_is_not_taken_for_postgres(
    on_postgres: ProductionEnvironment,
) -> None:
    prepare_instance(LocalEnvironment(on_postgres.root, on_postgres.home))
    with pytest.raises(
        EnvironmentProblem, match=r"keeps Dagster's runs in SQLite; remove the file"
    ):
        prepare_instance(on_postgres)


def test_an_instance_in_postgres_is_not_opened_without_its_variable(
    on_postgres: ProductionEnvironment,
) -> None:
    prepare_instance(on_postgres)
    with pytest.raises(EnvironmentProblem, match=r"MESH_DATABASE_URL is not set"):
        prepare_instance(LocalEnvironment(on_postgres.root, on_postgres.home))


def test_the_embedded_instance_writes_its_file_once(tmp_path: Path) -> None:
    here = LocalEnvironment(tmp_path, tmp_path / "home")
    prepare_instance(here)
    file = here.dagster / "dagster.yaml"
    file.write_text(file.read_text() + "# mine\n")
    prepare_instance(here)
    assert file.read_text().endswith("# mine\n")
    assert "storage" not in file.read_text()
    assert "MESH_DATABASE_URL" not in os.environ


@pytest.mark.parametrize("name", ["what?", "p%20c"])
def test_a_folder_that_dagster_would_read_as_another_is_refused(tmp_path: Path, name: str) -> None:
    """Its path becomes a URL as it is."""
    home = tmp_path / name
    ended = subprocess.run(
        [sys.executable, "-m", "shared_resources.dagster_instance.instance"],
        env={**os.environ, "MESH_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("mesh: Dagster cannot keep its SQLite files in ")
    assert str(home) in ended.stderr and "MESH_HOME" in ended.stderr
    assert not home.exists()


def test_other_characters_of_a_folder_are_no_matter(tmp_path: Path) -> None:
    home = tmp_path / "b[ei]r*d 'x\"{a},b;c #$HOME~&=+ 100%ü"
    with open_instance(LocalEnvironment(root=tmp_path, home=home)) as instance:
        assert greeting.execute_in_process(instance=instance).success
    assert {file.name for file in home.rglob("runs.db")} == {"runs.db"}


STEP = """
import os, sys, time
import dagster as dg
from shared_resources.wiring import current
from shared_resources.dagster_instance.instance import open_instance


@dg.op(pool="product_sales_slow")
def work() -> None:
    print("working", flush=True)
    time.sleep(600)


@dg.job
def slow() -> None:
    work()


with open_instance(current()) as instance:
    slow.execute_in_process(instance=instance)
"""


@pytest.mark.slow
def test_who_waits_for_a_product_is_told_for_whom_and_not_kept_by_the_dead(
    tmp_path: Path,
) -> None:
    """A run that Dagster started, not `mesh run`: first alive, then killed."""
    with environment({"MESH_HOME": str(tmp_path / "home")}):
        here = current()
        process = subprocess.Popen(
            [sys.executable, "-c", STEP],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout is not None and process.stdout.readline() == "working\n"
    said: list[str] = []

    def killed_when_told(why: str) -> None:
        said.append(why)
        process.kill()
        process.wait()

    with open_instance(here) as instance:
        (run,) = instance.get_runs()
        wait_for_slot(here, instance, pool_of("sales/slow"), killed_when_told)
        (after,) = instance.get_runs()
        assert after.status is dg.DagsterRunStatus.FAILURE
        assert said == [
            f"waits for run {run.run_id} (Dagster started it), which works on the same product"
        ]
        assert (
            instance.event_log_storage.get_concurrency_info(pool_of("sales/slow")).claimed_slots
            == []
        )


def test_waiting_for_a_living_run_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_runs, "LONGEST_WAIT_SECONDS", 0.0)
    with environment({"MESH_HOME": str(tmp_path / "home")}):
        here = current()
    with open_instance(here) as instance, lease(here) as worker:
        run = dg.DagsterRun("slow", status=dg.DagsterRunStatus.STARTED, tags={WORKER_TAG: worker})
        instance.add_run(run)
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default(pool_of("sales/slow"))
        assert storage.claim_concurrency_slot(pool_of("sales/slow"), run.run_id, "work").is_claimed
        with pytest.raises(SlotKept, match=f"run {run.run_id} .* has kept the product"):
            wait_for_slot(here, instance, pool_of("sales/slow"), lambda _: None)
