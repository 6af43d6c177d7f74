"""A domain's own tests, run on a release before it goes into service.

Belongs here: finding them, running them where the release runs, on a mesh of their own.
Does not belong here: what domain teams test with (`testing/`).
"""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from shared_resources.problems import MeshProblem
from shared_resources.releasing.releases import Release

LONGEST_SECONDS = 1_800
_LINES = 40


class TestsFailed(MeshProblem):
    """The domain's tests do not pass on the release; the message ends with what they said."""


@dataclass(frozen=True)
class Tested:
    """`files` are those with tests. `why_not` says why they were not run, else it is empty."""

    files: int
    why_not: str = ""


def run_tests(release: Release, python: Path) -> Tested:
    """Run the release's tests with its own interpreter. Raises `TestsFailed`."""
    folder = Path("domains") / release.domain
    files = [name for name in release.files if Path(name).match("test_*.py")]
    if not files:
        return Tested(0)
    if _run([str(python), "-c", "import pytest"], release.root).returncode != 0:
        return Tested(len(files), "its lock has no pytest")
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    with TemporaryDirectory(prefix="mesh-tests-") as home:
        try:
            done = _run(command, release.root, MESH_HOME=home, MESH_ROOT=str(release.root))
        except subprocess.TimeoutExpired:
            raise TestsFailed(
                f"the tests of {release.domain!r} did not end within {LONGEST_SECONDS // 60} minutes"
            ) from None
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-_LINES:])
        raise TestsFailed(f"the tests of {release.domain!r} fail on the release:\n{said}")
    return Tested(len(files))


def _run(command: list[str], root: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    # What tests write goes into a folder of theirs, whatever environment it is deployed to.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MESH_")}
    return subprocess.run(
        command,
        cwd=root,
        env={**kept, "PYTHONDONTWRITEBYTECODE": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_SECONDS,
    )
