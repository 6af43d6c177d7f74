"""The order of `mesh run`: what is ready, what waits, what an upstream failure holds back.

Belongs here: the state of one run over many products, without processes or display.
Does not belong here: executing (`execution.py`), processes (`workers.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


@dataclass
class Schedule:
    """`reads` gives, for every selected product, the products it reads (selected or not).

    A product is ready when all selected products that it reads have succeeded. One whose upstream
    failed is held: it keeps its last good version, and everything else goes on.
    """

    reads: Mapping[str, Collection[str]]
    waiting: set[str] = field(init=False)
    succeeded: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    held: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.waiting = set(self.reads)

    def ready(self) -> list[str]:
        """Products that may start now; those that the longest chain waits for come first."""
        ready = [key for key in self.waiting if not self._unfinished(key)]
        return sorted(ready, key=lambda key: (-self._chain(key), key))

    def start(self, product: str) -> None:
        self.waiting.discard(product)

    def finish(self, product: str, succeeded: bool) -> list[str]:
        """Record how a product ended; return those that are held because of it."""
        self.waiting.discard(product)
        (self.succeeded if succeeded else self.failed).add(product)
        if succeeded:
            return []
        held: list[str] = []
        stopped = {product}
        while True:
            more = {k for k in self.waiting if any(up in stopped for up in self.reads[k])}
            if not more:
                return sorted(held)
            for key in more:
                self.held[key] = product
            self.waiting -= more
            stopped |= more
            held.extend(more)

    def _unfinished(self, key: str) -> bool:
        return any(up in self.reads and up not in self.succeeded for up in self.reads[key])

    def _chain(self, key: str) -> int:
        """How many products follow one another from this one on. The mesh has no cycles."""
        return 1 + max((self._chain(k) for k, ups in self.reads.items() if key in ups), default=0)
