"""The tutorial, run as it stands there, in a copy of the project.

Belongs here: what the tutorial tells a newcomer to type.
Does not belong here: links and names on pages (`test_pages.py`), whether the promises hold
(`guarantees/`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.architecture.tree import ROOT

TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def _example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", TUTORIAL, re.DOTALL)
    assert found, f"the tutorial has no example {name!r} any more"
    return found[1]


COUNTED = """\
      - name: returns
        logicalType: integer
        description: How many came back for it.
        classification: internal
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A mesh of the order domain alone, empty: what the example adds would only take time."""
    domain = Path("domains") / "order"
    (tmp_path / domain / "products").mkdir(parents=True)
    module = {"module_name": "domains.order.definitions", "location_name": "order"}
    workspace = {"load_from": [{"python_module": module}]}
    (tmp_path / "workspace.yaml").write_text(yaml.safe_dump(workspace))
    for name in ("domains/__init__.py", "domains/governance.yaml"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / domain / "definitions.py", tmp_path / domain / "definitions.py")
    written = yaml.safe_load((ROOT / domain / "domain.yaml").read_text())
    # Its waivers are of products that are not there.
    (tmp_path / domain / "domain.yaml").write_text(yaml.safe_dump({**written, "waivers": []}))
    (tmp_path / "dbt_project" / "models" / "order").mkdir(parents=True)
    shutil.copy(ROOT / "dbt_project" / "dbt_project.yml", tmp_path / "dbt_project")
    shutil.copytree(ROOT / "dbt_project" / "macros", tmp_path / "dbt_project" / "macros")
    _product(tmp_path, "returns", _example("contract"))
    return tmp_path


def _product(clone: Path, name: str, contract: str) -> Path:
    folder = clone / "domains" / "order" / "products" / name
    folder.mkdir()
    (folder / "contract.odcs.yaml").write_text(contract)
    return folder


def _derived(name: str, columns: str) -> str:
    """The tutorial's contract for a product that does not land and has other columns."""
    head, _, tail = (
        _example("contract").replace("returns", name).partition("      - name: return_id")
    )
    return head + columns.format(tail=tail[tail.index("      - name: reason") :])


def _shell(clone: Path, script: str) -> str:
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("MESH_HOME", "DAGSTER_HOME")
    }
    environment["MESH_ROOT"] = str(clone)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=clone,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.begins_early
def test_the_tutorial_makes_a_product_of_a_file_of_a_function_and_of_a_model(clone: Path) -> None:
    """In one mesh: each `mesh run` costs seconds, whatever it makes."""
    assert "2 rows of order/returns: would be published" in _shell(clone, _example("audit"))
    assert "2 of 2 rows, version 1 in the lake" in _shell(clone, _example("run"))

    refunds = _product(
        clone, "refunds", _derived("refunds", "{tail}").partition("customProperties")[0]
    )
    (refunds / "product.py").write_text('"""Refunds."""\n\n' + _example("code"))
    reasons = _derived("return_reasons", COUNTED + "{tail}").partition("      - name: refund")[0]
    reasons = reasons.replace("id: order-return_reasons", "id: order-return-reasons")
    _product(clone, "return_reasons", reasons)
    model = clone / "dbt_project" / "models" / "order" / "return_reasons.sql"
    model.write_text(_example("model"))
    assert "2 of 2 rows, version 1 in the lake" in _shell(clone, _example("both"))
    assert "damaged" in _shell(clone, "mesh read order/refunds")
