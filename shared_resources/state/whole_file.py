"""A file that others see as it was or as it is to be, never in between.

Belongs here: writing it beside its place, and putting it there.
Does not belong here: waiting until it is on disk (`durable.py`).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def write_whole(file: Path, content: bytes, mode: int = 0o600) -> None:
    """Make the file, or replace it, with these permissions; its folder is there."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", dir=file.parent)
    made = Path(name)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        made.chmod(mode)
        made.replace(file)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
