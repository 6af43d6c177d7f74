"""The template rendered: by copier, which a repository is begun with and upgraded by.

Belongs here: all that knows copier: rendering, its merge, and what it keeps of a rendering.
Does not belong here: what the template says (`template/`), the rest of a repository.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import yaml

from shared_resources.problems import MeshProblem
from shared_resources.repositories.git import commit_all, git
from shared_resources.repositories.platform_wheel import PLATFORM

# Copier's own name and form: what was answered, and (with an underscore) what was rendered.
ANSWERS_FILE = ".copier-answers.yml"

_HEAD = "# What this repository was made of; `mesh upgrade` keeps it. No edits.\n"
_AUTHOR = "mesh@localhost"  # of commits in folders that are gone afterwards


class NotRendered(MeshProblem):
    """copier is not installed, or cannot use the template or the repository."""

    exit_code = 2


def render(template: Path, into: Path, answers: Mapping[str, str]) -> None:
    """Write what the template says with these answers into the folder."""
    _refuse_without_copier()
    from copier import run_copy
    from copier.errors import CopierError

    try:
        run_copy(str(template), into, dict(answers), defaults=True, quiet=True, overwrite=True)
    except CopierError as problem:
        raise NotRendered(f"the template cannot be rendered: {problem}") from problem


def write_answers(repository: Path, answers: Mapping[str, str]) -> None:
    """Keep the answers, and that they were rendered by the platform's version among them."""
    kept = {"_commit": answers["platform"], "_src_path": PLATFORM, **answers}
    text = _HEAD + yaml.safe_dump(kept, sort_keys=True, allow_unicode=True)
    (repository / ANSWERS_FILE).write_text(text, encoding="utf-8")


def read_answers(repository: Path) -> dict[str, str]:
    """The answers. Raises `NotRendered` for what is no repository of the template."""
    file = repository / ANSWERS_FILE
    if not file.is_file():
        raise NotRendered(
            f"{repository} has no {ANSWERS_FILE}: it was not begun by `mesh new domain NAME "
            "--repository PATH`, and nothing can be merged into it"
        )
    try:
        kept = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as problem:
        raise NotRendered(f"{file} is no valid YAML ({problem}); take it from git") from problem
    if not isinstance(kept, dict) or "platform" not in kept or "name" not in kept:
        raise NotRendered(f"{file} does not say name and platform; take it from git")
    return {str(key): str(value) for key, value in kept.items() if not str(key).startswith("_")}


def merge(
    repository: Path, templates: tuple[Path, Path], answers: Mapping[str, str], platform: str
) -> tuple[str, ...]:
    """Merge what has changed from the first template to the second into the folder's files.

    `answers` are those that the first was rendered with; `platform` is the version of the second.
    The folder becomes a git repository. Returns the files in which both sides changed the same lines.
    """
    _refuse_without_copier()
    from copier import run_update
    from copier.errors import CopierError

    versions = _as_versions(templates, repository.parent / "versions")
    kept = {**answers, "_src_path": str(versions), "_commit": "1.0.0"}
    (repository / ANSWERS_FILE).write_text(yaml.safe_dump(kept), encoding="utf-8")
    git(repository, "init", "--quiet")
    commit_all(repository, "as it is", _AUTHOR)
    try:
        run_update(
            repository,
            {"platform": platform},
            vcs_ref="2.0.0",
            defaults=True,
            overwrite=True,
            quiet=True,
            conflict="inline",
        )
    except CopierError as problem:
        raise NotRendered(f"the template cannot be merged: {problem}") from problem
    listed = git(repository, "diff", "--name-only", "-z", "--diff-filter=U")
    (repository / ANSWERS_FILE).unlink()
    return tuple(sorted(name for name in set(listed.split("\0")) if name))


def _as_versions(templates: tuple[Path, Path], into: Path) -> Path:
    """A repository with one version of the template behind the other: copier knows tags alone."""
    into.mkdir()
    git(into, "init", "--quiet")
    for template, tag in zip(templates, ("1.0.0", "2.0.0"), strict=True):
        git(into, "rm", "-r", "--quiet", "--ignore-unmatch", ".")
        for file in sorted(one for one in template.rglob("*") if one.is_file()):
            place = into / file.relative_to(template)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
        commit_all(into, tag, _AUTHOR)
        git(into, "tag", tag)
    return into


def _refuse_without_copier() -> None:
    if find_spec("copier") is None:
        raise NotRendered(
            "copier renders the template and is not installed: install dagster-data-mesh[teams]"
        )
