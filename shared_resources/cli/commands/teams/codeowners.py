"""`mesh codeowners`: who approves what, for GitHub and GitLab.

Belongs here: the command. Does not belong here: which rules there are (`reviewing/codeowners.py`).
"""

from __future__ import annotations

import sys

import click

from shared_resources import wiring
from shared_resources.cli.output import say


@click.command(epilog="Example: mesh codeowners --check")
@click.option("--check", is_flag=True, help="Write nothing; end with 1 if the file would change.")
def codeowners(check: bool) -> None:
    """Write CODEOWNERS: each domain's folder and dbt models are its owners', the platform and
    governance.yaml those of the central approvers.

    Only the part between its two marks is written; the rest of the file is yours.
    """
    from shared_resources.comparing.git_history import top_of
    from shared_resources.mesh import read_whole_mesh
    from shared_resources.reviewing.codeowners import differs, write_owners

    environment = wiring.current()
    if not environment.domains.is_dir():
        raise click.UsageError(f"there is no folder {environment.domains}; set MESH_ROOT")
    mesh, top = read_whole_mesh(environment), top_of(environment.root)
    if not check:
        say(f"wrote {write_owners(mesh, top)}")
        return
    why = differs(mesh, top)
    if why is not None:
        say(f"{why}; run `mesh codeowners`")
        sys.exit(1)
    say("CODEOWNERS says what domains/ says")
