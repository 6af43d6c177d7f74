"""Dagster's own `dg` at a project's root: the real commands, each over all domains."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared_resources.mesh import ProductKind, read_mesh
from shared_resources.mesh.code.component_files import DOMAIN_COMPONENT, PRODUCT_COMPONENT
from tests.cli.commands import heeding_interrupts, processes_of
from tests.cli.test_dev import locations_of

REPOSITORY = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@dataclass
class Told:
    code: int
    out: str


@dataclass
class Project:
    """A project's root without a domain, and its state."""

    root: Path
    home: Path

    def __call__(self, program: str, *words: str) -> Told:
        done = subprocess.run(
            [str(BIN / program), *words],
            cwd=self.root,
            env=self.variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout, done.stdout
        return Told(done.returncode, done.stdout)

    @property
    def variables(self) -> dict[str, str]:
        return {
            **os.environ,
            "MESH_ROOT": str(self.root),
            "MESH_HOME": str(self.home),
            "DAGSTER_HOME": str(self.home / "dagster"),
            "HOME": str(self.home),
            "COLUMNS": "200",
        }

    def dg(self, *words: str) -> Told:
        return self("dg", *words)

    @property
    def files(self) -> set[str]:
        return {str(one.relative_to(self.root)) for one in (self.root / "domains").rglob("*.*")}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path / "shop", tmp_path / "home")
    (made.root / "domains").mkdir(parents=True)
    (made.root / "workspace.yaml").write_text("load_from: []\n")
    shutil.copy(REPOSITORY / "pyproject.toml", made.root)
    shutil.copytree(REPOSITORY / "dbt_project", made.root / "dbt_project")
    shutil.rmtree(made.root / "dbt_project" / "models")
    shutil.copytree(
        REPOSITORY / "dbt_project/models", made.root / "dbt_project/models", ignore=_sql
    )
    # As `make dev` has it: the mesh's own instance, which sends no usage statistics.
    assert made("python", "-m", "shared_resources.dagster_instance.instance").code == 0
    return made


def _sql(_: str, names: list[str]) -> list[str]:
    return [name for name in names if name.endswith(".sql")]


def test_from_an_empty_project_to_a_materialized_product(project: Project, tmp_path: Path) -> None:
    listed = json.loads(project.dg("list", "components", "--json").out)["items"]
    assert [one["key"] for one in listed] == [PRODUCT_COMPONENT, DOMAIN_COMPONENT]

    # The same files as `mesh new`, and `defs.yaml`, by which `dg` knows them.
    told = project.dg("scaffold", "defs", DOMAIN_COMPONENT, "order", "--owner", "o@example.com")
    assert told.code == 0 and "wrote domains/order/domain.yaml" in told.out
    extract = tmp_path / "returns.csv"
    extract.write_text("Return No,Reason\n1,broken\n2,late\n")
    scaffold = ("scaffold", "defs", PRODUCT_COMPONENT)
    told = project.dg(*scaffold, "order/products/returns", "--from", str(extract))
    assert told.code == 0, told.out
    told = project.dg(*scaffold, "order/products/broken", "--reads", "order/returns")
    assert told.code == 0, told.out
    with_dg = project.files
    assert {
        "domains/order/defs.yaml",
        "domains/order/products/broken/defs.yaml",
        "domains/order/products/broken/product.py",
        "domains/order/products/returns/defs.yaml",
        "domains/order/products/returns/contract.odcs.yaml",
    } <= with_dg
    kinds = {one.key: one.kind for one in read_mesh(project.root).products}
    assert kinds == {"order/broken": ProductKind.FUNCTION, "order/returns": ProductKind.INGEST}

    assert project.dg("check", "yaml").code == 0
    told = project.dg("check", "defs")
    assert told.code == 0 and "All definitions loaded successfully" in told.out
    listed = json.loads(project.dg("list", "defs", "--json").out)
    assert {one["asset_key"] for one in listed["assets"]} == {"order/broken", "order/returns"}

    landing = project.home / "landing" / "order" / "returns"
    landing.mkdir(parents=True)
    shutil.copy(extract, landing)
    told = project.dg("launch", "--assets", "key:order/returns+")
    assert told.code == 0, told.out
    told = project("mesh", "read", "order/broken")
    assert told.code == 0 and "broken" in told.out


def test_what_cannot_be_scaffolded_is_said_and_leaves_nothing(project: Project) -> None:
    before = project.files
    scaffold = ("scaffold", "defs", PRODUCT_COMPONENT)
    told = project.dg(*scaffold, "order/products/returns")
    assert told.code == 1 and "there is no domain 'order'" in told.out
    told = project.dg(*scaffold, "order/returns")
    assert told.code == 2 and "order/products/returns`" in told.out
    told = project.dg("scaffold", "defs", DOMAIN_COMPONENT, "Order", "--owner", "o@example.com")
    assert told.code == 1 and "snake_case" in told.out
    assert project.files == before


def test_dg_checks_what_people_wrote_into_defs_yaml_and_contracts(project: Project) -> None:
    project.dg("scaffold", "defs", DOMAIN_COMPONENT, "order", "--owner", "o@example.com")
    file = project.root / "domains/order/defs.yaml"
    said = file.read_text()
    file.write_text("type: shared_resources.components.Domain\nattributes:\n  owner: me\n")
    told = project.dg("check", "yaml")
    assert told.code == 1 and "owner" in told.out
    file.write_text(said)
    project("mesh", "new", "product", "order/returns")
    contract = project.root / "domains/order/products/returns/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("classification: internal", "", 1))
    told = project.dg("check", "defs")
    assert told.code == 1 and "`mesh check` finds in" in told.out


def test_dg_dev_shows_all_domains_as_one_location(project: Project) -> None:
    for domain in ("order", "sales"):
        project("mesh", "new", "domain", domain, "--owner", "o@example.com", "--yes")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with (project.home / "dev.log").open("wb") as log, heeding_interrupts():
        running = subprocess.Popen(
            [str(BIN / "dg"), "dev", "--port", str(port)],
            cwd=project.root,
            env=project.variables,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        assert locations_of(port, running, within=240) == [("mesh", "LOADED")]
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(120)
    assert processes_of(project.home) == []
