"""What is opened once a process: a connection must not cross a fork, nor be pickled.

Belongs here: keeping it by process. Does not belong here: what is opened (who uses it).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class OncePerProcess(Generic[T]):
    """Calls `make` when it is first asked for in a process. A pickled copy starts empty."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: dict[int, T] = {}

    def __getstate__(self) -> dict[str, object]:
        return {"_make": self._make, "_made": {}}

    def __call__(self) -> T:
        process = os.getpid()
        if process not in self._made:
            self._made[process] = self._make()
        return self._made[process]

    def already(self) -> T | None:
        """What this process has opened; None when it was not asked for yet."""
        return self._made.get(os.getpid())

    def forget(self) -> None:
        """Make it anew when it is next asked for in this process."""
        self._made.pop(os.getpid(), None)
