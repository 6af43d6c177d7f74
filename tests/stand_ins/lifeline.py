"""A server ends with the process that started it, however that one ended: SIGKILL included.

Belongs here: noticing it in the server. Does not belong here: starting servers (`servers.py`).
"""

from __future__ import annotations

import os
import sys
import threading


def end_with_parent() -> None:
    """Standard input is a pipe that the parent holds, and that ends when the parent does."""
    threading.Thread(target=_wait, daemon=True).start()


def _wait() -> None:
    sys.stdin.buffer.read()
    os._exit(0)
