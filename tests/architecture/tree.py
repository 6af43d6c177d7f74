"""The repository as the architecture tests see it.

Belongs here: which files there are, and their syntax.
Does not belong here: what they must be like.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared_resources", "domains")


def modules(*packages: str) -> list[Path]:
    """The Python files of the packages, as paths below the root, sorted."""
    return sorted(
        file.relative_to(ROOT)
        for package in packages or PACKAGES
        for file in (ROOT / package).rglob("*.py")
    )


def dotted(module: Path) -> str:
    """The name under which a module is imported."""
    parts = module.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def syntax(module: Path) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"), filename=str(module))


def imported(module: Path) -> set[str]:
    """The absolute names that a module imports, anywhere in it: `from a import b` gives `a.b`."""
    names: set[str] = set()
    for node in ast.walk(syntax(module)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def tracked_files() -> list[Path]:
    """The files that git tracks; skips the test where there is no repository to ask."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    names = [Path(name) for name in listed.stdout.split("\0") if name]
    return [name for name in names if (ROOT / name).is_file()]
