"""CONTRIBUTING: its examples work, and the places that it names are all there are.

Belongs here: what it tells a contributor to write.
Does not belong here: links and names on pages (`test_pages.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from shared_resources.contracts.file_formats import OWN, all_formats
from shared_resources.governance import policies
from shared_resources.governance.catalogue import all_policies, check_domain
from shared_resources.landing.formats.format_reader import FormatReader, reader_of
from shared_resources.reference.pages.policies import policies_page
from tests.architecture.tree import ROOT
from tests.governance.policies.meshes import column, domain, mesh, with_contract
from tests.stores.places import STORES

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
POLICY, CODE = re.findall(
    r"<!-- example: policy (\w+) -->\n```python\n(.*?)```", CONTRIBUTING, re.DOTALL
)[0]


def places(of: str) -> list[Path]:
    """The files and folders that a table names as where something goes."""
    found = re.search(rf"<!-- places: {of} -->\n(.*?)<!-- end -->", CONTRIBUTING, re.DOTALL)
    assert found
    return [ROOT / path for path in re.findall(r"^\|.*?\]\((.*?)\)", found[1], re.MULTILINE)]


def code_of(place: Path) -> str:
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@pytest.fixture
def _added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / f"{POLICY}.py").write_text(CODE)
    monkeypatch.setattr(policies, "__path__", [*policies.__path__, str(tmp_path)])
    all_policies.cache_clear()
    yield
    monkeypatch.undo()
    all_policies.cache_clear()


@pytest.mark.usefixtures("_added")
def test_the_example_of_a_policy_holds_in_a_domain_that_never_heard_of_it() -> None:
    clear = domain("order", with_contract(columns=(column(name="amount"),)))
    assert check_domain(clear, mesh(clear)).findings == ()
    unclear = domain("order", with_contract(columns=(replace(column(), name="amt"),)))
    (finding,) = check_domain(unclear, mesh(unclear)).findings
    assert (finding.rule, finding.remedy) == (POLICY, "call it 'amount'")
    assert f"| `{POLICY}` | Columns are called by words. | files | yes |" in policies_page()


@pytest.mark.parametrize("name", [one.name for one in OWN])
def test_a_file_format_has_a_module_of_its_name_whose_reader_is_found(name: str) -> None:
    modules = {file.stem for file in (ROOT / "shared_resources/landing/formats").iterdir()}
    assert name in modules  # a large one is a folder
    assert isinstance(reader_of(all_formats()[name]), FormatReader)


def test_a_kind_of_rule_stands_in_each_place_that_is_named_for_one() -> None:
    for place in places("rule"):
        assert re.search("multiple_?of", code_of(place), re.IGNORECASE), place


def test_each_store_stands_in_the_wiring_and_under_the_conformance_suite() -> None:
    wired = code_of(ROOT / "shared_resources" / "wiring")
    assert len(STORES) == 4
    for made in ("LakeStore(", "WarehouseStore(", "s3_lake(", "SnowflakeStore("):
        assert made in wired and made in code_of(places("store")[-1])


def test_pre_commit_runs_what_is_installed_and_downloads_nothing() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    for repository in config["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            assert hook["entry"].startswith(".venv/bin/")
    lint = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint
    entries = [hook["entry"] for hook in config["repos"][0]["hooks"]]
    for command in re.findall(r"\$\(BIN\)/(\w+)", lint[1]):
        assert any(f".venv/bin/{command}" in entry for entry in entries), command
