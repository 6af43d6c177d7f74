"""What breaks a rule of the files is found by `mesh check`, with file, line and remedy; nothing else is.

Stock Dagster reads none of these files: it loads what imports.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from shared_resources.cli.commands.check import check
from tests.guarantees.planted_violations import PLANTED, Planted

REPOSITORY = Path(__file__).resolve().parents[2]
WITHOUT = shutil.ignore_patterns("__pycache__", "target", "logs")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("planted") / "mesh"
    for name in ("domains", "dbt_project"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=WITHOUT)
    shutil.copy(REPOSITORY / "workspace.yaml", root)
    return root


@pytest.fixture(autouse=True)
def checked_there(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_ROOT", str(copy))
    monkeypatch.setenv("MESH_HOME", str(copy / ".mesh"))


def _findings(exit_code: int) -> list[dict[str, Any]]:
    result = CliRunner().invoke(check, ["--json"])
    assert result.exit_code == exit_code, result.output
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    return found


def test_nothing_is_found_in_the_example_as_it_is() -> None:
    assert _findings(0) == []


def test_at_least_forty_are_planted() -> None:
    assert len({planted.name for planted in PLANTED}) == len(PLANTED) >= 40


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_each_is_found_with_file_line_and_remedy(copy: Path, planted: Planted) -> None:
    file = copy / planted.file
    text = file.read_text()
    assert planted.old in text, "the example was changed: plant it elsewhere"
    try:
        file.write_text(text.replace(planted.old, planted.new, 1))
        lines = ["", *file.read_text().splitlines()]
        findings = _findings(1)
    finally:
        file.write_text(text)
    fitting = [
        found
        for found in findings
        if (copy / str(found["file"])) == copy / (planted.found_in or planted.file)
        and planted.says in f"{found['message']} {found['remedy']}"
        and found["line"] > 0
        and found["remedy"]
        and (planted.found_in or planted.line in lines[found["line"]])
    ]
    assert fitting, findings
