"""The virtual environments that releases run in: one for each lock and platform, made once.

Belongs here: building one from a lock with hashes, and finding it again.
Does not belong here: the lock (`contents.py`), the platform's wheel (`repositories/`).

An environment is called by the digest of what it was made from, so that releases with the same lock
share one and nobody can change another's. It is made apart and put in its place by one rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

from shared_resources.problems import MeshProblem
from shared_resources.releasing.apart import GOING, apart
from shared_resources.repositories.platform_wheel import PLATFORM, running_version, running_wheel

_PLATFORM_PIN = re.compile(rf"(?m)^{PLATFORM}(\[[^\]]*\])?\s*(@|==)")
_LONGEST_MESSAGE = 2_000


class EnvironmentNotBuilt(MeshProblem):
    """A lock cannot be installed; the message is what the installer says."""


@dataclass(frozen=True)
class Environments:
    """Those below `folder`."""

    folder: Path

    def digest(self, lock: Path) -> str:
        """What the environment of this lock is called, here and now."""
        text = lock.read_bytes()
        said = [sys.version, platform.machine(), hashlib.sha256(text).hexdigest()]
        if not pins_platform(text.decode("utf-8")):
            said.append(running_version())
        return hashlib.sha256("\n".join(said).encode()).hexdigest()

    def python(self, digest: str) -> Path:
        return self.folder / digest / "bin" / "python"

    def places(self, digest: str) -> list[str]:
        """Where what is imported in it is found: its interpreter's `sys.path`."""
        code = "import json, sys; print(json.dumps(sys.path))"
        done = subprocess.run(
            [str(self.python(digest)), "-c", code], capture_output=True, text=True, check=True
        )
        return [str(one) for one in json.loads(done.stdout)]

    def make(self, lock: Path, wheels: Path) -> str:
        """The digest of the lock's environment, which is there afterwards.

        `wheels` is a folder in which distributions of no index lie. A lock that does not pin the
        platform gets the one that runs here. Raises `EnvironmentNotBuilt`.
        """
        digest = self.digest(lock)
        if self.python(digest).exists():
            return digest
        with apart(self.folder) as made:
            self._build(lock, wheels, made)
            try:
                made.rename(self.folder / digest)
            except OSError:
                if not self.python(digest).exists():  # else another process made the same
                    raise
        return digest

    def forget(self, used: Collection[str]) -> None:
        """Remove all environments but these."""
        for place in self.folder.iterdir():
            if place.name not in used and not place.name.startswith("."):
                # Half of one that a kill leaves must not be taken for a whole one.
                going = place.rename(self.folder / f"{GOING}{place.name}")
                shutil.rmtree(going, ignore_errors=True)

    def _build(self, lock: Path, wheels: Path, into: Path) -> None:
        self._uv("venv", "--quiet", "--relocatable", "--python", sys.executable, str(into))
        python = ["--python", str(into / "bin" / "python"), "--quiet"]
        found = ["--find-links", str(wheels)] if wheels.is_dir() else []
        self._uv(
            "pip", "install", *python, *found, "--require-hashes", "--no-deps", "-r", str(lock)
        )
        if not pins_platform(lock.read_text("utf-8")):
            with TemporaryDirectory(prefix="mesh-platform-") as name:
                wheel = running_wheel(Path(name)).file
                self._uv("pip", "install", *python, "--no-deps", str(wheel))

    def _uv(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(self._command), *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "UV_NO_PROGRESS": "1"},
        )
        if done.returncode != 0:
            said = done.stderr.strip()[-_LONGEST_MESSAGE:]
            raise EnvironmentNotBuilt(
                f"the environment cannot be made (`uv {' '.join(arguments[:2])}`):\n{said}"
            )

    @cached_property
    def _command(self) -> str:
        try:
            from uv import find_uv_bin
        except ImportError as problem:
            raise EnvironmentNotBuilt(
                "uv, which builds a release's environment, is not installed; run "
                f"`pip install '{PLATFORM}[deploy]'`"
            ) from problem
        return str(find_uv_bin())


def pins_platform(lock: str) -> bool:
    """Whether the lock says which platform, so that the one that runs here does not matter."""
    return _PLATFORM_PIN.search(lock) is not None
