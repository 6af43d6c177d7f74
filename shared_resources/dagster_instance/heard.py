"""What the daemon has read of its workspace, for those who changed it.

Belongs here: where it says so. Does not belong here: reading it (`daemon.py`), changing it (`serving/`).
"""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path


def heard_file(workspace: Path) -> Path:
    """Holds the text of the workspace that the daemon knows."""
    return workspace.with_name(f"{workspace.name}.heard")


def wait_until_heard(workspace: Path, patience: timedelta) -> bool:
    """Wait until the daemon knows the workspace as it is now; whether it does."""
    end = time.monotonic() + patience.total_seconds()
    heard = heard_file(workspace)
    while not heard.exists() or heard.read_bytes() != workspace.read_bytes():
        if time.monotonic() > end:
            return False
        time.sleep(0.2)
    return True
