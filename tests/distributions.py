"""Distributions as an installer leaves them in a folder of the search path, for tests of extensions.

Belongs here: `install`.
Does not belong here: tests.
"""

from __future__ import annotations

from pathlib import Path


def install(folder: Path, module: str, code: str, **groups: str) -> Path:
    """A distribution `offices` of one module. `groups` are its entry points, a line each, by group of
    `dagster_data_mesh`; the folder is returned."""
    info = folder / "offices-1.0.dist-info"
    info.mkdir(parents=True)
    info.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: offices\nVersion: 1.0\n")
    points = [f"[dagster_data_mesh.{group}]\n{lines}\n" for group, lines in groups.items()]
    info.joinpath("entry_points.txt").write_text("\n".join(points))
    folder.joinpath(f"{module}.py").write_text(code)
    return folder
