"""`mesh registry`: what each deployed domain promises, and what the governance team decided.

Belongs here: the commands, and how entries are shown.
Does not belong here: the registry (`registry/`), deploying (`deploy.py`).
"""

from __future__ import annotations

from datetime import UTC, datetime

import click

from shared_resources.cli.branch_option import outside_branches
from shared_resources.cli.output import say
from shared_resources.cli.user import user


@click.group(epilog="Example: mesh registry list")
def registry() -> None:
    """What the deployed domains have promised to each other."""


@registry.command("list", epilog="Example: mesh registry list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_(as_json: bool) -> None:
    """Every product that a deployed domain promises, and who reads it."""
    from shared_resources.cli.tables import columns_of, print_json, print_table
    from shared_resources.mesh import read_mesh

    environment = outside_branches()
    mesh = read_mesh(environment.home, registered=environment.registry.promised)
    rows = [
        {
            "product": product.key,
            "version": product.contract.version if product.contract else "",
            "status": product.contract.status if product.contract else "",
            "owner": mesh.domain(product.domain).owner,
            "read by": ", ".join(sorted(one.key for one in mesh.consumers(product.key))),
        }
        for product in mesh.products
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, columns_of(rows))
    else:
        say("no domain is registered; `mesh deploy DOMAIN` registers it")


@registry.command(epilog="Example: mesh registry history order")
@click.argument("domain")
def history(domain: str) -> None:
    """Since when DOMAIN promises what, newest first."""
    from shared_resources.cli.tables import columns_of, print_table

    entries = outside_branches().registry.history(domain)
    if not entries:
        raise click.UsageError(f"the domain {domain!r} was never registered")
    rows = [
        {
            "at": f"{one.at:%F %T}",
            "release": one.release[:12] or "withdrawn",
            "promise": one.promise[:12],
            "platform": one.platform,
            "by": one.by,
        }
        for one in reversed(entries)
    ]
    print_table(rows, columns_of(rows))


@registry.command(epilog="Example: mesh registry govern")
def govern() -> None:
    """Register domains/governance.yaml: it holds for every domain then, wherever its files are."""
    from shared_resources.findings import InvalidFile
    from shared_resources.governance.decisions import central_findings
    from shared_resources.mesh.central_file import read_central_file
    from shared_resources.mesh.model import CENTRAL_FILE
    from shared_resources.mesh.promised import promise_digest
    from shared_resources.registry.registry import CENTRAL, Entry
    from shared_resources.repositories.platform_wheel import running_version

    environment = outside_branches()
    file = environment.domains / CENTRAL_FILE
    if not file.is_file():
        raise click.UsageError(f"there is no {file}")
    if wrong := central_findings(read_central_file(file)):
        raise InvalidFile(wrong)
    files = {CENTRAL: file.read_bytes()}
    before = environment.registry.history(CENTRAL)
    last = before[-1] if before else None
    digest = promise_digest(files)
    if last is not None and last.promise == digest:
        say("it is registered already")
        return
    entry = Entry(CENTRAL, digest, "", running_version(), user(), datetime.now(UTC))
    environment.registry.register(entry, files, last)
    say(f"{CENTRAL} holds for every domain now; domains that it stops are stopped when they load")
