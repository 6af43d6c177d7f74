"""Local copies of immutable remote files, within a limit of bytes: fetched once, read many times.

Belongs here: where a copy lies, that it is whole, that one process fetches it while others wait, and
which copies go: when the limit is reached, and when nobody has used them for a week.
Does not belong here: fetching and checking the bytes (the stores), files that can change.

Layout: `<folder>/<two digits>/<hash of the name><suffix>`. A copy's modification time is when it was
last used.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from filelock import FileLock

LIMIT_VARIABLE = "MESH_COPIES_BYTES"
LIMIT_BYTES = 20 << 30
# A statement may still be reading what was asked for so long ago; such a copy never goes.
IN_USE_SECONDS = 2 * 3600.0
# Rows whose retention is over may be personal, and nobody reads them any more: their copies go because
# they are not used. What is read every day stays over a long weekend, and all else can be fetched.
UNUSED_SECONDS = 7 * 24 * 3600.0
SWEEP_SECONDS = 24 * 3600.0
# Looking through all copies after each new one would cost more than a little over the limit.
SLACK = 20
_SUFFIX = re.compile(r"\.[a-z0-9]{1,16}")


class LocalCopies:
    """Copies below `folder`, shared by all processes of the machine. Thread-safe.

    `limit` bytes are kept, by default those of `MESH_COPIES_BYTES` or 20 GiB: beyond it the copies
    go that were not used for the longest time, but none that was used within `in_use` seconds. What
    was not used for a week goes whatever the limit, within a day on a machine that reads anything: its
    nightly housekeeping does.
    """

    def __init__(
        self, folder: Path, limit: int | None = None, in_use: float = IN_USE_SECONDS
    ) -> None:
        self._folder = folder
        self._limit = limit
        self._in_use = in_use
        self._unchecked: int | None = None  # bytes added since the last look; None: never looked
        self._sweep_at = 0.0

    @property
    def limit(self) -> int:
        if self._limit is not None:
            return self._limit
        return int(os.environ.get(LIMIT_VARIABLE) or LIMIT_BYTES)

    def get(self, name: str, fetch: Callable[[Path], None], size: int | None = None) -> Path:
        """The copy of the remote file `name`, whose content never changes; of `size` bytes, if told.

        When there is none yet, `fetch` writes it to the path that it is given, and raises when it
        cannot or the bytes are not those of `name`: then there is no copy. Of several processes
        that ask at once, one fetches.
        """
        copy = self._copy(name)
        if not _use(copy, size):
            locks = self._folder / "locks"
            locks.mkdir(parents=True, exist_ok=True)
            # The lock frees itself when its holder dies. Names share 256 of them: they stay few.
            with FileLock(locks / copy.parent.name):
                if not _use(copy, size):
                    self._fetch(copy, fetch)
        self._sweep_daily()
        return copy

    def adopt(self, name: str, file: Path) -> None:
        """Make a local file that was just sent away its own copy, at no cost; else do nothing."""
        copy = self._copy(name)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with suppress(OSError):  # it is there, or lies on another disk
            os.link(file, copy)
            self._added(copy)

    def remove_all(self) -> None:
        """Whoever needs one fetches it again; who has one open reads it to its end."""
        with suppress(FileNotFoundError):  # there never was one
            for copy in self._all():
                copy.path.unlink(missing_ok=True)

    def _copy(self, name: str) -> Path:
        digest = hashlib.sha256(name.encode()).hexdigest()[:40]
        suffix = PurePosixPath(name).suffix
        return self._folder / digest[:2] / (digest + (suffix if _SUFFIX.fullmatch(suffix) else ""))

    def _fetch(self, copy: Path, fetch: Callable[[Path], None]) -> None:
        copy.parent.mkdir(parents=True, exist_ok=True)
        partial = copy.with_name(f".{uuid.uuid4().hex}.part")
        try:
            try:
                fetch(partial)
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise
                self._make_room(0)
                fetch(partial)
            partial.chmod(0o444)
            partial.replace(copy)
        finally:
            partial.unlink(missing_ok=True)
        self._added(copy)

    def _added(self, copy: Path) -> None:
        if self._unchecked is not None:
            self._unchecked += copy.stat().st_size
        if self._unchecked is None or self._unchecked > self.limit / SLACK:
            self._unchecked = 0
            self._make_room(self.limit)

    def _sweep_daily(self) -> None:
        """Remove what was not used for long, if no process of the machine has done so for a day."""
        now = time.time()
        if now < self._sweep_at:
            return
        marker = self._folder / ".swept"
        with suppress(FileNotFoundError):
            self._sweep_at = marker.stat().st_mtime + SWEEP_SECONDS
            if now < self._sweep_at:
                return
        self._sweep_at = now + SWEEP_SECONDS
        with suppress(OSError):  # a full disk: then all the more
            marker.touch()  # first, so that no other process begins, too
        self._make_room(self.limit)

    def _make_room(self, limit: int) -> None:
        """Remove the copies that were used the longest ago, until the rest is within the limit.

        And all that were not used for a week.
        """
        found = sorted(self._all(), key=lambda copy: copy.used)
        total = sum(copy.size for copy in found)
        now = time.time()
        youngest, unused = now - self._in_use, now - UNUSED_SECONDS
        for copy in found:
            partial = copy.path.suffix == ".part"  # of a dead process, when it is old
            goes = partial or copy.used < unused or total > limit
            if copy.used >= youngest or not goes:
                continue
            copy.path.unlink(missing_ok=True)
            total -= copy.size

    def _all(self) -> list[_Copy]:
        found = []
        for folder in os.scandir(self._folder):
            if len(folder.name) == 2 and folder.is_dir():
                for entry in os.scandir(folder.path):
                    with suppress(FileNotFoundError):  # another process made room
                        stat = entry.stat()
                        found.append(_Copy(Path(entry.path), stat.st_size, stat.st_mtime))
        return found


@dataclass(frozen=True)
class _Copy:
    path: Path
    size: int
    used: float


def _use(copy: Path, size: int | None) -> bool:
    """Whether the copy is there; from now on it was just used.

    After a power cut it may be shorter than it was, since nothing waits for the disk here: most
    often it is empty.
    """
    try:
        os.utime(copy)
        found = copy.stat().st_size
    except FileNotFoundError:
        return False
    return found > 0 if size is None else found == size
