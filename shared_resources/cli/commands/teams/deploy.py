"""`mesh deploy`: a domain goes into service, back to an earlier release, or out of it.

Belongs here: the command's options, and how releases are shown.
Does not belong here: the steps (`releasing/`), serving them (`serving/`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from shared_resources.cli.branch_option import outside_branches
from shared_resources.cli.output import say
from shared_resources.cli.user import user

if TYPE_CHECKING:
    from shared_resources.environment import Environment
    from shared_resources.serving.servers import Running

_LATEST = "the one before"


@click.command(epilog="Example: mesh deploy order && mesh deploy order --rollback")
@click.argument("domains", metavar="DOMAIN...", nargs=-1)
@click.option("--list", "listed", is_flag=True, help="What is deployed, and what runs here.")
@click.option("--diff", "diff", is_flag=True, help="What deploying would change.")
@click.option(
    "--rollback",
    is_flag=False,
    flag_value=_LATEST,
    metavar="[RELEASE]",
    help="Serve an earlier release again: the one before, or the one that begins so.",
)
@click.option("--withdraw", is_flag=True, help="Serve the domain no longer; its data stays.")
@click.option(
    "--breaks-consumers", is_flag=True, help="Permit what a new major version breaks for others."
)
@click.option("--no-tests", is_flag=True, help="Do not run the domain's own tests.")
@click.option(
    "--register-only",
    is_flag=True,
    help="Build, judge and register; something else serves it (Compose, Kubernetes).",
)
@click.option(
    "--patience",
    type=click.FloatRange(0),
    default=10,
    show_default=True,
    help="How many minutes runs of the old release may take to end.",
)
@click.option("--json", "as_json", is_flag=True, help="With --list: print JSON alone.")
def deploy(
    domains: tuple[str, ...],
    listed: bool,
    diff: bool,
    rollback: str | None,
    withdraw: bool,
    breaks_consumers: bool,
    no_tests: bool,
    register_only: bool,
    patience: float,
    as_json: bool,
) -> None:
    """Release the domains as their files are now and serve them, all together or not at all.

    Each release has an environment of its own, from its lock. It is judged by the contracts of all
    deployed domains and by its own tests, started beside the old one, loaded, and switched to in one
    step; then the runs of the old one may end. Whatever fails leaves everything as it was.
    """
    from shared_resources.releasing.deploying import Deployer, Wanted

    if sum((listed, diff, rollback is not None, withdraw)) > 1:
        raise click.UsageError("--list, --diff, --rollback and --withdraw are each for itself")
    environment = outside_branches()
    if listed:
        _show(environment, as_json)
        return
    if not domains:
        raise click.UsageError("name a domain, e.g. `mesh deploy order`")
    if diff:
        _show_differences(environment, domains)
        return
    wanted = Wanted(
        breaks=breaks_consumers,
        tests=not no_tests,
        serve=not register_only,
        drain=timedelta(minutes=patience),
    )
    deployer = Deployer(environment, user(), say)
    if withdraw:
        for domain in domains:
            deployer.withdraw(domain, wanted)
    elif rollback is not None:
        (domain,) = domains if len(domains) == 1 else _one_domain()
        deployer.roll_back(domain, None if rollback == _LATEST else rollback, wanted)
    else:
        deployer.deploy(domains, wanted)


def _one_domain() -> tuple[str]:
    raise click.UsageError("--rollback is for one domain at a time")


def _show(environment: Environment, as_json: bool) -> None:
    from shared_resources.cli.tables import columns_of, print_json, print_table
    from shared_resources.serving.servers import Servers

    servers = Servers(environment.home)
    running = servers.running() if servers.is_up() else []
    rows = list(_rows(environment, running))
    if as_json:
        print_json(rows)
        return
    if not rows:
        say("nothing is deployed; `mesh deploy DOMAIN` does it")
        return
    print_table(rows, columns_of(rows))
    if not servers.is_up():
        say("nothing is served from here: `mesh serve` does it")


def _rows(environment: Environment, running: list[Running]) -> Iterator[dict[str, Any]]:
    entries = environment.registry.entries()
    for name, entry in sorted(entries.items()):
        here: list[Running | None] = [one for one in running if one.domain == name]
        for one in here or [None]:
            in_force = one is None or one.release == entry.release
            yield {
                "domain": name,
                "release": (one.release if one else entry.release)[:12],
                "deployed": f"{entry.at:%F %T}" if in_force else "",
                "by": entry.by if in_force else "",
                "platform": entry.platform if in_force else "",
                "state": _state(one),
                "runs": one.runs if one else None,
                "MiB": round(one.memory / 2**20) if one and one.memory else None,
            }


def _state(one: Running | None) -> str:
    if one is None:
        return "not served here"
    return one.state if one.serving else f"{one.state}, old"


def _show_differences(environment: Environment, domains: tuple[str, ...]) -> None:
    from shared_resources.releasing.contents import release_files
    from shared_resources.releasing.differences import differences
    from shared_resources.releasing.releases import Releases

    entries, releases = environment.registry.entries(), Releases(environment.home)
    for name in domains:
        release_files(environment.root, name, central=False)  # that there is such a domain
        if name not in entries:
            say(f"{name}: it is not deployed; all of it is new")
            continue
        release = releases.get(name, entries[name].release)
        found = differences(environment, release, domains)
        say(f"{name}, against release {entries[name].release[:12]}:")
        if not found:
            say("  nothing would change")
        for title, lines in (
            ("contracts", found.contracts),
            ("breaks", found.consumers),
            ("files", found.files),
            ("platform", found.platform),
            ("packages", found.packages),
        ):
            for line in lines:
                say(f"  {title}: {line}")
