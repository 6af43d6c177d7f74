"""`mesh run` over dbt models: one dbt for the workers of all domains, which ends with it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from shared_resources.environment import PROJECT_ROOT
from tests.cli.commands import MESH, heeding_interrupts, processes_of, start, states
from tests.data_products.test_dbt_server import children, is_running, server_of, wait_until
from tests.guarantees.orders import COLUMNS
from tests.tiny_mesh import TinyMesh, contract_text

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="there is a server on Linux alone"),
]

SUMS = "select cast(1 as bigint) as order_id, cast(2.5 as double) as amount"
ENDLESS = (
    "select cast(1 as bigint) as order_id, sum(a.range * b.range) % 7 + 0.5 as amount "
    "from range(10000000) as a, range(10000000) as b"
)


def model(mesh: TinyMesh, key: str, sql: str) -> None:
    domain, name = key.split("/")
    mesh.product(key, contract_text(key, COLUMNS))
    project = mesh.root / "dbt_project"
    for file in ("dbt_project.yml", "macros/schemas.sql", "macros/materializations.sql"):
        (project / file).parent.mkdir(exist_ok=True)
        shutil.copyfile(PROJECT_ROOT / "dbt_project" / file, project / file)
    (project / "models" / domain).mkdir(exist_ok=True)
    (project / "models" / domain / f"{name}.sql").write_text(sql)


def logged(mesh: TinyMesh) -> str:
    return "".join(file.read_text() for file in (mesh.environment.home / "logs").glob("*.log"))


def test_models_of_several_domains_are_made_by_one(mesh: TinyMesh) -> None:
    model(mesh, "east/sums", SUMS)
    model(mesh, "west/sums", SUMS)

    done = start("run", "--json")

    assert states(done) == {"east/sums": "published", "west/sums": "published"}, done.err
    assert mesh.rows("west/sums") == [{"order_id": 1, "amount": 2.5}]
    for said in ("process of its own", "processes of its own", "Traceback"):
        assert said not in logged(mesh)
    assert (mesh.environment.home / "logs" / "dbt.log").read_text() == ""
    assert all(one["peak_mib"] > 0 for one in done.json["products"].values())


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_ends_leaves_no_dbt(mesh: TinyMesh, by: signal.Signals) -> None:
    model(mesh, "east/endless", ENDLESS)
    runs = mesh.environment.dbt / "runs"
    with heeding_interrupts():
        run = subprocess.Popen([MESH, "run"], env=dict(os.environ), stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(runs.glob("*/target/run/**/endless.sql")), "a model that runs")
        server = server_of(run.pid)
        (child,) = children(server)
        run.send_signal(by)
        assert run.wait(60) == (1 if by is signal.SIGINT else -by)
    finally:
        run.kill()
        run.wait()
    for one in (server, child):
        wait_until(lambda: not is_running(one), "its end")  # noqa: B023 - asked at once
    assert processes_of(mesh.environment.home) == []


def test_a_run_whose_dbt_is_killed_publishes_all_the_same(mesh: TinyMesh) -> None:
    model(mesh, "east/sums", SUMS)
    with heeding_interrupts():
        run = subprocess.Popen([MESH, "run"], env=dict(os.environ), stderr=subprocess.DEVNULL)
    server = server_of(run.pid)
    wait_until(lambda: children(server), "a command")
    os.kill(server, signal.SIGKILL)
    assert run.wait(200) == 0
    assert mesh.rows("east/sums") == [{"order_id": 1, "amount": 2.5}]
    assert "from now on dbt runs in processes of its own" in logged(mesh)


def test_a_run_over_no_model_starts_no_dbt(mesh: TinyMesh) -> None:
    code = (
        "import pyarrow as pa\n\nfrom shared_resources import data_product\n\n\n"
        '@data_product\ndef make() -> pa.Table:\n    return pa.table({"order_id": [1], '
        '"amount": [1.0]})\n'
    )
    mesh.product("plain/one", contract_text("plain/one", COLUMNS), code)
    assert states(start("run", "--json")) == {"plain/one": "published"}
    assert not (mesh.environment.home / "logs" / "dbt.log").exists()
