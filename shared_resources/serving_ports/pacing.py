"""Serving a product whose versions come every few seconds: one generation for several of them.

Belongs here: when a stream's process has the newest version written to the port.
Does not belong here: how that is done (`following.py`), when it is told that it is late (`lagging.py`).

A generation is a whole version, so that what is served is always the version that its header names, row
by row. To change only the rows of a window in the current generation would be cheaper, and on SQLite be
seen in one step; on Cassandra it would not, as a batch over several partitions is seen piece by piece:
who reads two keys would see two versions of one name (docs/decisions/20-a-served-stream-is-paced.md).
"""

from __future__ import annotations

import time

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.serving_ports.following import serve_current

# Seconds between two generations, from the end of one to the beginning of the next: within these, and
# five times as long as writing one takes.
LEAST, MOST = 10.0, 60.0
_SHARE = 5


class PacedServing:
    """Of one process, which calls `committed` after each version, `go_on` often, and `end` at its end.

    Nothing is raised: the port serves the version before, and the product's health says so."""

    def __init__(self, environment: Environment, contract: Contract) -> None:
        self._environment, self._contract = environment, contract
        self._late = contract.serving is not None  # whoever was here before may have been killed
        self._not_before = 0.0

    def committed(self) -> None:
        self._late = self._contract.serving is not None

    def go_on(self) -> None:
        """Serve the newest version, if one is not served and the time has come."""
        if self._late and time.monotonic() >= self._not_before:
            began = time.monotonic()
            self._late = not serve_current(self._environment, self._contract)
            now = time.monotonic()
            self._not_before = now + min(max(LEAST, _SHARE * (now - began)), MOST)

    def end(self) -> None:
        """Serve it now, as nobody will later."""
        if self._late:
            self._late = not serve_current(self._environment, self._contract)
