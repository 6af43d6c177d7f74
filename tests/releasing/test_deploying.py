"""A deployment goes through or changes nothing: real servers, refused, failed and killed on the way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from shared_resources.registry.registry import Registry
from shared_resources.releasing.releases import Releases
from shared_resources.wiring import LocalEnvironment
from tests.cli.commands import MESH, Called, readable, start
from tests.releasing.projects import COLUMNS, lines, project, write_lock
from tests.serving.served import Served, served, wait_until
from tests.tiny_mesh import TinyMesh, column

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("deploying"), pytest.mark.timeout(900)]

JOB = '''
"""The {domain} domain."""

import dagster as dg

from shared_resources import build_domain
{first}

@dg.job
def release_{number}() -> None:
    pass


defs = build_domain(__file__, jobs=[release_{number}])
'''


class Deployed:
    """A served mesh whose project two domains stand in."""

    def __init__(self, running: Served, mesh: TinyMesh) -> None:
        self.running = running
        self.mesh = mesh
        project(mesh)

    def definitions(self, domain: str, number: int, first: str = "") -> None:
        file = self.mesh.root / "domains" / domain / "definitions.py"
        file.write_text(JOB.format(domain=domain, number=number, first=first).lstrip())

    def call(self, *arguments: str) -> Called:
        return start("deploy", *arguments, **self.running.variables)

    def killed_after(self, line: str, *arguments: str) -> None:
        """The command, killed as soon as it has said so."""
        with subprocess.Popen(
            [MESH, "deploy", *arguments],
            env=self.running.variables,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for said in process.stdout:
                if line in said:
                    process.kill()
            assert process.wait() < 0, f"it ended before it said {line!r}"

    @property
    def registry(self) -> Registry:
        return self.mesh.environment.registry

    def shows(self, domain: str) -> set[str]:
        """The release whose job the webserver shows."""
        return {job for job in self.running.locations().get(domain, {}) if "release_" in job}

    def expect(self, domain: str, number: int) -> str:
        """The webserver comes to show it; registered is what is served, and nothing else runs."""
        wait_until(lambda: self.shows(domain) == {f"release_{number}"}, 30, f"release {number}")
        entry = self.registry.entries()[domain]
        assert self.running.servers.serving(domain) == entry.release
        running = [one for one in self.running.servers.running() if one.domain == domain]
        assert [one.release for one in running] == [entry.release]
        assert not (self.mesh.environment.home / "releases" / "deploying.json").exists()
        return entry.release


def failed(called: Called, *fragments: str, code: int = 1) -> None:
    """It ended with `code` and one message with all `fragments`, after what it said of its steps."""
    assert called.code == code, called
    readable(called.err)
    for fragment in fragments:
        assert fragment in called.err, called.err


@pytest.fixture(scope="module")
def deployed() -> Iterator[Deployed]:
    with served(None) as running, dg.DagsterInstance.ephemeral() as instance:
        environment = LocalEnvironment(running.home / "mesh", running.home)
        mesh = TinyMesh(environment, instance)
        mesh.central()
        made = Deployed(running, mesh)
        made.definitions("order", 1)
        made.definitions("sales", 1)
        called = made.call("order", "sales")
        assert called.code == 0, called
        yield made


def test_what_is_deployed_is_served_registered_and_listed(deployed: Deployed) -> None:
    release = deployed.expect("order", 1)
    deployed.expect("sales", 1)
    listed = deployed.call("--list", "--json").json
    assert [(one["domain"], one["state"]) for one in listed] == [("order", "up"), ("sales", "up")]
    assert listed[0]["release"] == release[:12]
    again = deployed.call("order")
    assert again.code == 0 and "in service already" in again.out
    assert len(deployed.registry.history("order")) == 1


def test_a_new_release_takes_over_and_goes_back(deployed: Deployed) -> None:
    first = deployed.expect("order", 1)
    deployed.definitions("order", 2)
    shown = deployed.call("order", "--diff").out
    assert "~ domains/order/definitions.py" in shown
    assert deployed.call("order").code == 0
    second = deployed.expect("order", 2)
    assert deployed.call("order", "--rollback").code == 0
    assert deployed.expect("order", 1) == first
    assert deployed.call("order", "--rollback", second[:10]).code == 0
    assert deployed.expect("order", 2) == second
    assert deployed.call("order", "--rollback", first).code == 0
    assert deployed.expect("order", 1) == first
    releases = [one.release for one in deployed.registry.history("order")]
    assert releases == [first, second, first, second, first]


@pytest.mark.parametrize(
    ("first", "words"),
    [
        ("raise ValueError('no luck')", "no luck"),
        ("import os\nos._exit(3)", "ended"),
    ],
)
def test_what_does_not_load_changes_nothing(deployed: Deployed, first: str, words: str) -> None:
    before = deployed.expect("order", 1)
    entries = deployed.registry.history("order")[-1]
    deployed.definitions("order", 3, first)
    try:
        called = deployed.call("order")
    finally:
        deployed.definitions("order", 1)
    failed(called, words)
    assert deployed.expect("order", 1) == before
    assert deployed.registry.history("order")[-1].promise == entries.promise


def test_of_two_that_go_together_none_goes_when_one_fails(deployed: Deployed) -> None:
    before = deployed.expect("order", 1), deployed.expect("sales", 1)
    deployed.definitions("order", 4)
    deployed.definitions("sales", 4, "raise ValueError('not_installed')")
    try:
        called = deployed.call("order", "sales")
    finally:
        deployed.definitions("order", 1)
        deployed.definitions("sales", 1)
    failed(called, "not_installed")
    assert (deployed.expect("order", 1), deployed.expect("sales", 1)) == before


def test_a_failing_test_of_the_domain_keeps_it_out(deployed: Deployed) -> None:
    before = deployed.expect("sales", 1)
    file = deployed.mesh.root / "domains/sales/test_sums.py"
    file.write_text("def test_sums():\n    assert 1 == 2, 'sums are wrong'\n")
    try:
        called = deployed.call("sales")
        failed(called, "sums are wrong", "fail on the release")
        assert deployed.expect("sales", 1) == before
        file.write_text("def test_sums():\n    assert True\n")
        passing = deployed.call("sales")
        assert passing.code == 0 and "its tests pass" in passing.out
    finally:
        file.unlink()
        assert deployed.call("sales").code == 0


def test_what_breaks_a_consumer_is_refused_and_goes_when_it_is_agreed(deployed: Deployed) -> None:
    before = deployed.expect("order", 1)
    deployed.mesh.product("order/lines", lines(*COLUMNS, column("price"), version="2.0.0"))
    deployed.mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="2.0.0"))
    try:
        called = deployed.call("order")
        failed(called, "breaks sales/sums (amount)", "--breaks-consumers")
        assert deployed.expect("order", 1) == before
        assert deployed.call("order", "--breaks-consumers").code == 0
        assert deployed.expect("order", 1) != before
    finally:
        deployed.mesh.product("order/lines", lines())
        assert deployed.call("order", "--rollback", before).code == 0
    assert deployed.expect("order", 1) == before


@pytest.mark.parametrize(
    "line", ["building", "agree", "loads, in", "serves release"], ids=lambda line: line.split()[0]
)
def test_one_that_is_killed_is_undone_by_the_next(deployed: Deployed, line: str) -> None:
    before = deployed.expect("order", 1)
    deployed.definitions("order", 5)
    try:
        deployed.killed_after(line, "order")
        # Readers have the one or the other, whole.
        wait_until(
            lambda: deployed.shows("order") in ({"release_1"}, {"release_5"}), 30, "one is shown"
        )
        assert deployed.call("sales").code == 0
        assert deployed.registry.entries()["order"].release in (
            before,
            deployed.running.servers.serving("order"),
        )
        assert deployed.call("order").code == 0
        deployed.expect("order", 5)
    finally:
        deployed.definitions("order", 1)
        assert deployed.call("order").code == 0
    assert deployed.expect("order", 1) == before


def test_a_domain_that_is_read_is_not_withdrawn(deployed: Deployed) -> None:
    failed(deployed.call("order", "--withdraw"), "sales/sums reads order/lines")
    deployed.expect("order", 1)
    called = deployed.call("sales", "--withdraw")
    assert called.code == 0
    try:
        assert "sales" not in deployed.registry.entries()
        wait_until(lambda: "sales" not in deployed.running.locations(), 60, "it is shown no more")
    finally:
        assert deployed.call("sales").code == 0
    deployed.expect("sales", 1)


def test_without_mesh_serve_nothing_is_changed_and_register_only_goes(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with dg.DagsterInstance.ephemeral() as instance:
        mesh = TinyMesh(LocalEnvironment(tmp_path / "mesh", home), instance)
        (mesh.root / "domains").mkdir(parents=True)
        mesh.central()
        project(mesh)
        clean = {n: v for n, v in os.environ.items() if not n.startswith(("MESH_", "DAGSTER_"))}
        variables = {**clean, "MESH_HOME": str(home), "MESH_ROOT": str(mesh.root)}
        start("deploy", "order", **variables).refused("mesh serve", code=2)
        start("deploy", "order", **variables, MESH_BRANCH="x").refused("not done in a branch")
        assert Releases(home).of("order") == ()
        failed(start("deploy", "nowhere", "--register-only", **variables), "nowhere", code=2)
        called = start("deploy", "order", "--register-only", **variables)
        assert called.code == 0, called
        assert mesh.environment.registry.entries().keys() == {"order"}
        listed = start("registry", "list", "--json", **variables).json
        assert [one["product"] for one in listed] == ["order/lines"]


def test_a_release_runs_in_an_environment_made_from_its_lock(tmp_path: Path) -> None:
    """The project's own lock, installed as it is: minutes where nothing of it is in a cache."""
    home = tmp_path / "home"
    with dg.DagsterInstance.ephemeral() as instance:
        mesh = TinyMesh(LocalEnvironment(tmp_path / "mesh", home), instance)
        (mesh.root / "domains").mkdir(parents=True)
        project(mesh)
        text = (Path(__file__).parents[2] / "requirements.lock").read_text()
        lock = write_lock(mesh, text)
        environments = Releases(home).environments
        made = environments.folder / environments.digest(lock)
        made.unlink()  # that of the tests is not what is wanted here
        digest = environments.make(lock, tmp_path / "wheels")
        python = environments.python(digest)
        code = "import polars, shared_resources.environment as e; print(polars.__version__, e.__file__)"
        done = subprocess.run(
            [python, "-I", "-c", code], capture_output=True, text=True, check=True
        )
        assert str(made) in done.stdout
        assert environments.make(lock, tmp_path / "wheels") == digest
