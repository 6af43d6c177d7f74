"""The processor time of whole processes.

Belongs here: what the processes that something starts, and those below them, use.
Does not belong here: starting them.
"""

from __future__ import annotations

from collections.abc import Callable

import psutil


def seconds_of_children(start: Callable[[], object]) -> float:
    """The seconds of CPU of the processes that the call starts and waits for."""
    before = _used()
    start()
    return _used() - before


def _used() -> float:
    used = psutil.Process().cpu_times()
    return float(used.children_user + used.children_system)
