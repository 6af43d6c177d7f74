"""Which environment this process runs in, and where its state is.

Belongs here: the only place that reads `MESH_ENV` and `MESH_HOME` and that chooses the stores.
Does not belong here: how a store works (`io_managers/`), or anything done on import.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]


class EnvironmentProblem(Exception):
    """The environment is set up wrongly; the message names the variable and what to do."""


@dataclass(frozen=True)
class Environment:
    """The embedded environment: everything is a file below `home`. `root` is the project."""

    root: Path
    home: Path

    @property
    def domains(self) -> Path:
        return self.root / "domains"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse"

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

    @property
    def pins(self) -> Path:
        return self.home / "pins"

    @property
    def dagster(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt(self) -> Path:
        return self.home / "dbt"


def current() -> Environment:
    """The environment of this process. `MESH_ROOT` and `MESH_HOME` move the project and its state.

    Raises `EnvironmentProblem` for a `MESH_ENV` that this version does not have.
    """
    name = os.environ.get("MESH_ENV", "local")
    if name != "local":
        raise EnvironmentProblem(
            f"MESH_ENV={name!r} is not an environment of this version; unset it or set it to 'local'."
        )
    root = Path(os.environ.get("MESH_ROOT") or PROJECT_ROOT).resolve()
    home = Path(os.environ.get("MESH_HOME") or root / ".mesh").resolve()
    return Environment(root=root, home=home)
