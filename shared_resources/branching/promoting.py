"""Promoting what a branch made: its versions become production's, by metadata alone.

Belongs here: the order of products and stores, and what goes with a version into production.
Does not belong here: whether it may be (`promotable.py`), how a store takes a version
(`stores/branched/sharing.py`).

All is asked before anything is changed, of the stores, too. Each product is then one atomic commit a
store, the leading one first, of which the others are brought level; who dies in between promotes
again: what is production's already is only forgotten in the branch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.branching.branches import refuse_while_used
from shared_resources.branching.carrying import carried, carry, standing, take_back
from shared_resources.branching.own_line import OwnLine, changed_products
from shared_resources.branching.promotable import (
    Candidate,
    NotPromotable,
    against,
    candidate,
    resolve,
)
from shared_resources.branching.proof import proof
from shared_resources.data_products.publishing import product_lock
from shared_resources.engines.embedded_views.following import follow
from shared_resources.environment import Environment
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.evidence.record import Evidence, Promoted
from shared_resources.mesh import Mesh
from shared_resources.mesh.inputs_first import inputs_first
from shared_resources.problems import MeshProblem
from shared_resources.reporting.outside_runs import report_version
from shared_resources.reporting.standing_checks import refusals_standing
from shared_resources.running.selection import unknown
from shared_resources.serving_ports.following import serve_current
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.stores.branched.names import BranchProblem, in_branch
from shared_resources.stores.pins import pin_of
from shared_resources.stores.protocol import MovedOn, Unreadable, Version
from shared_resources.wiring import BranchEnvironment


@dataclass(frozen=True)
class Promotion:
    """The versions that production has now, one a store; none of what it had already."""

    product: str
    versions: tuple[Version, ...]


def promote(
    branch: BranchEnvironment, mesh: Mesh, wanted: Sequence[str], by: str
) -> list[Promotion]:
    """Promote the products `wanted`, by default all that the branch made, inputs first.

    Raises `NotPromotable`, with nothing changed, when anything is against any of them;
    `BranchProblem` when the branch did not make one, or somebody works in it on this machine.
    """
    refuse_while_used(branch, "promote")
    take_back(branch)  # what a promotion left that died before its first commit
    candidates = _chosen(branch, mesh, wanted)
    names = {one.product for one in candidates}
    reasons = [
        f"{one.product}: {why}" for one in candidates for why in against(branch, mesh, one, names)
    ]
    if reasons:
        listed = "".join(f"\n  {reason}" for reason in reasons)
        raise NotPromotable(f"nothing was promoted from branch {branch.branch}:{listed}")
    try:
        return [_promote(branch, one, by) for one in candidates]
    except MovedOn:
        take_back(branch)
        raise


def _chosen(branch: BranchEnvironment, mesh: Mesh, wanted: Sequence[str]) -> list[Candidate]:
    """The candidates, each after those that it reads."""
    made = changed_products(branch)
    reads = {product.key: product for product in mesh.products}
    for key in wanted:
        if key not in reads:
            raise unknown(key, reads)
        if key not in made:
            has = f"it has {', '.join(made)}" if made else "it has made nothing"
            raise BranchProblem(f"branch {branch.branch} has not made {key}; {has}")
    candidates = []
    for key in inputs_first(set(wanted or made), {key: reads[key].reads for key in reads}):
        contract = reads[key].contract if key in reads else None
        if contract is None:
            raise BranchProblem(
                f"{key} is in branch {branch.branch}, and the project has no contract of it that can be "
                f"read: `mesh check` says why"
            )
        found = candidate(branch, contract)
        if found is None:
            raise BranchProblem(
                f"{key} is not in every store of its contract in branch {branch.branch}: run `mesh run "
                f"--branch {branch.branch} {key}`"
            )
        candidates.append(found)
    return candidates


def _promote(branch: BranchEnvironment, one: Candidate, by: str) -> Promotion:
    base = branch.base
    # Nobody on this machine publishes it in the branch between the look, the commits and the end.
    with product_lock(branch, one.product):
        versions: list[Version] = []
        if not one.is_done:
            stood = refusals_standing(base, one.contract)
            with product_lock(base, one.product):
                versions = _take(branch, one, by)
            if versions:
                _note(base, versions[0])
                follow(base, one.product)
                serve_current(base, one.contract)
                partitions = versions[0].evidence.partitions
                report_version(base, one.contract, versions, partitions, before=stood)
        elif one.lines[0].is_promoted and (theirs := one.lines[0].began_with) is not None:
            _note(base, theirs)  # the process that promoted it died before it could
        for line in one.lines:
            if _is_newest(line):
                own = in_branch(one.product, branch.branch)
                line.store.sharing.forget(own, one.product)
    return Promotion(one.product, tuple(versions))


def _take(branch: BranchEnvironment, one: Candidate, by: str) -> list[Version]:
    """Raises `NotPromotable` where something was published since it was judged."""
    if candidate(branch, one.contract) != one:
        raise NotPromotable(
            f"{one.product} was published just now, in branch {branch.branch} or in production, and is "
            "left as it was there; promote again"
        )
    asked = [line for line in one.lines if line.made]
    evidence = [_evidence(branch, line, asked, by) for line in asked]
    began = [line.began_with.number if line.began_with else 0 for line in asked]
    own, versions = in_branch(one.product, branch.branch), list[Version]()
    carry(branch, one.product, evidence[0].quarantined, began[0])
    for line, proven, base in zip(asked, evidence, began, strict=True):
        sharing = line.store.sharing
        try:
            taken = sharing.take(one.contract, own, line.newest.number, proven, base)
        except MeshProblem as problem:
            if not versions:
                raise
            raise _half_way(versions, line, problem) from problem
        versions.append(taken)
        carried(branch, one.product)
    return versions


def _half_way(versions: Sequence[Version], line: OwnLine, problem: MeshProblem) -> NotPromotable:
    """What is committed cannot be taken from readers again: the other store has to follow."""
    had = ", ".join(f"version {version.number} in the {version.store}" for version in versions)
    return NotPromotable(
        f"{line.product}: the {line.store.name} did not take it ({problem}); it is production's by now "
        f"as {had}. Readers of each store see a whole version. Promote it again, or run the product: "
        f"either brings the {line.store.name} level."
    )


def _is_newest(line: OwnLine) -> bool:
    """Whether the branch has published nothing since: another machine may, which no lock here stops."""
    try:
        return line.store.own_versions(line.product)[-1:] in ([], [line.newest])
    except Unreadable:
        return True  # a promotion died as it forgot them


def _evidence(
    branch: BranchEnvironment, line: OwnLine, lines: Sequence[OwnLine], by: str
) -> Evidence:
    """Of the line's version in production, which is recognised there by its pins in any store."""

    attested: dict[str, str] = {}

    def input_pin(product: str, pin: str, reader: Version) -> str:
        store = next(s for s in branch.stores.values() if s.name == pin.partition(":")[0])
        read = resolve(store, product, pin, reader)
        if read is None:
            return pin
        attested[product] = read.properties.get(ATTESTATION, "")
        return str(pin_of(read))

    pins = tuple(str(pin_of(version)) for one in lines for version in one.made)
    evidence = proof(line.made, Promoted(branch.branch, pins, by), input_pin)
    stand = standing(branch, line, evidence.quarantined, evidence.partitions)
    # An input that was promoted, too, has another attestation in production.
    known = {**evidence.input_attestations, **attested}
    inputs = {key: digest for key, digest in known.items() if digest}
    return replace(evidence, quarantined=stand, input_attestations=inputs)


def _note(base: Environment, version: Version) -> None:
    """What landed and was taken in the branch is taken in production now."""
    evidence = version.evidence
    if evidence.objects:
        Ledger(base.state, version.product).note(set(evidence.objects), State.PUBLISHED)
    LastAttempts(base.state, version.product).published(evidence.run_id, evidence.partitions)
