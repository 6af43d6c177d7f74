"""Whether what a branch made of a product may be promoted as it is, and if not, every reason.

Belongs here: the contract, the policies, the inputs and production against what the evidence says.
Does not belong here: promoting (`promoting.py`), the evidence that goes with it (`proof.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from shared_resources.branching.own_line import OwnLine, Productions, own_line, promoted_from
from shared_resources.contracts.model import Contract
from shared_resources.data_products.placement import misplaced
from shared_resources.data_products.publishing import behind
from shared_resources.evidence.record import Evidence
from shared_resources.governance.catalogue import PolicyViolation, policies_digest
from shared_resources.governance.stopped import ProductStopped, makeable, why_resting
from shared_resources.mesh import Mesh
from shared_resources.problems import MeshProblem
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.pins import pin_of
from shared_resources.stores.protocol import NotPublished, PublishError, Unreadable, Version
from shared_resources.wiring import BranchEnvironment


class NotPromotable(MeshProblem):
    """Something of what was asked for may not be promoted; the message says all that is against it."""


@dataclass(frozen=True)
class Candidate:
    """A product with its lines, in the order of the contract's stores."""

    contract: Contract
    lines: tuple[OwnLine, ...]

    @property
    def product(self) -> str:
        return self.contract.key

    @property
    def is_done(self) -> bool:
        """Production has all of it: what is left is to forget it in the branch."""
        return not any(line.made for line in self.lines)

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """Of the versions that its content came from, newest first."""
        return tuple(version.evidence for version in self.lines[0].made)


def candidate(branch: BranchEnvironment, contract: Contract) -> Candidate | None:
    """None where the branch has not made the product in every store of its contract.

    Of a promotion whose process died last of all some lines are forgotten already.
    """
    stores = [store for server, store in branch.stores.items() if server in contract.servers]
    lines = [own_line(store, contract.key) for store in stores]
    found = tuple(line for line in lines if line is not None)
    whole = len(found) == len(lines) or not any(line.made for line in found)
    return Candidate(contract, found) if found and whole else None


def against(
    branch: BranchEnvironment, mesh: Mesh, one: Candidate, promoted: Collection[str]
) -> Iterator[str]:
    """What is against promoting it, together with the products `promoted`."""
    if one.is_done:
        return
    yield from _policies(branch, mesh, one)
    for line in one.lines:
        yield from _store(one.contract, line)
    if not one.lines[0].made:
        return  # it was promoted, but for a store that comes after; that was judged then
    if behind(one.contract, tuple(line.store for line in one.lines)):
        yield "its stores in the branch are not level: `mesh run` in the branch mends that"
    if why := misplaced(branch.base, one.contract):
        yield why
    yield from _contract(mesh, one)
    inputs = (why for line in one.lines[:1] for why in _inputs(branch, line, promoted))
    yield from dict.fromkeys(inputs)


def _store(contract: Contract, line: OwnLine) -> Iterator[str]:
    if not line.made:
        return
    if why := line.moved:
        yield why
        return
    began = line.began_with.number if line.began_with else 0
    own = in_branch(contract.key, line.store.branch)
    try:
        line.store.sharing.check(contract, own, line.newest.number, began)
    except (PublishError, NotPublished) as problem:
        yield f"the {line.store.name} would not take it: {problem}"


def _policies(branch: BranchEnvironment, mesh: Mesh, one: Candidate) -> Iterator[str]:
    try:
        makeable(mesh, one.product)
    except (ProductStopped, PolicyViolation) as problem:
        yield str(problem)
    if why := why_resting(one.contract):
        yield why


def _contract(mesh: Mesh, one: Candidate) -> Iterator[str]:
    contract, again = one.contract, "make it again in the branch"
    domain = mesh.domain(contract.domain)
    for evidence in one.evidence[:1] if contract.partitioning is None else one.evidence:
        found = (evidence.contract_version, evidence.contract_digest)
        if found != (contract.version, contract.digest):
            yield (
                f"it was audited by another text of its contract (version {found[0]}) than "
                f"{contract.path} has now (version {contract.version}); {again}"
            )
            return
        if evidence.policies != policies_digest(contract, domain.waivers, domain.central):
            yield f"the central policies, or their waivers, have changed since it was audited; {again}"
            return
        if unproven := [rule.name for rule in contract.rules if not evidence.proves(rule)]:
            yield f"it has not passed {', '.join(unproven)}; {again}"
            return


def _inputs(branch: BranchEnvironment, line: OwnLine, promoted: Collection[str]) -> Iterator[str]:
    for version in line.made:
        for product, pin in version.evidence.inputs.items():
            names = {one.name: one for one in branch.stores.values()}
            store = names.get(pin.partition(":")[0])
            if store is None:
                yield f"it was made of a sample of {product}; make it again in the branch, of all of it"
                continue
            read = resolve(store, product, pin, version)
            if why := _not_current(branch.branch, store, product, read, promoted):
                yield f"{why}; make it again in the branch"


def _not_current(
    branch: str, store: BranchStore, product: str, read: Version | None, promoted: Collection[str]
) -> str | None:
    theirs = store.base.versions(product)
    current = theirs[-1] if theirs else None
    if read is None:
        return f"it was made of a version of {product} that is no longer kept"
    own = own_line(store, product)
    if product in promoted and own is not None and own.made:
        if read == own.newest:
            return None
        return f"it was made of {product} as it was before the branch made that again"
    if own is not None and read in own.made:
        return (
            f"it was made of version {read.number} of {product} in branch {branch}, which is not "
            f"promoted with it: name {product}, too, or"
        )
    if read == current:
        return None
    now = f"at version {current.number}" if current else "not there"
    return f"it was made of version {read.number} of {product}, which is {now} by now"


def resolve(store: BranchStore, product: str, pin: str, reader: Version) -> Version | None:
    """The version that stands for `pin` (`store:number:snapshot`), as `reader` was made of it.

    It is production's where production has it. What was promoted has another number since; and a
    number, or a pin, may be another version's by now, which was published after it was read.
    """
    theirs = store.base.versions(product)
    productions = Productions(store.branch, theirs)
    for version in _own_versions(store, product):
        if str(pin_of(version)) == pin and version.published_at <= reader.published_at:
            return productions.find(version) or version
    for version in reversed(theirs):
        promoted = promoted_from(version, store.branch)
        if promoted is not None and pin in promoted.pins:
            return version
    number = pin.split(":")[1]
    for version in store.versions(product):
        if str(version.number) == number:
            same = str(pin_of(version)) == pin or version.published_at <= reader.published_at
            return (productions.find(version) or version) if same else None
    return None


def _own_versions(store: BranchStore, product: str) -> list[Version]:
    try:
        return store.own_versions(product)
    except Unreadable:
        return []  # a promotion died as it forgot them: production has them
