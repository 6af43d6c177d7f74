"""The lock of a repository: every distribution that its domain runs with, pinned with its hashes.

Belongs here: making it, with the platform's wheel found in the repository's own folder.
Does not belong here: installing what it names (the Makefile of the template).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from shared_resources.problems import MeshProblem

LOCK_FILE = "requirements.lock"
WHEELS = "wheels"

# The template's Makefile has the same, for `make lock`.
_COMPILE = (
    *("pip", "compile", "--quiet", "--all-extras", "--universal", "--python-version", "3.11"),
    *("--generate-hashes", "--no-strip-extras", "--no-header"),
    *("--output-file", LOCK_FILE, "pyproject.toml"),
)


class NotLocked(MeshProblem):
    """The lock could not be made; the message is the resolver's."""


def make_lock(repository: Path) -> None:
    """Write `requirements.lock` of what `pyproject.toml` asks for. What an old lock there pins stays,
    unless something else is asked for now."""
    links = ("--find-links", WHEELS) if (repository / WHEELS).is_dir() else ()
    done = subprocess.run(
        [*_uv(), *_COMPILE, *links], cwd=repository, capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = done.stderr.strip() or "the resolver said nothing"
        raise NotLocked(f"{LOCK_FILE} cannot be made of pyproject.toml:\n{said}")


def _uv() -> tuple[str, ...]:
    if find_spec("uv") is not None:
        return (sys.executable, "-m", "uv")
    if (program := shutil.which("uv")) is not None:
        return (program,)
    raise NotLocked("uv makes the lock and is not installed: install dagster-data-mesh[deploy]")
