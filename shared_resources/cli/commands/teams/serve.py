"""`mesh serve`: webserver, daemon and the code servers of all deployed domains, on this machine.

Belongs here: its options, and becoming the supervisor.
Does not belong here: what is started and how it is stopped (`serving/`), deploying to it.
"""

from __future__ import annotations

import os

import click

from shared_resources.cli.branch_option import outside_branches
from shared_resources.cli.commands.teams.serve_products import products
from shared_resources.cli.output import say


@click.group(invoke_without_command=True, epilog="Example: mesh serve --port 3001")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=3000, show_default=True)
@click.pass_context
def serve(context: click.Context, host: str, port: int) -> None:
    """Serve Dagster's UI, its daemon and every deployed domain, and keep them up.

    Stays in the foreground. SIGTERM or Ctrl-C stops it: no run is launched any more, and those in
    progress have ten minutes to end. A domain is deployed to it with `mesh deploy DOMAIN`.
    `mesh serve products` is another server: it answers point reads.
    """
    if context.invoked_subcommand is not None:
        return
    from shared_resources.serving.limits import memory_limit
    from shared_resources.serving.problems import CannotServe

    try:
        from shared_resources.serving.starting import prepare
    except ModuleNotFoundError as missing:
        raise CannotServe(
            f"the package {missing.name} is not installed; run "
            "`pip install 'dagster-data-mesh[deploy]'`, or `make setup`"
        ) from missing

    environment = outside_branches("`mesh dev DOMAIN` shows one")
    memory_limit(os.environ)
    command, domains = prepare(environment, host, port)
    say(f"serving at http://{host}:{port}: {', '.join(domains) or 'no domain is deployed yet'}")
    say(f"logs: {environment.home / 'serving' / 'logs'}; Ctrl-C stops all in order")
    variables = {
        **os.environ,
        "MESH_HOME": str(environment.home),
        "MESH_ROOT": str(environment.root),
        "DAGSTER_HOME": str(environment.dagster),
    }
    # This process becomes the supervisor, so that what ends the one ends the other.
    os.execve(command[0], command, variables)


serve.add_command(products)
