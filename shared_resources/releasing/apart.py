"""What is made apart and put in its place by one rename: where, and what killed processes left of it.

Belongs here: the folder to make it in, held as long as its maker lives.
Does not belong here: what is made (`releases.py`, `environments.py`).
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

_NEW, GOING = ".new-", ".old-"
# Held between making a folder and holding it, so that nobody takes it for a dead one's meanwhile.
_DOOR = ".making.lock"
_HELD = "held.lock"


@contextmanager
def apart(folder: Path) -> Iterator[Path]:
    """A place below `folder`, where nothing is yet; whatever is there at the end is removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / _DOOR):
        made = Path(tempfile.mkdtemp(prefix=_NEW, dir=folder))
        held = FileLock(made / _HELD)
        held.acquire()
    try:
        yield made / "made"
    finally:
        held.release()
        remove(made)


def sweep(folder: Path) -> list[Path]:
    """Remove what killed processes left below `folder`; what a living one makes stays."""
    if not folder.is_dir():
        return []
    swept = []
    with FileLock(folder / _DOOR):
        for left in (*folder.glob(f"{_NEW}*"), *folder.glob(f"{GOING}*")):
            if left.is_symlink():  # whatever it leads to is somebody else's
                left.unlink()
                continue
            try:
                with FileLock(left / _HELD, timeout=0):
                    swept.append(left)
            except Timeout:
                continue
            remove(left)
    return swept


def remove(folder: Path) -> None:
    """Remove a folder whose files may be read-only. What somebody else removes meanwhile is gone."""
    shutil.rmtree(folder, onerror=_writable_first)


def _writable_first(function: Any, path: str, raised: Any) -> None:
    if isinstance(raised[1], FileNotFoundError):
        return
    for one in (Path(path).parent, Path(path)):
        if not one.is_symlink():
            one.chmod(stat.S_IRWXU)
    function(path)
