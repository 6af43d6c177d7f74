"""`mesh upgrade`: a later platform and its template, in a domain's own repository.

Belongs here: which repository is meant, and saying what came of it.
Does not belong here: the merge (`repositories/`).
"""

from __future__ import annotations

import os
from pathlib import Path

import click

from shared_resources.cli.output import say


@click.command(epilog="Example: mesh upgrade --to dagster_data_mesh-0.2.0-py3-none-any.whl")
@click.option(
    "--to",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="WHEEL",
    help="The wheel of the platform's release; default: the platform that runs.",
)
def upgrade(to: Path | None) -> None:
    """Bring a later platform, and what changed in the template, into a domain's own repository.

    What you have changed stays. Where both changed the same lines, the file has both between marks, and
    the exit code is 1. Nothing is committed; until everything is worked out, nothing is changed.
    """
    from shared_resources.repositories.outcome import begun_above
    from shared_resources.repositories.upgrade import upgrade as bring
    from shared_resources.wiring.root import root_above

    said = os.environ.get("MESH_ROOT")
    root = Path(said).absolute() if said else root_above(Path.cwd()) or begun_above(Path.cwd())
    if root is None:
        raise click.UsageError(
            f"{Path.cwd()} is in no domain's repository; go there, or name it in MESH_ROOT"
        )
    outcome = bring(root, to)
    if not outcome.changed:
        say(f"{root} has {outcome.version} already; --to WHEEL names another")
        return
    say(f"{root} has {outcome.version} now; `git diff --staged` shows what changed")
    for file in outcome.conflicts:
        say(f"  {file}: both sides changed the same lines", err=True)
    if outcome.conflicts:
        say(
            "next: choose between the marked lines, `make lock` if pyproject.toml is among the files, "
            "`git add` them and commit",
            err=True,
        )
        raise click.exceptions.Exit(1)
    say("next: `make setup check test`, then commit")
