"""Where the project is: said, the checkout that runs, or the nearest above; and what is importable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shared_resources.environment import PROJECT_ROOT, EnvironmentProblem
from shared_resources.wiring.root import find_root, is_root, root_above


def project(folder: Path) -> Path:
    (folder / "domains" / "order").mkdir(parents=True)
    (folder / "workspace.yaml").write_text("load_from: []\n")
    return folder


def test_what_is_said_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project(tmp_path / "here"))
    assert find_root({"MESH_ROOT": str(tmp_path / "said")}, tmp_path) == tmp_path / "said"


def test_a_checkout_is_its_own_project_wherever_it_is_called_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project(tmp_path / "here"))
    assert is_root(PROJECT_ROOT)
    assert find_root({}) == PROJECT_ROOT


def test_an_installed_platform_takes_the_nearest_project_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outer = project(tmp_path)
    inner = project(tmp_path / "teams" / "order")
    installed = tmp_path / "site-packages"
    for folder, root in ((inner / "domains" / "order", inner), (tmp_path / "teams", outer)):
        monkeypatch.chdir(folder)
        assert find_root({"MESH_ROOT": ""}, installed) == root


@pytest.mark.parametrize("there", ["domains", "workspace.yaml", "neither"])
def test_half_a_project_is_none(
    there: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there == "domains":
        (tmp_path / there).mkdir()
    elif there == "workspace.yaml":
        (tmp_path / there).touch()
    assert root_above(tmp_path) is None
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EnvironmentProblem) as raised:
        find_root({}, tmp_path / "site-packages")
    assert raised.value.exit_code == 2
    assert str(tmp_path) in str(raised.value) and "MESH_ROOT" in str(raised.value)


def test_what_stands_in_the_project_is_importable_from_anywhere(tmp_path: Path) -> None:
    """As a package without a file of its own, behind whatever is installed."""
    root = project(tmp_path / "project")
    (root / "domains" / "order" / "words.py").write_text("WORD = 'hello'\n")
    (root / "yaml.py").write_text("raise AssertionError('it hides what is installed')\n")
    script = (
        "import sys\nfrom shared_resources.wiring import current\ncurrent(); current()\n"
        f"assert sys.path.count({str(root)!r}) == 1\n"
        "from domains.order.words import WORD\nimport yaml\nprint(WORD)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"MESH_ROOT": str(root), "PATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "hello"), done.stderr
