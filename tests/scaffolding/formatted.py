"""Whether generated code is as the linter and the formatter of this repository leave it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

SETTINGS = Path(__file__).resolve().parents[2] / "pyproject.toml"


def as_formatted(files: Iterable[Path]) -> None:
    """Imports are left out: which are the mesh's own depends on the folder that a file lies in."""
    named = [str(file) for file in files]
    for words in (["format", "--check"], ["check", "--ignore", "I001"]):
        command = [sys.executable, "-m", "ruff", *words, "--config", str(SETTINGS), *named]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stdout + told.stderr
