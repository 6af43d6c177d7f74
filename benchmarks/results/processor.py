"""The processor time of whole processes.

Belongs here: what the processes that something starts, and those below them, use.
Does not belong here: starting them.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

import psutil

from shared_resources.governance.audit.domain_rules.process.limits import inherit_orphans


def seconds_of_children(start: Callable[[], object]) -> float:
    """The seconds of CPU of the processes that the call starts, and of those that these leave behind:
    an audit's command does not wait for the process that asked its rules."""
    inherit_orphans()
    before = _used()
    start()
    with suppress(ChildProcessError):  # there is none any more
        while True:
            os.waitpid(-1, 0)
    return _used() - before


def _used() -> float:
    used = psutil.Process().cpu_times()
    return float(used.children_user + used.children_system)
