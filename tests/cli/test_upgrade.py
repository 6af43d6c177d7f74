"""`mesh upgrade`: where it is refused, and that it changes nothing then."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.repositories.git import commit_all, git
from shared_resources.repositories.outcome import Outcome, keep
from shared_resources.repositories.platform_wheel import running_version
from shared_resources.repositories.rendering import ANSWERS_FILE, write_answers
from tests.cli.commands import call


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As one looks that pins the platform that runs here."""
    (tmp_path / "domains").mkdir()
    (tmp_path / "workspace.yaml").write_text("load_from: []\n")
    write_answers(tmp_path, {"name": "finance", "platform": running_version()})
    git(tmp_path, "init", "--quiet")
    commit_all(tmp_path, "begun", "team@example.com")
    monkeypatch.chdir(tmp_path / "domains")
    monkeypatch.delenv("MESH_ROOT", raising=False)
    return tmp_path


def test_outside_of_a_repository_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MESH_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    call("upgrade").refused(str(tmp_path), "MESH_ROOT")


def test_the_platform_that_is_pinned_already_changes_nothing(repository: Path) -> None:
    told = call("upgrade")
    assert told.code == 0 and "already" in told.out and running_version() in told.out
    assert git(repository, "status", "--porcelain") == ""


def test_changes_that_are_not_committed_are_not_mixed_with_it(repository: Path) -> None:
    (repository / "mine.txt").touch()
    call("upgrade").refused("not committed", "mine.txt", "git stash")


def test_what_was_not_begun_from_the_template_is_refused(repository: Path) -> None:
    (repository / ANSWERS_FILE).unlink()
    call("upgrade").refused(ANSWERS_FILE, "--repository")


@pytest.mark.parametrize("away", [ANSWERS_FILE, "workspace.yaml", "domains/finance.txt"])
def test_one_that_was_killed_while_git_wrote_is_finished(
    away: str, repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (repository / "domains" / "finance.txt").write_text("before\n")
    commit_all(repository, "a file", "team@example.com")
    after = tmp_path_factory.mktemp("after")
    names = (ANSWERS_FILE, "workspace.yaml", "domains/finance.txt")
    for name in names:
        (after / name).parent.mkdir(exist_ok=True)
        (after / name).write_text((repository / name).read_text() + "# after\n")
    keep(repository, after, names, Outcome("2"))
    (repository / away).unlink()
    told = call("upgrade")
    assert told.code == 0 and "has 2 now" in told.out
    for name in names:
        assert (repository / name).read_bytes() == (after / name).read_bytes()
    assert call("upgrade").refused("not committed") is None


def test_a_pinned_wheel_that_is_nowhere_is_refused(repository: Path) -> None:
    write_answers(repository, {"name": "finance", "platform": "0.0.9"})
    commit_all(repository, "older", "team@example.com")
    call("upgrade").refused("0.0.9", "wheels/")
    assert git(repository, "status", "--porcelain") == ""


def test_a_wheel_that_is_none_is_refused(repository: Path, tmp_path: Path) -> None:
    call("upgrade", "--to", tmp_path / "workspace.yaml").refused("workspace.yaml", "no wheel")
