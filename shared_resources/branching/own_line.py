"""What a branch made of a product: its own versions, and where they left production's.

Belongs here: finding that, in each store. Does not belong here: whether it may be promoted
(`promotable.py`), what differs in the rows (`differences.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared_resources.evidence.record import Promoted
from shared_resources.stores.branched.names import of_branch
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.pins import pin_of
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
        return (
            not self.made and theirs is not None and bool(promoted_from(theirs, self.store.branch))
        )

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


class Productions:
    """Which version of production one of the branch is: the line began with it, or it was promoted.

    A batch id does not tell: a replay has that of its entry, in the branch and in production alike.
    """

    def __init__(self, branch: str, theirs: Sequence[Version]) -> None:
        self._same = {_identity(version): version for version in theirs}
        self._promoted = [
            (version, set(promoted.pins))
            for version in theirs
            if version.rollback_of is None and (promoted := promoted_from(version, branch))
        ]

    def find(self, version: Version) -> Version | None:
        """None where production has no such version."""
        if same := self._same.get(_identity(version)):
            return same
        pin = str(pin_of(version))
        for theirs, pins in self._promoted:
            # A store of numbers alone gives a pin again after a promotion.
            if pin in pins and version.published_at <= theirs.published_at:
                return theirs
        return None


def own_line(store: BranchStore, product: str) -> OwnLine | None:
    """None where the branch has published nothing of the product in this store.

    Raises `Unreadable`, unless all that is left is what a promotion had yet to forget.
    """
    theirs = store.base.versions(product)
    try:
        own = store.own_versions(product)
    except Unreadable:
        newest = theirs[-1] if theirs else None
        if newest is None or promoted_from(newest, store.branch) is None:
            raise
        return OwnLine(product, store, newest, (), newest, newest)
    if not own:
        return None
    productions = Productions(store.branch, theirs)
    made: list[Version] = []
    began_with = None
    for version in lineage(own):
        if (began_with := productions.find(version)) is not None:
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


def promoted_from(version: Version, branch: str) -> Promoted | None:
    """What production's version notes of its promotion; None where it is not from this branch."""
    evidence = version.evidence_or_none
    promoted = evidence.promoted if evidence else None
    return promoted if promoted is not None and promoted.branch == branch else None


def _identity(version: Version) -> tuple[int, str, datetime]:
    """What a fork leaves as it was."""
    return version.number, version.batch_id, version.published_at
