"""The project's root: the folder with `domains/` and `workspace.yaml`.

Belongs here: finding it, and making what stands in it importable.
Does not belong here: reading what stands in it (`mesh/`), the rest of the environment (`choice.py`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from shared_resources.environment import PROJECT_ROOT, WORKSPACE_FILE, EnvironmentProblem


def is_root(folder: Path) -> bool:
    return (folder / "domains").is_dir() and (folder / WORKSPACE_FILE).is_file()


def find_root(variables: Mapping[str, str], code: Path = PROJECT_ROOT) -> Path:
    """`MESH_ROOT`, else the checkout that the platform runs from, else the nearest above this folder.

    `code` is the folder that the platform's code lies in: of an installed platform no checkout. Raises
    `EnvironmentProblem` where none is a project.
    """
    if said := variables.get("MESH_ROOT"):
        return Path(said).resolve()
    # A company that has deleted the example has no domain in its checkout yet.
    if (code / WORKSPACE_FILE).is_file():
        return code
    here = Path.cwd()
    if (found := root_above(here)) is not None:
        return found
    raise EnvironmentProblem(
        f"neither {here} nor a folder above it has domains/ and {WORKSPACE_FILE}; go to the folder of "
        "your project, or name it in MESH_ROOT"
    )


def root_above(folder: Path) -> Path | None:
    """The nearest project's root: this folder, or one above it."""
    return next((one for one in (folder, *folder.parents) if is_root(one)), None)


def make_importable(root: Path) -> None:
    """`import domains.…` finds what stands in this root, which no distribution holds.

    Last on the search path: a folder of the project hides no module that is installed.
    """
    if str(root) not in sys.path:
        sys.path.append(str(root))
