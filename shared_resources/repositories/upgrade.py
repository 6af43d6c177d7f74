"""A repository upgraded: what changed in template and platform, merged into what a team made of them.

Belongs here: from which release to which, what is merged, and that it happens whole or not at all.
Does not belong here: the merge itself (`rendering.py`), writing its outcome (`outcome.py`).
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from shared_resources.repositories.git import git
from shared_resources.repositories.lock import LOCK_FILE, WHEELS, make_lock
from shared_resources.repositories.outcome import Outcome, finish, keep, unfinished
from shared_resources.repositories.platform_wheel import (
    PLATFORM,
    NoPlatform,
    PlatformWheel,
    open_wheel,
    running_version,
    running_wheel,
)
from shared_resources.repositories.rendering import (
    ANSWERS_FILE,
    NotRendered,
    merge,
    read_answers,
    render,
    write_answers,
)

_PROJECT = "pyproject.toml"


@dataclass(frozen=True)
class _Release:
    """A wheel, its template and what that says with the repository's answers."""

    wheel: PlatformWheel
    template: Path
    rendered: Path


@dataclass(frozen=True)
class _Merged:
    """`names` are those of the files that may have changed: as they are in the folder `files`, or gone.

    With marks in `pyproject.toml` no lock can be made: the old one stays, and the wheel that it names.
    """

    files: Path
    names: set[str]
    conflicts: tuple[str, ...]


def upgrade(repository: Path, to: Path | None) -> Outcome:
    """Bring the platform and the template of the wheel `to`, by default of the platform that runs.

    Raises `NotRendered`, `NoPlatform`, `NotLocked` or `GitRefused`, with the repository as it was. An
    upgrade that was killed while it wrote is finished instead.
    """
    # First: git may have been ended between taking a file away and writing it anew, the answers' too.
    if (repository / ".git").exists() and (outcome := unfinished(repository)) is not None:
        return finish(repository, outcome)
    answers = read_answers(repository)
    if Path(git(repository, "rev-parse", "--show-toplevel").strip()) != repository.resolve():
        raise NotRendered(f"{repository} is no git repository of its own; run `git init` there")
    if changed := git(repository, "status", "--porcelain").splitlines():
        raise NotRendered(
            f"{repository} has changes that are not committed ({changed[0].strip()}); commit them, or "
            "put them away with `git stash --include-untracked`, so that they and the upgrade stay apart"
        )
    with tempfile.TemporaryDirectory(prefix="mesh-upgrade-") as name:
        work = Path(name)
        before, after = work / "before", work / "after"
        for folder in (before, after):
            folder.mkdir()
        wanted = open_wheel(to.absolute()) if to is not None else running_wheel(after)
        if wanted.version == answers["platform"]:
            return Outcome(wanted.version)
        old = _release(_pinned(repository, answers["platform"], before), before, answers)
        new = _release(wanted, after, {**answers, "platform": wanted.version})
        merged = _merged(repository, work / "merged", (old, new), answers)
        outcome = Outcome(wanted.version, merged.conflicts)
        outcome = keep(repository, merged.files, merged.names, outcome)
    return finish(repository, outcome)


def _pinned(repository: Path, version: str, into: Path) -> PlatformWheel:
    """The wheel of the release that the repository pins."""
    file = repository / WHEELS / f"dagster_data_mesh-{version}-py3-none-any.whl"
    if file.is_file():
        return open_wheel(file)
    if running_version() == version:
        return running_wheel(into)
    raise NoPlatform(
        f"{ANSWERS_FILE} names {PLATFORM} {version}, whose wheel is not in {WHEELS}/ and which is not "
        "the platform that runs here: put its wheel there, or call `mesh` from the repository's .venv"
    )


def _release(wheel: PlatformWheel, folder: Path, answers: dict[str, str]) -> _Release:
    template, rendered = folder / "template", folder / "rendered"
    wheel.unpack_template(template)
    rendered.mkdir()
    render(template, rendered, answers)
    return _Release(wheel, template, rendered)


def _merged(
    repository: Path, into: Path, releases: tuple[_Release, _Release], answers: dict[str, str]
) -> _Merged:
    old, new = releases
    # Of what no template has, nothing is merged, and copier could not carry a binary file over.
    templated = into / "templated"
    templated.mkdir(parents=True)
    names = {*_files(old.rendered), *_files(new.rendered)}
    for name in names:
        if (repository / name).is_file():
            _copy(repository / name, templated / name)
    version = new.wheel.version
    conflicts = merge(templated, (old.template, new.template), answers, version)
    whole = into / "whole"
    for name in git(repository, "ls-files", "-z").split("\0"):
        # Whatever pyproject.toml may name; what is no file is another repository's.
        if name not in names and (repository / name).is_file():
            _copy(repository / name, whole / name)
    for name in _files(templated):
        _copy(templated / name, whole / name)
    write_answers(whole, {**answers, "platform": version})
    wheels = _wheels(whole)
    if wheels or (repository / WHEELS).is_dir():
        _copy(new.wheel.file, whole / WHEELS / new.wheel.file.name)
    if _PROJECT in conflicts:
        return _Merged(whole, {*names, ANSWERS_FILE, *_wheels(whole)}, conflicts)
    for name in wheels - {f"{WHEELS}/{new.wheel.file.name}"}:
        (whole / name).unlink()
    make_lock(whole)
    return _Merged(whole, {*names, ANSWERS_FILE, LOCK_FILE, *wheels, *_wheels(whole)}, conflicts)


def _wheels(folder: Path) -> set[str]:
    return {f"{WHEELS}/{one.name}" for one in (folder / WHEELS).glob("dagster_data_mesh-*.whl")}


def _files(folder: Path) -> list[str]:
    found = (one.relative_to(folder) for one in folder.rglob("*") if not one.is_dir())
    return [one.as_posix() for one in found if one.parts[0] != ".git"]


def _copy(file: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, place, follow_symlinks=False)
