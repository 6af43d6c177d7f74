"""Files with which CI reviews each change: for GitHub, GitLab and whatever runs a shell.

Belongs here: which file goes where.
Does not belong here: what they say (`workflows/`), what a review looks at (`reviewing/`).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from shared_resources.scaffolding.new_files import NotMade
from shared_resources.state.whole_file import write_whole

_TEXTS = Path(__file__).with_name("workflows")
_FILE, _PROGRAM = 0o644, 0o755
_INCLUDE = "gitlab_include.yaml"
_GITLAB = ".gitlab-ci.yml"


class Place(StrEnum):
    """Where CI runs."""

    GITHUB = "github"
    GITLAB = "gitlab"
    SHELL = "shell"


_FILES = {
    Place.GITHUB: ("github.yaml", ".github/workflows/mesh-review.yml", _FILE),
    Place.GITLAB: ("gitlab.yaml", ".gitlab/mesh-review.yml", _FILE),
    Place.SHELL: ("shell.sh", ".ci/mesh-review", _PROGRAM),
}


def make_workflow(root: Path, place: Place) -> tuple[Path, ...]:
    """Write the file; for GitLab also the one that includes it, where there is none.

    Raises `NotMade` where CI would not find it, or somebody's file is there.
    """
    if not (root / ".git").exists():
        raise NotMade(
            f"{root} is not the folder of a git repository, where CI looks for its files: "
            "`git init`, or set MESH_ROOT to it"
        )
    text, name, mode = _FILES[place]
    file = root / name
    if file.exists() or file.is_symlink():
        raise NotMade(f"{file} is there already; remove it to have it written anew")
    _write(file, text, mode)
    if place is not Place.GITLAB or (root / _GITLAB).exists():
        return (file,)
    _write(root / _GITLAB, _INCLUDE, _FILE)
    return file, root / _GITLAB


def _write(file: Path, text: str, mode: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, (_TEXTS / text).read_bytes(), mode)
