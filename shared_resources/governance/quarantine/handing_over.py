"""Entries that pass from one quarantine to another: those of a branch, which production gets.

Belongs here: keeping one there, and removing it again.
Does not belong here: which entries pass, and when (`branching/carrying.py`).
"""

from __future__ import annotations

import json

from shared_resources.governance.quarantine.folder import KEPT
from shared_resources.governance.quarantine.quarantine import (
    CLOSED,
    REJECTS,
    Quarantine,
    place_of,
)
from shared_resources.governance.quarantine.rejection import QuarantineEntry


def hand_over(entry: QuarantineEntry, giver: Quarantine, taker: Quarantine, on_top_of: int) -> None:
    """Keep the entry as it is with the giver, closed if it is closed there, but rejected on top of
    the taker's version `on_top_of`; twice is as good as once."""
    place = place_of(entry.product, entry.id)
    stored = giver.store.read(place)
    assert stored is not None, "it was listed a moment ago"
    named = zip(entry.file_names, giver.files(entry), strict=True)
    kept = {f"{KEPT}/{name}": path for name, path in named}
    if rejects := giver.rejects(entry):
        kept[REJECTS] = rejects
    if taker.store.read(place) is None:
        content = {**json.loads(stored.entry), "on_top_of": on_top_of}
        taker.store.keep(place, kept, json.dumps(content, indent=1).encode())
    for name, mark in stored.added:
        if name == CLOSED:
            taker.store.add(place, name, mark)


def take_back(taker: Quarantine, product: str, id_: str) -> None:
    """Remove an entry that was handed over for a version that never came."""
    taker.store.remove(place_of(product, id_))
