"""The README's own example, run as it stands there, in a copy of the project.

Belongs here: what the README tells a newcomer to type.
Does not belong here: whether the promises hold (`guarantees/`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert found, f"the README has no example {name!r} any more"
    return found[1]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("domains", "dbt_project"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    shutil.copy(ROOT / "workspace.yaml", tmp_path)
    returns = tmp_path / "domains" / "order" / "products" / "returns"
    returns.mkdir()
    (returns / "contract.odcs.yaml").write_text(_example("contract"))
    return tmp_path


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


def test_the_first_product_of_the_readme_is_audited_run_and_read(clone: Path) -> None:
    assert "2 rows of order/returns: would be published" in _shell(clone, _example("audit"))
    assert "2 of 2 rows, version 1 in the lake" in _shell(clone, _example("run"))


def test_the_function_of_the_readme_makes_a_product(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refunds = clone / "domains" / "order" / "products" / "refunds"
    refunds.mkdir()
    contract = _example("contract").replace("returns", "refunds")
    head, _, tail = contract.partition("      - name: return_id")
    reason = tail[tail.index("      - name: reason") : tail.index("customProperties:")]
    (refunds / "contract.odcs.yaml").write_text(head + reason)
    (refunds / "product.py").write_text('"""Refunds."""\n\n' + _example("code"))
    _shell(clone, _example("audit") + _example("run"))
    _shell(clone, "mesh run order/refunds")
    assert "damaged" in _shell(clone, "mesh read order/refunds")


def test_every_path_that_the_readme_links_to_is_there() -> None:
    linked = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    missing = [path for path in linked if not (ROOT / path).exists()]
    assert linked and not missing, missing


def test_every_make_target_that_the_readme_names_is_there() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)`|^make ([a-z]+) ", README, re.MULTILINE))
    assert named
    assert {one or other for one, other in named} <= targets


def test_every_mesh_command_that_the_readme_names_is_there() -> None:
    from shared_resources.cli.main import mesh

    named = set(re.findall(r"mesh ([a-z]+)", README)) - {"on"}
    known = set(mesh.list_commands(None))  # type: ignore[arg-type]
    assert named & known
    assert not set(re.findall(r"`mesh ([a-z]+)", README)) - known
