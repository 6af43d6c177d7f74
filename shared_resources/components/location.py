"""A domain's code location, loaded as Dagster loads it.

Belongs here: importing the domain's `definitions.py`, and saying why there is none.
Does not belong here: what it holds (`locations/location.py`), several of them (`whole_mesh.py`).
"""

from __future__ import annotations

import importlib
from pathlib import Path

import dagster as dg

from shared_resources import wiring
from shared_resources.mesh.model import DEFINITIONS_FILE
from shared_resources.problems import MeshProblem


class NoLocation(MeshProblem):
    """The folder is no domain of the mesh; the message says what one is."""

    exit_code = 2


def location_of(folder: Path) -> dg.Definitions:
    """What `build_domain` gave in the domain's `definitions.py`. Raises `NoLocation`."""
    root = wiring.current().root
    if (
        folder.resolve().parent != (root / "domains").resolve()
        or not (folder / DEFINITIONS_FILE).is_file()
    ):
        raise NoLocation(
            f"{folder} is no domain: a domain is a folder of {root / 'domains'} with a "
            f"{DEFINITIONS_FILE}; `mesh new domain {folder.name}` makes one"
        )
    made = importlib.import_module(f"domains.{folder.name}.definitions").defs
    if not isinstance(made, dg.Definitions):
        raise NoLocation(
            f"{folder / DEFINITIONS_FILE}: write `defs = build_domain(__file__)`, which is not what "
            "is there"
        )
    return made
