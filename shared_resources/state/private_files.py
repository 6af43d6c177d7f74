"""Files that this process makes are its user's alone: data, logs and databases of the mesh.

Belongs here: saying so to the system, once a process.
Does not belong here: who may read what through the mesh.
"""

from __future__ import annotations

import os

_OTHERS = 0o077


def keep_files_private() -> None:
    """Let nobody else read what this process, and those that it starts, make from now on."""
    os.umask(os.umask(_OTHERS) | _OTHERS)
