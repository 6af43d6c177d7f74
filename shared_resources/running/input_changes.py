"""Which days of an input changed since a version of it was read.

Belongs here: reading that from the evidence of the versions in between, and saying so where it does
not tell.
Does not belong here: what follows for who reads the input (`unchanged.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from shared_resources.contracts.model import UNPARTITIONED
from shared_resources.environment import Environment
from shared_resources.stores.opening import holding
from shared_resources.stores.protocol import Version


@dataclass(frozen=True)
class InputChanges:
    """The changes of a product that others read.

    `store` and `current` are where readers find it now; 0: nowhere. `last` is the version that last
    changed each day, of those after `known_since`: what changed up to that one nobody knows.
    """

    store: str = ""
    current: int = 0
    known_since: int = 0
    last: Mapping[str, int] = field(default_factory=dict)

    def moved(self, pin: tuple[str, int]) -> bool:
        """Whether readers find another version now than the one of that store and number."""
        return pin != (self.store, self.current)

    def changed(self, day: str, pin: tuple[str, int]) -> bool:
        """Whether the day's rows may be other ones than in the version of that store and number."""
        store, number = pin
        if store != self.store or not self.known_since <= number <= self.current:
            return True
        return self.last.get(day, 0) > number


def changes_of(environment: Environment, product: str) -> InputChanges:
    """What changed of a product, by the versions of the store that readers find it in."""
    store, versions = holding(environment, product)
    return InputChanges() if store is None else _by_versions(store.name, versions)


def _by_versions(store: str, versions: list[Version]) -> InputChanges:
    current = known_since = versions[-1].number
    last: dict[str, int] = {}
    for version in reversed(versions):
        days = _days(version)
        if version.number != known_since or days is None:
            break
        for day in days:
            last.setdefault(day, version.number)
        known_since -= 1
    return InputChanges(store, current, known_since, last)


def _days(version: Version) -> tuple[str, ...] | None:
    """The days that the version replaced; None where they are not all that differs from the one
    before, or where nobody knows."""
    evidence = version.evidence_or_none
    if evidence is None or version.rollback_of is not None or evidence.rolled_back is not None:
        return None
    if evidence.replay_of is not None or UNPARTITIONED in evidence.partitions:
        return None
    return evidence.partitions
