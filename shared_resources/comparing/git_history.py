"""The base of a change in git: which commit it is, what has changed since, the files as they were.

Belongs here: asking git, and saying in words what it cannot answer.
Does not belong here: what a changed file means for the mesh (`reviewing/touched.py`).
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared_resources.problems import MeshProblem

# What of the project says what the mesh is.
_MESH_FILES = ("domains", "dbt_project", "workspace.yaml")
# How many earlier states of a file are looked at: each costs a call of git.
_LOOKED_AT = 100
# Said in English, without a lock that another git would wait for, without fetching large files.
_QUIETLY = {"LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_LFS_SKIP_SMUDGE": "1"}


class NoBase(MeshProblem):
    """The base of the change cannot be had from git; the message says why and what to do."""

    exit_code = 2


@dataclass(frozen=True)
class Repository:
    """The repository at `top` that holds the project at `root`."""

    root: Path
    top: Path

    def base(self, ref: str) -> str:
        """The commit that `ref` and HEAD have in common, from which the change began. Raises `NoBase`."""
        for name in (ref, "HEAD"):
            if name.startswith("-") or not self._commit(name):
                fetch = f"`git fetch origin {ref.removeprefix('origin/')}`"
                remedy = f"fetch it, for example by {fetch}" if name == ref else "commit something"
                raise NoBase(f"there is no commit {name!r} in {self.top}: {remedy}")
        found = _git(self.root, "merge-base", self._commit(ref), "HEAD")
        if found.returncode or not found.stdout.strip():
            shallow = (
                _git(self.root, "rev-parse", "--is-shallow-repository").stdout.strip() == b"true"
            )
            remedy = (
                "the clone is shallow: `git fetch --unshallow`, or in CI check out the whole history "
                "(GitHub: `fetch-depth: 0`; GitLab: `GIT_DEPTH: 0`)"
                if shallow
                else "name a commit that the change grew out of"
            )
            raise NoBase(f"{ref!r} and HEAD have no commit in common in {self.top}: {remedy}")
        return found.stdout.decode().strip()

    def changed_since(self, commit: str) -> tuple[str, ...]:
        """What differs now from that commit, as paths below the root, files that git does not know
        yet among them."""
        differs = ("diff", "--name-only", "--no-renames", "--relative", "-z", commit, "--", ".")
        unknown = ("ls-files", "--others", "--exclude-standard", "-z", "--", ".")
        said = b"".join(self._asked(*question) for question in (differs, unknown))
        return tuple(sorted({os.fsdecode(name) for name in said.split(b"\0") if name}))

    def earlier(self, file: Path) -> Iterator[bytes]:
        """What stood in a file of the project at each commit that changed it, the latest first."""
        name = file.relative_to(self.root).as_posix()
        # Merges, too: what they made of both sides stood in neither. And what a side had that lost.
        changed = self._asked("log", f"-{_LOOKED_AT}", "--full-history", "--format=%H", "--", name)
        for commit in changed.decode().split():
            found = _git(self.root, "cat-file", "blob", f"{commit}:./{name}")
            if found.returncode == 0:  # else it was deleted there
                yield found.stdout

    @contextmanager
    def files_at(self, commit: str) -> Iterator[Path]:
        """The project's root with what says what the mesh was at that commit, until the block ends.

        Written by git through an index of its own: the checkout and its index stay as they are.
        """
        with tempfile.TemporaryDirectory(prefix="mesh-base-") as made:
            folder = Path(made).resolve()
            index = {"GIT_INDEX_FILE": str(folder / "index")}
            self._asked("read-tree", commit, variables=index)
            names = self._asked("ls-files", "-z", "--", *_MESH_FILES, variables=index)
            tree = folder / "tree"
            tree.mkdir()
            written = ("checkout-index", "-z", "--stdin", f"--prefix={tree}/")
            self._asked(*written, given=names, variables=index)
            yield tree / self.root.relative_to(self.top)

    def _commit(self, ref: str) -> str:
        found = _git(self.root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
        return found.stdout.decode().strip() if found.returncode == 0 else ""

    def _asked(
        self, *words: str, given: bytes = b"", variables: Mapping[str, str] | None = None
    ) -> bytes:
        done = _git(self.root, *words, given=given, variables=variables)
        if done.returncode:
            said = os.fsdecode(done.stderr).strip() or f"it ended with {done.returncode}"
            raise NoBase(f"`git {words[0]}` in {self.root}: {said}")
        return done.stdout


def repository(root: Path) -> Repository:
    """The repository that the project is in. Raises `NoBase`, with what git says."""
    found = _git(root, "rev-parse", "--show-toplevel")
    if found.returncode:
        said = os.fsdecode(found.stderr).strip()
        raise NoBase(f"{root} is in no repository that git can read: {said}")
    return Repository(root, Path(os.fsdecode(found.stdout).removesuffix("\n")).resolve())


def top_of(root: Path) -> Path:
    """The repository's folder; the project's own where it is in none."""
    try:
        return repository(root).top
    except NoBase:
        return root


def _git(
    folder: Path, *words: str, given: bytes = b"", variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            ["git", *words],
            cwd=folder,
            env={**os.environ, **_QUIETLY, **(variables or {})},
            input=given,
            capture_output=True,
        )
    except FileNotFoundError:
        raise NoBase("git is not on the PATH: install it, or compare with nothing") from None
