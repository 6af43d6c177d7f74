"""`mesh serve products`: rows by their key, over HTTP.

Belongs here: its options. Does not belong here: the server (`serving_ports/http/`).
"""

from __future__ import annotations

from pathlib import Path

import click

from shared_resources.cli.branch_option import outside_branches
from shared_resources.cli.output import say

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(epilog="Example: mesh serve products --port 8080")
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True)
@click.option("--certificate", type=_FILE, metavar="FILE", help="For TLS, needed beyond loopback.")
@click.option("--private-key", type=_FILE, metavar="FILE", help="The certificate's key.")
def products(host: str, port: int, certificate: Path | None, private_key: Path | None) -> None:
    """Answer point reads by primary key: GET /domain/product/key, with a bearer token.

    Serves every product whose contract has a server `serving`, to each reader as its agreement shows
    it; /openapi.json describes it. `mesh access token new` makes a token. Stays in the foreground.
    """
    from shared_resources.serving_ports.http.running import serve_products

    environment = outside_branches("nobody reads from one")
    scheme = "https" if certificate else "http"
    where = f"{scheme}://{host}:{port}"
    serve_products(
        environment,
        host,
        port,
        certificate,
        private_key,
        begins=lambda: say(f"serving rows at {where}; Ctrl-C stops it"),
    )
