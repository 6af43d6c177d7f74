"""Grants that are kept for a moment, and decided again before somebody waits for it.

Belongs here: how long a decision holds, deciding it again beside the readings.
Does not belong here: the decision (`access/grants.py`), what it shows of a row (`reading.py`).

A decision holds for `FRESH` seconds from when it was begun, so that one that was taken back ends within
them; an agreement that ends at a moment ends at that moment. Deciding reads files: who uses a grant all
the time is spared that by `renew`, and of many who need the same one at once one decides.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from shared_resources.access.door import Reader
from shared_resources.access.grants import Grant, NoAgreement, grant_of
from shared_resources.environment import Environment

FRESH = 1.0
# A decision that is used is made anew when so much of its time is left.
_AHEAD = 0.6
_MOST = 10_000


@dataclass
class _Kept:
    decided: Grant | NoAgreement
    until: float
    used: bool = True


class KeptGrants:
    """Safe for many threads."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._lock = threading.Lock()
        self._known: dict[tuple[str, Reader], _Kept] = {}

    def at_hand(self, product: str, reader: Reader) -> Grant | None:
        """The grant, if it need not be decided now. Raises `NoAgreement`."""
        kept = self._known.get((product, reader))
        if kept is None or kept.until < time.monotonic():
            return None
        kept.used = True
        grant = kept.decided
        if isinstance(grant, NoAgreement):
            raise NoAgreement(str(grant), grant.outside)
        if grant.agreement is not None and not grant.agreement.in_force(datetime.now(UTC)):
            return None
        return grant

    def of(self, product: str, reader: Reader) -> Grant:
        """The grant, decided now if need be. Raises `NoAgreement`."""
        with self._lock:
            grant = self.at_hand(product, reader)
            if grant is not None:
                return grant
            decided = self._decide(product, reader).decided
        if isinstance(decided, NoAgreement):
            raise NoAgreement(str(decided), decided.outside)
        return decided

    def renew(self) -> None:
        """Decide anew what was used since it was decided; forget what was not and is over."""
        for (product, reader), kept in list(self._known.items()):
            left = kept.until - time.monotonic()
            if kept.used and left < _AHEAD * FRESH:
                with self._lock:
                    self._decide(product, reader).used = False
            elif left < 0:
                self._known.pop((product, reader), None)

    def _decide(self, product: str, reader: Reader) -> _Kept:
        decided: Grant | NoAgreement
        until = time.monotonic() + FRESH
        try:
            decided = grant_of(self._environment, product, reader.principal, reader.purpose)
        except NoAgreement as refused:
            decided = refused
        if len(self._known) >= _MOST:
            self._known.clear()
        kept = self._known[product, reader] = _Kept(decided, until)
        return kept
