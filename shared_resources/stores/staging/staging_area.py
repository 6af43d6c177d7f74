"""Where staged batches live until they are published, and what clears up after dead processes.

Belongs here: names of batches as folders, who owns a folder, which folders nobody needs any more.
Does not belong here: what is written into them (`staging.py`), publishing (the stores).

Layout: `<area>/<batch_id>/<attempt>/...`. Every attempt has a folder of its own, so that a run that
is tried again can never write into files that its earlier attempt has published meanwhile.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from shared_resources.stores.protocol import ORPHAN_AGE

OWNER = "_owner.json"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=+-]{0,199}")


def product_folder(root: Path, product: str) -> Path:
    """`root/<domain>/<name>`. Raises `ValueError` for a key that is not one or would climb out."""
    domain, _, name = product.partition("/")
    if not (_SAFE.fullmatch(domain) and _SAFE.fullmatch(name)):
        raise ValueError(f"{product!r} is no product key; it is written domain/name")
    return root / domain / name


def batch_folder(area: Path, batch_id: str) -> Path:
    """Raises `ValueError` for a batch id that is not fit to be a folder's name."""
    if not _SAFE.fullmatch(batch_id):
        raise ValueError(
            f"{batch_id!r} cannot name a batch: use up to 200 letters, digits and . _ = + -"
        )
    return area / batch_id


def new_attempt(area: Path, batch_id: str) -> Path:
    """Create a folder for one attempt at the batch, owned by this process."""
    attempt = batch_folder(area, batch_id) / uuid.uuid4().hex[:12]
    attempt.mkdir(parents=True)
    (attempt / OWNER).write_text(json.dumps(this_process()))
    return attempt


def attempts_of(area: Path, batch_id: str) -> list[Path]:
    return _folders(batch_folder(area, batch_id))


def staged_at(attempt: Path) -> datetime:
    """When the attempt was begun; long ago when it does not say."""
    try:
        # The folder's own time changes with every file that comes or goes.
        return datetime.fromtimestamp((attempt / OWNER).stat().st_mtime, UTC)
    except FileNotFoundError:
        return datetime.fromtimestamp(0, UTC)


def remove_attempt(attempt: Path) -> None:
    """Remove the folder, and its batch's folder when that is empty now."""
    shutil.rmtree(attempt, ignore_errors=True)
    with suppress(OSError):  # another attempt is there
        attempt.parent.rmdir()


def keep_only(attempt: Path, files: Collection[Path]) -> None:
    """Remove what the attempt holds besides these files: copies, and rows that were set aside."""
    kept = {path.resolve() for path in files}
    for path in list(walk(attempt)):
        if path.name != OWNER and path.resolve() not in kept:
            path.unlink(missing_ok=True)
    for folder, _, _ in os.walk(attempt, topdown=False):
        with suppress(OSError):  # it is not empty
            Path(folder).rmdir()


def remove_orphans(
    area: Path, is_published: Callable[[Path], bool], older_than: timedelta = ORPHAN_AGE
) -> list[str]:
    """Remove what `orphans` finds; name it."""
    found = orphans(area, is_published, older_than)
    for attempt in found:
        remove_attempt(attempt)
    return [str(attempt) for attempt in found]


def orphans(
    area: Path, is_published: Callable[[Path], bool], older_than: timedelta = ORPHAN_AGE
) -> list[Path]:
    """The attempts whose process is gone, or that are older; never one that is published.

    Whether its process is gone is asked first, of all, and `is_published` after it: nobody publishes
    an attempt after its process is gone.
    """
    attempts = [attempt for batch in _folders(area) for attempt in _folders(batch)]
    abandoned = [attempt for attempt in attempts if _abandoned(attempt, older_than)]
    return [attempt for attempt in abandoned if not is_published(attempt)]


def in_use(area: Path) -> list[Path]:
    """The attempts whose process lives, as far as can be told."""
    attempts = [attempt for batch in _folders(area) for attempt in _folders(batch)]
    return [attempt for attempt in attempts if not _abandoned(attempt, ORPHAN_AGE)]


def _folders(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError):
        return sorted(Path(entry.path) for entry in os.scandir(folder) if entry.is_dir())
    return []


def _abandoned(attempt: Path, older_than: timedelta) -> bool:
    try:
        age = time.time() - attempt.stat().st_mtime
        owner = json.loads((attempt / OWNER).read_text())
    except (FileNotFoundError, ValueError):
        # It died between making the folder and signing it, or is doing so now.
        with suppress(FileNotFoundError):
            return time.time() - attempt.stat().st_mtime > 60
        return False
    if age > older_than.total_seconds():
        return True
    return is_gone(owner)


def this_process() -> dict[str, Any]:
    """Who owns what this process makes; `is_gone` tells later whether it still does."""
    return {"host": _host(), "pid": os.getpid(), "started": _started(os.getpid())}


def is_gone(owner: Mapping[str, Any]) -> bool:
    """Whether the process has ended; False where that cannot be told: elsewhere, or since a boot."""
    if owner["host"] != _host():
        return False
    return _started(owner["pid"]) != owner["started"] or not _alive(owner["pid"])


def _host() -> str:
    """Where a process number means this process: containers may share a name and count their own."""
    places = [socket.gethostname()]
    with suppress(OSError):
        places.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        places.append(str(Path("/proc/self/ns/pid").readlink()))
    return " ".join(places)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _started(pid: int) -> str:
    """What tells this process from a later one with its number; ``""`` where there is no /proc."""
    with suppress(OSError):
        # The name, in parentheses, may hold spaces; the start time is the 20th field after it.
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[19]
    return ""


def walk(folder: Path) -> Iterator[Path]:
    """Every file below the folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def stored_bytes(folder: Path) -> int:
    """Of every file below the folder; one with several names counts once."""
    found: dict[tuple[int, int], int] = {}
    for path in walk(folder):
        with suppress(FileNotFoundError):
            stat = path.stat()
            found[stat.st_dev, stat.st_ino] = stat.st_size
    return sum(found.values())
