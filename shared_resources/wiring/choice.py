"""Which environment this process runs in.

Belongs here: the only place that reads `MESH_ENV`, `MESH_ROOT` and `MESH_HOME`.
Does not belong here: what an environment is made of (`local.py`, `production.py`).
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.confinement.guard import platform_variables
from shared_resources.environment import PROJECT_ROOT, Environment, EnvironmentProblem
from shared_resources.wiring.local import LocalEnvironment


def current() -> Environment:
    """The environment of this process. `MESH_ROOT` and `MESH_HOME` move the project and its state.

    Raises `EnvironmentProblem` for a `MESH_ENV` that there is not, or settings that lack something.
    """
    variables = platform_variables()
    root = Path(variables.get("MESH_ROOT") or PROJECT_ROOT).resolve()
    home = Path(variables.get("MESH_HOME") or root / ".mesh").resolve()
    match variables.get("MESH_ENV") or "local":
        case "local":
            return LocalEnvironment(root=root, home=home)
        case "production":
            from shared_resources.production.checks import read_settings
            from shared_resources.wiring.production import ProductionEnvironment

            return ProductionEnvironment(root, home, read_settings(variables))
        case name:
            raise EnvironmentProblem(
                f"MESH_ENV={name!r} is no environment; set it to 'local' (or unset it) or to "
                "'production'."
            )
