"""The picture of the house: the rooms from the top to the bottom, each with its first sentence.

Belongs here: the order of the layers, as import-linter is told of it, and the rooms' own words.
Does not belong here: why the rooms are cut so (`docs/architecture.md`).
"""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

from shared_resources.reference.pages.markdown import cell

PACKAGE = "shared_resources"


def rooms(root: Path) -> str:
    """One line a room: its path, and the first sentence of what it says about itself."""
    lines = []
    for layer in _layers(root):
        for name in layer.replace(":", "|").split("|"):
            place = root / PACKAGE / name.strip()
            file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
            shown = f"{name.strip()}/" if place.is_dir() else file.name
            target = f"../{PACKAGE}/{shown.rstrip('/')}"
            lines.append(f"| [`{shown}`]({target}) | {cell(_first_sentence(file))} |")
    return "\n".join(["| room | what it is |", "| --- | --- |", *lines])


def _layers(root: Path) -> list[str]:
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    layers: list[str] = next(c["layers"] for c in contracts if c["type"] == "layers")
    return layers


def _first_sentence(file: Path) -> str:
    said = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return said.partition("\n\n")[0]
