"""Which generation of a product is the current one, for who reads row by row.

Belongs here: reading the pointer, and for how long it holds.
Does not belong here: switching it (`port.py`).
"""

from __future__ import annotations

import threading
import time

from shared_resources.serving_ports.cassandra.session import GENERATIONS, CassandraSession

# Of a thousand readings a second on one partition, Paxos would be most of the work.
HOLDS = 0.05  # seconds


class Pointers:
    """Safe for many threads. What is read here later is never older."""

    def __init__(self, session: CassandraSession) -> None:
        self._session = session
        self._looking = threading.Lock()
        self._known: dict[str, tuple[str | None, float]] = {}

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self._session,)

    def of(self, product: str) -> str | None:
        """The generation's id; None where nothing is served."""
        known = self._known.get(product)
        if known is None or known[1] < time.monotonic():
            with self._looking:  # one thread looks, the others then know
                before, known = known, self._known.get(product)
                if known is None or known is before:
                    known = self._known[product] = self._look(product)
        return known[0]

    def forget(self, product: str) -> None:
        """What is known is not so any more."""
        self._known.pop(product, None)

    def _look(self, product: str) -> tuple[str | None, float]:
        until = time.monotonic() + HOLDS
        row = self._session.execute(
            f"SELECT current FROM {GENERATIONS} WHERE product = ? LIMIT 1", (product,), serial=True
        ).one()
        return None if row is None else row.current, until
