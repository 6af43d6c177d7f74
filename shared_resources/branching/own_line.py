"""What a branch made of a product: its own versions, and where they left production's.

Belongs here: finding that, in each store. Does not belong here: whether it may be promoted
(`promotable.py`), what differs in the rows (`differences.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

from shared_resources.stores.branched.names import of_branch
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.protocol import Unreadable, Version
from shared_resources.stores.versions import lineage
from shared_resources.wiring import BranchEnvironment


@dataclass(frozen=True)
class OwnLine:
    """A product's line in one store of a branch.

    `made` are the versions of the branch that its content came from, newest first; none where it is
    production's content, as after a promotion whose process died. `began_with` is the version of
    production that the line left, None where production had none, or it has expired since;
    `production` is what production has now.
    """

    product: str
    store: BranchStore
    newest: Version
    made: tuple[Version, ...]
    began_with: Version | None
    production: Version | None

    @property
    def is_promoted(self) -> bool:
        """Whether production has it from this branch, in which it is only to be forgotten."""
        theirs = self.began_with
        return not self.made and theirs is not None and _is_of(theirs, self.store.branch)

    @property
    def moved(self) -> str | None:
        """Why this is not on top of what production has; None when it is."""
        now = self.production.number if self.production else 0
        began = self.began_with.number if self.began_with else 0
        if now == began:
            return None
        had = f"version {began}" if began else "none that is still kept"
        return (
            f"production has version {now} of {self.product} in the {self.store.name} by now, and the "
            f"branch began with {had}"
        )


def own_line(store: BranchStore, product: str) -> OwnLine | None:
    """None where the branch has published nothing of the product in this store.

    Raises `Unreadable`, unless all that is left is what a promotion had yet to forget.
    """
    theirs = store.base.versions(product)
    try:
        own = store.own_versions(product)
    except Unreadable:
        newest = theirs[-1] if theirs else None
        if newest is None or not _is_of(newest, store.branch):
            raise
        return OwnLine(product, store, newest, (), newest, newest)
    if not own:
        return None
    batches = {version.batch_id: version for version in theirs}
    made: list[Version] = []
    began_with = None
    for version in lineage(own):
        if version.batch_id in batches:
            began_with = batches[version.batch_id]
            break
        made.append(version)
    return OwnLine(product, store, own[-1], tuple(made), began_with, theirs[-1] if theirs else None)


def changed_products(branch: BranchEnvironment) -> tuple[str, ...]:
    """The products that the branch has made, by key; one that cannot be read is among them."""
    found = set[str]()
    for store in branch.stores.values():
        for product in of_branch(store.sharing.products(), branch.branch):
            try:
                line = own_line(store, product)
            except Unreadable:
                found.add(product)
                continue
            if line is not None and (line.made or line.is_promoted):
                found.add(product)
    return tuple(sorted(found))


def _is_of(version: Version, branch: str) -> bool:
    """Whether production has it from the branch."""
    evidence = version.evidence_or_none
    promoted = evidence.promoted if evidence else None
    return promoted is not None and promoted.branch == branch
