"""The landing zone as a folder: list the objects below a prefix, take a private copy of one.

Belongs here: everything that knows where objects are kept; the rest of the platform sees keys,
sizes, times and etags only, so that a bucket can stand in for the folder.
Does not belong here: which object a contract means (`objects.py`), or what is in it (`reader.py`).

Producers write to a hidden or temporary name and rename, so that an object appears whole. One that
does not is still caught while it is being copied (`ObjectChanged`), or by the reader.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from shared_resources.landing.errors import LandingError, ObjectChanged, RefusedKey

TEMPORARY_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", "~")
FETCH_ATTEMPTS = 4


@dataclass(frozen=True)
class LandingObject:
    """One object. `etag` changes whenever the object is replaced; `modified_at` is in UTC."""

    key: str
    size: int
    modified_at: datetime
    etag: str


class LandingZone:
    """The folder `root`, which need not exist yet. Keys are relative to it, with `/`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def list(self, prefix: str) -> list[LandingObject]:
        """The objects below the folder `prefix`, at any depth, sorted by key.

        Hidden and temporary names are left out: they are someone's unfinished work. Raises
        `RefusedKey` for a prefix or a link that leads out of the zone.
        """
        folder = self._path(prefix)
        found = (self._describe(path) for path in self._walk(folder))
        return sorted((obj for obj in found if obj is not None), key=lambda obj: obj.key)

    def fetch(self, obj: LandingObject, to: Path) -> LandingObject:
        """Copy the object to the file `to`; return it as it was copied, which is what is ingested.

        That is `obj` itself, or what has replaced it since it was listed. Raises `ObjectChanged`
        when it keeps changing while it is copied, or is gone.
        """
        path = self._path(obj.key)
        to.parent.mkdir(parents=True, exist_ok=True)
        for _ in range(FETCH_ATTEMPTS):
            copied = self._copy(path, to)
            if copied is not None:
                return copied
        to.unlink(missing_ok=True)
        raise ObjectChanged(
            f"{obj.key}: replaced or removed while it was read, {FETCH_ATTEMPTS} times running; "
            "let its producer write to a temporary name and rename, then run again."
        )

    def _copy(self, path: Path, to: Path) -> LandingObject | None:
        """The object that was copied whole, or None when it changed meanwhile."""
        try:
            with path.open("rb") as source, to.open("wb") as target:
                before = _identity(os.fstat(source.fileno()))
                shutil.copyfileobj(source, target, 1 << 20)
                copied = target.tell()
                after = _identity(os.fstat(source.fileno()))
            described = self._describe(path)
            now = _identity(path.stat())
        except FileNotFoundError:
            return None
        if before != after or before != now or described is None or copied != described.size:
            return None
        return described

    def _describe(self, path: Path) -> LandingObject | None:
        """The object at `path`; None when it vanished or is no regular file."""
        self._inside(path)
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        inode, size, modified = _identity(status)
        return LandingObject(
            key=path.relative_to(self.root).as_posix(),
            size=size,
            modified_at=datetime.fromtimestamp(status.st_mtime, UTC),
            etag=f"{modified:x}-{size:x}-{inode:x}",
        )

    def _walk(self, folder: Path) -> Iterator[Path]:
        """Paths of the files below `folder`; linked folders are refused, since they may loop."""
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise LandingError(f"{folder}: is a file; a landing prefix is a folder.") from error
        for entry in entries:
            if _unfinished(entry.name):
                continue
            if entry.is_symlink() and entry.is_dir():
                raise RefusedKey(
                    f"{self._key(Path(entry.path))}: is a link to a folder; "
                    "put the objects themselves into the landing zone."
                )
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(Path(entry.path))
            else:
                yield Path(entry.path)

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if "\0" in key or "\\" in key or key.startswith("/") or ".." in parts or not parts:
            raise RefusedKey(
                f"{key!r}: leads out of the landing zone; "
                "a key or prefix is relative and holds no '..' or backslash."
            )
        path = self.root.joinpath(*parts)
        self._inside(path)
        return path

    def _inside(self, path: Path) -> None:
        """Raise `RefusedKey` when following the links in `path` leads out of the root."""
        if not path.resolve().is_relative_to(self.root.resolve()):
            raise RefusedKey(
                f"{self._key(path)}: is a link that leads out of the landing zone; "
                "put the object itself there."
            )

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    """What changes when a file is replaced or written to: inode, size, time in nanoseconds."""
    return status.st_ino, status.st_size, status.st_mtime_ns


def _unfinished(name: str) -> bool:
    return name.startswith((".", "_")) or name.endswith(TEMPORARY_SUFFIXES)
