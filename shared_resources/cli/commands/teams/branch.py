"""`mesh branch`: a namespace over what is published, to work in without touching it.

Belongs here: the commands, and what they print.
Does not belong here: branches themselves (`branching/`), working in one (`--branch`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from shared_resources import wiring
from shared_resources.cli.changes import show_columns
from shared_resources.cli.output import say
from shared_resources.cli.tables import print_json, print_table
from shared_resources.cli.user import user

if TYPE_CHECKING:
    from shared_resources.branching.differences import Difference
    from shared_resources.rehearsing.changes import Changes
    from shared_resources.wiring import BranchEnvironment


@click.group(
    epilog="Example: mesh branch create try-out && mesh run --branch try-out order/baskets"
)
def branch() -> None:
    """Branches: what a run in one reads is production's, what it writes stays in the branch."""


@branch.command(epilog="Example: mesh branch create try-out")
@click.argument("name")
@click.option(
    "--take-up",
    is_flag=True,
    help="With what the stores have of a branch of that name, of which this mesh's state knows nothing.",
)
def create(name: str, take_up: bool) -> None:
    """Make the branch NAME. Nothing is copied; it reads production as it is when it reads."""
    from shared_resources.branching.branches import create as make

    made = make(wiring.without_branch(), name, user(), take_up=take_up)
    say(
        f"branch {name} is made. `mesh run --branch {name} DOMAIN/PRODUCT` works in it (or "
        f"MESH_BRANCH={name} for every command); its state is in {made.home}"
    )


@branch.command("list", epilog="Example: mesh branch list --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def list_(as_json: bool) -> None:
    """The branches, who made them, and the products that each has made."""
    from shared_resources.branching.branches import list_branches

    rows = [
        {
            "branch": one.name,
            "made_by": one.made_by,
            "made_at": one.made_at,
            "products": list(one.products) if as_json else ", ".join(one.products),
        }
        for one in list_branches(wiring.without_branch())
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, rows[0])
    else:
        say("there is no branch; `mesh branch create NAME` makes one")


@branch.command(epilog="Example: mesh branch diff try-out")
@click.argument("name")
@click.argument("products", nargs=-1, metavar="[DOMAIN/PRODUCT]…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def diff(name: str, products: tuple[str, ...], as_json: bool) -> None:
    """What branch NAME changed against production: rows by key and column, and contracts.

    With what keeps a product from being promoted. Numbers and names, no values.
    """
    from shared_resources.branching.differences import differences
    from shared_resources.mesh import look_at_mesh

    there = _existing(name)
    found = differences(there, look_at_mesh(there.base), products)
    if as_json:
        print_json([_as_json(one) for one in found])
        return
    for one in found:
        _show(one)
    if not found:
        say(f"branch {name} has made nothing")


@branch.command(epilog="Example: mesh branch promote try-out order/baskets")
@click.argument("name")
@click.argument("products", nargs=-1, metavar="[DOMAIN/PRODUCT]…")
@click.option("--json", "as_json", is_flag=True, help="Print JSON alone.")
def promote(name: str, products: tuple[str, ...], as_json: bool) -> None:
    """Make what branch NAME made production's, by metadata alone: no row is made or copied again.

    Only while what it was made of is current, production has not moved on, and contract and policies
    are those that it was audited by; else exit 1 with what moved, and nothing is changed. A product
    that was promoted is production's in the branch, too, from then on.
    """
    from shared_resources.branching.promoting import promote as make_productions
    from shared_resources.mesh import read_whole_mesh

    there = _existing(name)
    mesh = read_whole_mesh(there.base)
    done = make_productions(there, mesh, products, user())
    rows = [
        {
            "product": one.product,
            "versions": {version.store: version.number for version in one.versions},
            "rows": one.versions[0].rows if one.versions else None,
        }
        for one in done
    ]
    if as_json:
        print_json(rows)
        return
    for one in done:
        for version in one.versions:
            say(
                f"{one.product}: version {version.number} in the {version.store} is that of branch "
                f"{name} ({version.rows:,} rows)"
            )
        if not one.versions:
            say(f"{one.product}: production has it already")
    if not done:
        say(f"branch {name} has made nothing")


@branch.command(epilog="Example: mesh branch drop try-out")
@click.argument("name")
@click.option("--if-there", is_flag=True, help="No such branch is no error.")
def drop(name: str, if_there: bool) -> None:
    """Remove branch NAME and all that was made in it and not promoted."""
    from shared_resources.branching.branches import drop as remove
    from shared_resources.mesh import look_at_mesh
    from shared_resources.stores.branched.registry import Branches

    base = wiring.without_branch()
    if if_there and name not in {one.name for one in Branches(base.state).all()}:
        say(f"there is no branch {name}")
        return
    known = [product.key for product in look_at_mesh(base).products]
    made = remove(base, name, known)
    gone = f", and {', '.join(made)} as it had made it" if made else ""
    say(f"branch {name} is gone{gone}")


def _existing(name: str) -> BranchEnvironment:
    return wiring.existing_branch(wiring.without_branch(), name)


def _show(one: Difference) -> None:
    if one.changes is None:
        say(f"{one.product}: version {one.version} with {one.rows:,} rows; production has none")
    else:
        say(f"{one.product}: version {one.version} against production's {one.changes.version}")
        _show_changes(one.changes)
    if one.contract is not None:
        say(f"  contract: {one.contract}")
        for what in one.breaks:
            say(f"    breaks: {what}")
    for why in one.against:
        say(f"  may not be promoted: {why}")


def _show_changes(changes: Changes) -> None:
    say(f"  {changes.added:,} rows added, {changes.gone:,} gone, {changes.changed:,} changed")
    show_columns(changes, "    ")


def _as_json(one: Difference) -> dict[str, object]:
    changes = one.changes
    return {
        "product": one.product,
        "version": one.version,
        "rows": one.rows,
        "changes": changes.as_json() if changes else None,
        "contract": one.contract,
        "breaks": list(one.breaks),
        "against": list(one.against),
    }
