"""What a repository is asked and told: git, called as a program.

Belongs here: running it, and its refusals as messages.
Does not belong here: what is committed (`begin.py`, `upgrade.py`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from shared_resources.problems import MeshProblem

# Hooks are the team's, for their own commits; a signature asks its author for a password.
_QUIET = ("-c", f"core.hooksPath={os.devnull}", "-c", "commit.gpgsign=false")
_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY")


class GitRefused(MeshProblem):
    """git is not there, or did not do what was asked; the message says what it said."""

    exit_code = 2


def git(folder: Path, *arguments: str, given: bytes | None = None, index: str = "") -> str:
    """What git prints, called in the folder, perhaps with an index of its own."""
    return git_bytes(folder, *arguments, given=given, index=index).decode("utf-8", "replace")


def git_bytes(folder: Path, *arguments: str, given: bytes | None = None, index: str = "") -> bytes:
    """The same, as it is."""
    program = shutil.which("git")
    if program is None:
        raise GitRefused("git is not installed, and a domain's repository needs it; install it")
    done = subprocess.run(
        [program, *_QUIET, *arguments],
        cwd=folder,
        env={**_own_variables(), **({"GIT_INDEX_FILE": index} if index else {})},
        input=given,
        umask=0o022,  # sources are for whoever works in the checkout, unlike the mesh's state
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise GitRefused(f"{folder}: git {arguments[0]}: {said or 'no reason given'}")
    return done.stdout


def commit_all(folder: Path, message: str, author: str) -> None:
    """Commit everything in the folder, in the name of whoever git knows, else of `author`."""
    git(folder, "add", "--all")
    known = email_here(folder)
    named = () if known else ("-c", f"user.name={author}", "-c", f"user.email={author}")
    git(folder, *named, "commit", "--quiet", "--allow-empty", "--message", message)


def email_here(folder: Path) -> str:
    """Who git takes a person for who works in the folder; empty when it knows nobody."""
    return git(folder, "config", "--default", "", "--get", "user.email").strip()


def _own_variables() -> Mapping[str, str]:
    """Without those by which a hook that called us would have its own repository meant."""
    return {name: value for name, value in os.environ.items() if name not in _REPOSITORY}
