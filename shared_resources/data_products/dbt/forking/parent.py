"""Ending with the process that waits, so that no dbt is left which writes for nobody.

Belongs here: the first thing that a dbt of its own does. Does not belong here: what the server's children
do, which end with the server (`server.py`).
"""

from __future__ import annotations

import os
import signal

from shared_resources.governance.audit.domain_rules.process.limits import end_with_parent


def end_with(parent: int) -> None:
    """End this process when `parent`, which has started it, ends, or has ended already."""
    end_with_parent(signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
