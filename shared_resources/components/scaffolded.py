"""Scaffolding in `dg`'s way: the folder that it has made already, its `defs.yaml`, its errors.

Belongs here: what differs from `mesh new`. Does not belong here: the files (`scaffolding/`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import takewhile
from pathlib import Path
from typing import Any

import click
import dagster as dg
from dagster.components.component_scaffolding import scaffold_component

from shared_resources.mesh.code.component_files import COMPONENT_FILE
from shared_resources.problems import MeshProblem


@contextmanager
def at_its_place(request: dg.ScaffoldRequest[Any], place: Path, example: str) -> Iterator[None]:
    """The block makes the folder `place`, which then gets its `defs.yaml`.

    `dg` has made the folder, and those above it, before it asks: they are gone before the block, and
    stay gone if it fails. Raises `click.ClickException` for what the mesh refuses.
    """
    asked = request.target_path
    _remove_empty(asked)
    kind = request.type_name.rpartition(".")[2]
    if asked.resolve() != place.resolve():
        raise click.UsageError(
            f"a {kind} lies in {place.parent.parent.name}/…: write its folder, e.g. "
            f"`dg scaffold defs {request.type_name} {example}`"
        )
    if request.scaffold_format != "yaml":
        raise click.UsageError(
            f"a {kind} has a {COMPONENT_FILE} beside its contract, and no Python of Dagster's; leave "
            "--format out"
        )
    try:
        yield
        scaffold_component(request)
    except (MeshProblem, ValueError) as problem:
        raise click.ClickException(str(problem)) from None


def told(root: Path, files: Sequence[Path]) -> None:
    """Say which files were written."""
    for file in files:
        click.echo(f"wrote {file.relative_to(root) if file.is_relative_to(root) else file}")


def _remove_empty(folder: Path) -> None:
    """The folder and those above it that hold nothing, below `domains/`."""
    below = takewhile(lambda one: one.name != "domains", (folder, *folder.parents))
    for one in below:
        if not one.is_dir() or any(one.iterdir()):
            return
        one.rmdir()
