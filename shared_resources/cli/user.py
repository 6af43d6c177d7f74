"""Who calls a command: kept with what they decide.

Belongs here: the name of the person or account. Does not belong here: what they may do.
"""

from __future__ import annotations

import getpass
import os


def user() -> str:
    """The name of who runs this; a container's user often has a number alone."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
