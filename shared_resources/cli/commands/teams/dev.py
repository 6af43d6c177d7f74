"""`mesh dev`: Dagster's UI with one location.

Belongs here: the workspace of one domain, and becoming `dagster dev` on it.
Does not belong here: the UI of the whole mesh, which `make dev` starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import yaml

from shared_resources import wiring


@click.command(epilog="Example: mesh dev order --port 3001")
@click.argument("domain")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=3000, show_default=True)
def dev(domain: str, host: str, port: int) -> None:
    """Start Dagster's UI and daemon with the location of DOMAIN alone, on the mesh's own state.

    Products of other domains stand in it as what its own read. Ends with Ctrl-C.
    """
    from shared_resources.dagster_instance.instance import open_instance
    from shared_resources.mesh import look_at_mesh
    from shared_resources.running.selection import unknown
    from shared_resources.state.whole_file import write_whole

    environment = wiring.current()
    mesh = look_at_mesh(environment)
    if domain not in mesh.domain_names:
        raise unknown(domain, mesh.domain_names)
    os.umask(0o077)
    with open_instance(environment):  # its tables are made before Dagster's processes want them
        home = environment.dagster
    location = {
        "module_name": f"domains.{domain}.definitions",
        "location_name": domain,
        "working_directory": str(environment.root),
    }
    workspace = environment.home / "dev" / f"{domain}.workspace.yaml"
    workspace.parent.mkdir(parents=True, exist_ok=True)
    write_whole(workspace, yaml.safe_dump({"load_from": [{"python_module": location}]}).encode())
    dagster = Path(sys.executable).with_name("dagster")
    command = [str(dagster), "dev", "--workspace", str(workspace)]
    # This process becomes Dagster's, so that what ends the one ends the other.
    os.execve(
        dagster,
        [*command, "--host", host, "--port", str(port)],
        {**os.environ, "DAGSTER_HOME": str(home)},
    )
