"""An upgrade's files are written all, whenever its process ends; what people edit is not lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.repositories.git import GitRefused, commit_all, git
from shared_resources.repositories.outcome import (
    ChangedMeanwhile,
    Outcome,
    begun_above,
    finish,
    keep,
    unfinished,
)

BEFORE = {"same.txt": "as it is\n", "changed.txt": "before\n", "gone.txt": "before\n"}
AFTER = {"changed.txt": "after\n", "new/one.txt": "after\n", "marked.txt": "<<<<<<<\n"}
NAMES = ("changed.txt", "gone.txt", "new/one.txt", "marked.txt", "never.txt")


def files(folder: Path) -> dict[str, str]:
    found = (one for one in folder.rglob("*") if one.is_file() and ".git" not in one.parts)
    return {one.relative_to(folder).as_posix(): one.read_text() for one in found}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    repository = tmp_path / "repository"
    for folder, texts in ((repository, BEFORE), (tmp_path / "wanted", AFTER)):
        for name, text in texts.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
    git(repository, "init", "--quiet")
    commit_all(repository, "begun", "team@example.com")
    return repository


def kept(repository: Path) -> Outcome:
    wanted = repository.parent / "wanted"
    return keep(repository, wanted, NAMES, Outcome("2", ("marked.txt",)))


def test_everything_is_written_and_staged_but_conflicts(repository: Path) -> None:
    finish(repository, kept(repository))
    assert files(repository) == {"same.txt": "as it is\n", **AFTER}
    status = git(repository, "status", "--porcelain").splitlines()
    assert status == ["M  changed.txt", "D  gone.txt", "A  new/one.txt", "?? marked.txt"]
    assert unfinished(repository) is None


@pytest.mark.parametrize("written", [(), ("changed.txt",), ("changed.txt", "new/one.txt")])
def test_one_that_was_killed_while_it_wrote_is_finished(
    written: tuple[str, ...], repository: Path
) -> None:
    outcome = kept(repository)
    for name in written:
        (repository / name).parent.mkdir(exist_ok=True)
        (repository / name).write_text(AFTER[name])
    (repository / ".git" / "index.lock").touch()
    assert unfinished(repository) == outcome
    finish(repository, outcome)
    assert files(repository) == {"same.txt": "as it is\n", **AFTER}


@pytest.mark.parametrize("name", ["changed.txt", "new/one.txt"])
@pytest.mark.parametrize("part", [None, b"", b"aft"])
def test_one_that_was_killed_while_git_wrote_a_file_is_finished(
    name: str, part: bytes | None, repository: Path
) -> None:
    """git takes the old file away, makes the new one, and writes it."""
    outcome = kept(repository)
    file = repository / name
    if part is None:
        file.unlink(missing_ok=True)
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(part)
    assert unfinished(repository) == outcome
    finish(repository, outcome)
    assert files(repository) == {"same.txt": "as it is\n", **AFTER}


def test_a_repository_is_found_of_which_half_is_away(repository: Path, tmp_path: Path) -> None:
    below = repository / "deep" / "er"
    below.mkdir(parents=True)
    assert begun_above(below) is None and begun_above(tmp_path) is None
    outcome = kept(repository)
    assert begun_above(below) == repository
    finish(repository, outcome)
    assert begun_above(below) is None


def test_what_somebody_wrote_meanwhile_is_not_overwritten(repository: Path) -> None:
    kept(repository)
    (repository / "changed.txt").write_text("mine\n")
    with pytest.raises(ChangedMeanwhile, match=r"changed\.txt") as raised:
        unfinished(repository)
    assert raised.value.exit_code == 2
    assert (repository / "changed.txt").read_text() == "mine\n"
    git(repository, "checkout", "--", "changed.txt")
    finish(repository, unfinished(repository) or Outcome("none"))
    assert files(repository) == {"same.txt": "as it is\n", **AFTER}


def test_who_has_committed_since_has_decided(repository: Path) -> None:
    kept(repository)
    (repository / "same.txt").write_text("another\n")
    commit_all(repository, "goes on", "team@example.com")
    assert unfinished(repository) is None
    assert unfinished(repository) is None
    assert files(repository) == {**BEFORE, "same.txt": "another\n"}


def test_what_git_refuses_is_a_message(tmp_path: Path) -> None:
    with pytest.raises(GitRefused, match="git rev-parse") as raised:
        git(tmp_path, "rev-parse", "HEAD")
    assert raised.value.exit_code == 2
