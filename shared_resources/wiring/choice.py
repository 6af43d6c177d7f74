"""Which environment this process runs in.

Belongs here: the only place that reads `MESH_ENV`, `MESH_HOME` and `MESH_BRANCH`.
Does not belong here: what an environment is made of (`local.py`, `production.py`, `branch.py`), where
the project is (`root.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_resources.confinement.guard import platform_variables
from shared_resources.environment import Environment, EnvironmentProblem
from shared_resources.extensions import extensions
from shared_resources.wiring.local import LocalEnvironment
from shared_resources.wiring.production import ProductionEnvironment
from shared_resources.wiring.root import find_root, make_importable

GROUP = "dagster_data_mesh.environments"


@dataclass(frozen=True)
class OtherEnvironment:
    """An environment of another distribution, with stores of its own: what an entry point leads to.

    `build` is given the project's root, where this machine keeps its state, and the platform's
    variables.
    """

    name: str
    build: Callable[[Path, Path, Mapping[str, str]], Environment]


def current() -> Environment:
    """The environment of this process: of the branch that `MESH_BRANCH` names, else production's.

    Raises `BranchProblem` when there is no such branch, and what `without_branch` does.
    """
    base = without_branch()
    if name := platform_variables().get("MESH_BRANCH"):
        from shared_resources.wiring.branch import existing_branch

        return existing_branch(base, name)
    return base


def without_branch() -> Environment:
    """The environment that branches stand on. `MESH_ROOT` and `MESH_HOME` move project and state.

    What stands in the project is importable from then on.

    Beside `local` and `production` those that other distributions add by entry points of the group
    `dagster_data_mesh.environments`.

    Raises `EnvironmentProblem` for a `MESH_ENV` that there is not, settings that lack something, or
    where there is no project.
    """
    variables = platform_variables()
    root = find_root(variables)
    make_importable(root)
    home = Path(variables.get("MESH_HOME") or root / ".mesh").resolve()
    match variables.get("MESH_ENV") or "local":
        case "local":
            return LocalEnvironment(root=root, home=home)
        case "production":
            from shared_resources.production.checks import read_settings

            return ProductionEnvironment(root, home, read_settings(variables))
        case name:
            others = {other.name: other for _, other in extensions(GROUP, OtherEnvironment)}
            if name not in others:
                choices = " or to ".join(map(repr, ("production", *sorted(others))))
                raise EnvironmentProblem(
                    f"MESH_ENV={name!r} is no environment; set it to 'local' (or unset it) or to "
                    f"{choices}."
                )
            return others[name].build(root, home, variables)
