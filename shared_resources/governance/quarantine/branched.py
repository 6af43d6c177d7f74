"""Where the quarantine's entries of a branch lie: its own beside production's.

Belongs here: reading both, and writing to the branch's alone.
Does not belong here: what an entry means (`quarantine.py`), the places themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from shared_resources.governance.quarantine.folder import QuarantineStore, Stored


class BranchedQuarantine:
    """`QuarantineStore`: what is decided about production's entries is known to the branch alone."""

    def __init__(self, base: QuarantineStore, own: QuarantineStore) -> None:
        self._base = base
        self._own = own

    def keep(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        if self._base.read(place) is None:
            self._own.keep(place, files, entry)

    def read(self, place: str) -> Stored | None:
        theirs, ours = self._base.read(place), self._own.read(place)
        if theirs is None or ours is None:
            return theirs or ours
        known = {name for name, _ in theirs.added}
        more = tuple(mark for mark in ours.added if mark[0] not in known)
        return replace(theirs, added=(*theirs.added, *more))

    def all(self, below: str) -> Iterator[Stored]:
        ours = {stored.place for stored in self._own.all(below)}
        for stored in self._base.all(below):
            both = self.read(stored.place) if stored.place in ours else stored
            ours.discard(stored.place)
            if both is not None:  # it may have been removed meanwhile
                yield both
        for place in sorted(ours):
            if (stored_here := self._own.read(place)) is not None:
                yield stored_here

    def local(self, place: str, name: str) -> Path | None:
        return self._own.local(place, name) or self._base.local(place, name)

    def add(self, place: str, name: str, content: bytes) -> None:
        """To production's entry, too: what it says is copied, its files are not."""
        theirs = self._base.read(place)
        if theirs is not None and self._own.read(place) is None:
            self._own.keep(place, {}, theirs.entry)
        self._own.add(place, name, content)

    def rewrite(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        """The branch's own entry alone."""
        self._own.rewrite(place, files, entry)

    def remove(self, place: str) -> None:
        self._own.remove(place)

    def sweep(self, product: str) -> None:
        self._own.sweep(product)
