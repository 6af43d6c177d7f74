"""What an upgrade comes to, written into the repository: all of it, even if this process is killed.

Belongs here: keeping it in git before the first file is written, and finishing what was begun.
Does not belong here: working it out (`upgrade.py`).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path

from shared_resources.problems import MeshProblem
from shared_resources.repositories.git import git, git_bytes
from shared_resources.state.whole_file import write_whole

_BEGUN = "mesh-upgrade.json"  # in git's own folder


class ChangedMeanwhile(MeshProblem):
    """An upgrade was killed while it wrote, and somebody has edited its files since."""

    exit_code = 2


@dataclass(frozen=True)
class Outcome:
    """`conflicts` are the files in which both sides changed the same lines. No `tree`, no change.

    `head` is the commit that it was worked out for.
    """

    version: str
    conflicts: tuple[str, ...] = ()
    tree: str = ""
    head: str = ""

    @property
    def changed(self) -> bool:
        return bool(self.tree)


def keep(repository: Path, files: Path, names: Collection[str], outcome: Outcome) -> Outcome:
    """Put the files of these names, as they are in the folder `files`, into git's own store.

    One that is not there is to be removed. From then on they are to be written.
    """
    head = git(repository, "rev-parse", "HEAD").strip()
    with tempfile.TemporaryDirectory(prefix="mesh-index-") as folder:
        index = str(Path(folder) / "index")
        place = ("--git-dir", str(_git_folder(repository)), "--work-tree", str(files))
        git(files, *place, "read-tree", head, index=index)
        gone = [name for name in names if not (files / name).is_file()]
        there = [name for name in names if (files / name).is_file()]
        if gone:
            git(files, *place, "update-index", "--force-remove", "--", *gone, index=index)
        git(files, *place, "add", "--force", "--", *there, index=index)
        tree = git(files, *place, "write-tree", index=index).strip()
    kept = Outcome(outcome.version, outcome.conflicts, tree, head)
    write_whole(_git_folder(repository) / _BEGUN, json.dumps(asdict(kept)).encode())
    return kept


def begun_above(folder: Path) -> Path | None:
    """The repository of the folder, where an upgrade of it was killed while it wrote: what a project is
    known by may be missing then."""
    for one in (folder, *folder.parents):
        if (one / ".git").exists():
            return one if (_git_folder(one) / _BEGUN).is_file() else None
    return None


def unfinished(repository: Path) -> Outcome | None:
    """What an upgrade that was killed had begun to write; None when somebody has committed since.

    Raises `ChangedMeanwhile` for files that are neither as before nor as they are to be.
    """
    file = _git_folder(repository) / _BEGUN
    if not file.is_file():
        return None
    said = json.loads(file.read_bytes())
    kept = Outcome(said["version"], tuple(said["conflicts"]), said["tree"], said["head"])
    if git(repository, "rev-parse", "HEAD").strip() != kept.head:
        file.unlink()
        return None
    sides = (git(repository, "diff", "--name-only", "-z", one) for one in (kept.head, kept.tree))
    first, second = (set(listed.split("\0")) - {""} for listed in sides)
    if changed := sorted(n for n in first & second if not _half(repository, n, kept.tree)):
        raise ChangedMeanwhile(
            f"an upgrade of {repository} to {kept.version} was ended while it wrote, and these files "
            f"are neither as before it nor as after it: {', '.join(changed)}; keep elsewhere what you "
            "need of them, `git checkout -- FILE` each, and call `mesh upgrade` again"
        )
    (_git_folder(repository) / "index.lock").unlink(missing_ok=True)  # of the git that was killed
    return kept


def _half(repository: Path, name: str, tree: str) -> bool:
    """Whether git was ended while it wrote the file: it takes the old one away, then writes."""
    file = repository / name
    if not file.exists() and not file.is_symlink():
        return True
    wanted = git(repository, "ls-tree", "-z", "--name-only", tree, "--", name)
    if not wanted or not file.is_file() or file.is_symlink():
        return False
    whole = git_bytes(repository, "cat-file", "blob", f"{tree}:{name}")
    return whole.startswith(file.read_bytes())


def finish(repository: Path, outcome: Outcome) -> Outcome:
    """Write the kept files; where that was begun before, again. They are staged but for conflicts."""
    git(repository, "read-tree", "--reset", "-u", outcome.tree)
    if outcome.conflicts:
        git(repository, "reset", "--quiet", "--", *outcome.conflicts)
    (_git_folder(repository) / _BEGUN).unlink()
    return outcome


def _git_folder(repository: Path) -> Path:
    return Path(git(repository, "rev-parse", "--absolute-git-dir").strip())
