"""Making, listing and dropping branches.

Belongs here: these three, and whether somebody works in one.
Does not belong here: what a branch changed (`own_line.py`), names and the record of branches
(`stores/branched/`).
"""

from __future__ import annotations

import shutil
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from shared_resources.branching.carrying import take_back
from shared_resources.branching.own_line import changed_products
from shared_resources.data_products.publishing import product_lock
from shared_resources.environment import Environment
from shared_resources.state.leases import any_alive
from shared_resources.stores.branched.home import settle_home
from shared_resources.stores.branched.names import BranchProblem, in_branch, of_branch
from shared_resources.stores.branched.registry import Branches
from shared_resources.wiring import BranchEnvironment, branch_of


@dataclass(frozen=True)
class Listed:
    """A branch, and the products that it has made."""

    name: str
    made_by: str
    made_at: datetime
    products: tuple[str, ...]


def create(base: Environment, name: str, by: str, *, take_up: bool = False) -> BranchEnvironment:
    """Make a branch: a name is noted, and nothing copied; `take_up` what the stores have of it.

    Raises `BranchProblem`.
    """
    branch, branches = branch_of(base, name), Branches(base.state)
    if name not in {one.name for one in branches.all()}:
        _refuse_leftovers(branch, take_up)
    branches.add(name, by)
    settle_home(branch.home, branches.get(name))
    return branch


def _refuse_leftovers(branch: BranchEnvironment, take_up: bool) -> None:
    """Raises `BranchProblem` where something is of a branch of that name that the state knows not."""
    name = branch.branch
    if branch.home.exists() and any(branch.home.iterdir()):
        raise BranchProblem(
            f"{branch.home} holds what an earlier branch {name} kept on this machine, which was dropped "
            "elsewhere; remove the folder, or move it away, and make the branch then"
        )
    if take_up or not branch.is_production:  # on one machine state and stores lie in one folder
        return
    for store in branch.stores.values():
        if found := sorted(of_branch(store.sharing.products(), name)):
            raise BranchProblem(
                f"the {store.name} has {', '.join(found)} of a branch {name} that the state of this "
                "mesh does not know: a machine with a state of its own made it (MESH_DATABASE_URL is "
                f"what machines share). Take another name; or `mesh branch create --take-up {name}` "
                "makes it a branch of this state with all that it has, to work in or to drop"
            )


def begin_anew(
    base: Environment, name: str, maker: str, known: Collection[str]
) -> BranchEnvironment:
    """The branch, empty, on what production has now: made, or made again if `maker` had made it.

    Raises `BranchProblem` for one that somebody else made, or in which somebody works.
    """
    made = {one.name: one for one in Branches(base.state).all()}.get(name)
    if made is not None and made.made_by != maker:
        raise BranchProblem(
            f"branch {name} was made by {made.made_by}, and all in it would be lost; take another name"
        )
    if made is not None:
        drop(base, name, known)
    return create(base, name, maker)


def list_branches(base: Environment) -> list[Listed]:
    """Every branch, by name."""
    return [
        Listed(one.name, one.made_by, one.made_at, changed_products(branch_of(base, one.name)))
        for one in Branches(base.state).all()
    ]


def refuse_while_used(branch: BranchEnvironment, to_do: str) -> None:
    """Raises `BranchProblem` when somebody works in the branch on this machine."""
    if any_alive(branch):
        raise BranchProblem(
            f"a run works in branch {branch.branch} at this moment; end it, or wait for it, and "
            f"{to_do} then"
        )


def drop(base: Environment, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Remove all that the branch has; `known` are the mesh's products. Returns those it had made.

    Who dies in the middle does it again: the name goes last. Raises `BranchProblem` when there is no
    such branch, or somebody works in it on this machine.
    """
    Branches(base.state).get(name)
    branch = branch_of(base, name)
    refuse_while_used(branch, "drop the branch")
    take_back(branch)
    made = changed_products(branch)
    for store in branch.stores.values():
        # Of one whose fork died early a store lists nothing.
        for product in sorted({*known, *of_branch(store.sharing.products(), name)}):
            with product_lock(branch, product):
                store.sharing.forget(in_branch(product, name), product)
    shutil.rmtree(branch.home, ignore_errors=True)
    Branches(base.state).remove(name)
    return made
