"""What the batches of a promoted version set aside goes with it into production's quarantine.

Belongs here: which entries those are, keeping them there, and taking them back when no version follows.
Does not belong here: promoting (`promoting.py`), what an entry means (`governance/quarantine/`).

Nothing rejected may be lost, so an entry is in production before the version that names it. Whoever
dies in between has left entries without a version. Which ones is noted before; the next promotion
finds the note, or the drop of the branch, and takes back what no version names.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path

from shared_resources.branching.own_line import OwnLine
from shared_resources.branching.promotable import NotPromotable
from shared_resources.data_products.publishing import product_lock
from shared_resources.governance.quarantine import handing_over
from shared_resources.governance.quarantine.settlement import with_replacements
from shared_resources.state.whole_file import write_whole
from shared_resources.wiring import BranchEnvironment

_NOTES = "carrying"


def standing(
    branch: BranchEnvironment, line: OwnLine, named: Collection[str], partitions: Collection[str]
) -> tuple[str, ...]:
    """The entries that stand beside the line's content, oldest first: of `named`, which its batches
    left, those that no later batch of the branch took the place of or published; and of production's
    own those whose rows are not in `partitions` as the branch made them.

    Raises `NotPromotable` where what was set aside is on another machine.
    """
    product = line.product
    entries = with_replacements(branch.quarantine.list(product), line.store.versions(product))
    if lacking := sorted(set(named) - {entry.id for entry in entries}):
        raise NotPromotable(
            f"{product}: what its audit set aside is not on this machine ({', '.join(lacking)}), and "
            "would be lost. Promote it where it was made, or make it again here."
        )
    theirs = {entry.id for entry in branch.base.quarantine.list(product)}
    return tuple(
        entry.id
        for entry in entries
        if not entry.replays
        and entry.replaced_by is None
        and (entry.id in named or (entry.id in theirs and set(entry.partitions) & set(partitions)))
    )


def carry(branch: BranchEnvironment, product: str, ids: Sequence[str], on_top_of: int) -> None:
    """Keep these entries in production, too, as rejected on top of production's version `on_top_of`."""
    base = branch.base.quarantine
    there = {entry.id for entry in base.list(product)}
    ours = [entry for entry in branch.quarantine.list(product) if entry.id in {*ids} - there]
    if not ours:
        return
    note = _note(branch, product)
    note.parent.mkdir(parents=True, exist_ok=True)
    write_whole(note, json.dumps([entry.id for entry in ours]).encode())
    for entry in ours:
        handing_over.hand_over(entry, branch.quarantine, base, on_top_of)


def carried(branch: BranchEnvironment, product: str) -> None:
    """A version that names them is there: they stay."""
    _note(branch, product).unlink(missing_ok=True)


def take_back(branch: BranchEnvironment) -> None:
    """Remove from production what was carried there for a version that never came."""
    for note in sorted((branch.home / _NOTES).glob("*/*.json")):
        product = f"{note.parent.name}/{note.stem}"
        with product_lock(branch.base, product):
            if note.is_file():  # else the promotion that wrote it has come to its end meanwhile
                _take_back(branch, product, json.loads(note.read_bytes()))
                note.unlink()


def _take_back(branch: BranchEnvironment, product: str, ids: Sequence[str]) -> None:
    named = {
        id_
        for store in branch.base.stores.values()
        for version in store.versions(product)
        if (evidence := version.evidence_or_none) is not None
        for id_ in evidence.quarantined
    }
    quarantine = branch.base.quarantine
    # Of what was replayed meanwhile a version says that it was published.
    named |= {entry.id for entry in quarantine.list(product) if entry.replays}
    for id_ in ids:
        if id_ not in named:
            handing_over.take_back(quarantine, product, id_)


def _note(branch: BranchEnvironment, product: str) -> Path:
    return branch.home / _NOTES / f"{product}.json"
