"""A new domain is there whole and sound, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from shared_resources.findings import Finding
from shared_resources.governance.catalogue import check_domain
from shared_resources.mesh import read_mesh
from shared_resources.mesh.locations import location_findings
from shared_resources.scaffolding import new_domain as module
from shared_resources.scaffolding.new_domain import make_domain
from shared_resources.scaffolding.new_files import NotMade
from tests.mesh_files import write_central, write_product
from tests.scaffolding.domains import finance

WORKSPACE = """\
# One code location a domain.
load_from:
  - python_module:
      module_name: domains.order.definitions  # the first
      location_name: order
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_product(tmp_path, "order/lines")
    write_central(tmp_path)
    (tmp_path / "workspace.yaml").write_text(WORKSPACE)
    return tmp_path


def everything(root: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in root.rglob("*") if file.is_file()}


def test_a_new_domain_has_nothing_that_the_mesh_finds_fault_with(root: Path) -> None:
    made = make_domain(root, finance(description="Münzen: 'gezählt' # und gewogen"))
    assert {file.relative_to(root).as_posix() for file in made} == {
        "domains/finance/domain.yaml",
        "domains/finance/definitions.py",
        "workspace.yaml",
    }
    mesh = read_mesh(root)
    assert mesh.findings == ()
    assert [*location_findings(mesh)] == []
    domain = mesh.domain("finance")
    assert check_domain(domain, mesh).findings == ()
    assert domain.description == "Münzen: 'gezählt' # und gewogen"
    assert (domain.owner, domain.contact) == ("finance@example.com", "#finance")


def test_what_people_wrote_into_the_workspace_stays(root: Path) -> None:
    make_domain(root, finance())
    assert (root / "workspace.yaml").read_text().startswith(WORKSPACE)


@pytest.mark.parametrize("text", [None, "", "load_from: []\n", "load_from:\n", WORKSPACE.rstrip()])
def test_the_location_is_added_to_whatever_workspace_there_is(root: Path, text: str | None) -> None:
    file = root / "workspace.yaml"
    file.unlink()
    if text is not None:
        file.write_text(text)
    before = (yaml.safe_load(text or "") or {}).get("load_from") or []
    make_domain(root, finance())
    wanted = {"module_name": "domains.finance.definitions", "location_name": "finance"}
    assert yaml.safe_load(file.read_text())["load_from"] == [*before, {"python_module": wanted}]


@pytest.mark.parametrize(
    "text",
    ["load_from: [{python_module: x}]\n", "load_from:\n  - x\nother: 1\n", "[1]", "a: [", "7"],
)
def test_a_workspace_that_cannot_be_added_to_stays_and_nothing_is_made(
    root: Path, text: str
) -> None:
    (root / "workspace.yaml").write_text(text)
    before = everything(root)
    with pytest.raises(NotMade, match=r"workspace\.yaml.*domains\.finance\.definitions"):
        make_domain(root, finance())
    assert everything(root) == before


@pytest.mark.parametrize(
    "name",
    ["", "Finance", "fin-ance", "../finance", "a/b", "class", "source_systems", "order", "1st"],
)
def test_a_name_that_cannot_be_a_domains_is_refused_and_nothing_is_made(
    root: Path, name: str
) -> None:
    before = everything(root)
    with pytest.raises(NotMade) as refused:
        make_domain(root, finance(name=name))
    assert refused.value.exit_code == 2
    assert everything(root) == before
    assert not list(root.rglob(".new-*"))


@pytest.mark.parametrize("field", ["owner", "contact", "description"])
def test_what_the_checks_find_is_said_and_undone(root: Path, field: str) -> None:
    before = everything(root)
    with pytest.raises(NotMade, match=rf"`mesh check` would find:\n.*domain\.yaml.*{field}"):
        make_domain(root, finance(**{field: ""}))
    assert everything(root) == before
    assert not (root / "domains" / "finance").exists()


def test_whatever_goes_wrong_meanwhile_is_undone(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = everything(root)

    def broken(*_: object) -> list[Finding]:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "location_findings", broken)
    with pytest.raises(KeyboardInterrupt):
        make_domain(root, finance())
    assert everything(root) == before
    monkeypatch.undo()
    make_domain(root, finance())


def test_its_files_are_for_everybody_in_the_checkout(root: Path) -> None:
    (root / "workspace.yaml").chmod(0o640)
    mask = os.umask(0o077)
    try:
        made = make_domain(root, finance())
    finally:
        os.umask(mask)
    modes = {file.name: file.stat().st_mode & 0o777 for file in made}
    assert modes == {"domain.yaml": 0o644, "definitions.py": 0o644, "workspace.yaml": 0o640}
    assert (root / "domains/finance").stat().st_mode & 0o777 == 0o755


def test_the_first_domain_of_an_empty_folder(tmp_path: Path) -> None:
    make_domain(tmp_path, finance())
    mesh = read_mesh(tmp_path)
    assert mesh.domain_names == ("finance",)
    assert [*location_findings(mesh)] == []
