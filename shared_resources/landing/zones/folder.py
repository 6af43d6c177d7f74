"""The landing zone as a folder.

Belongs here: everything that knows that objects are files.
Does not belong here: what every landing zone promises (`zone.py`).

Producers write to a hidden or temporary name and rename, so that an object appears whole. One that
does not is still caught while it is being copied (`ObjectChanged`), or by the reader.
"""

from __future__ import annotations

import contextlib
import filecmp
import os
import re
import shutil
import stat
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from shared_resources.confinement.guard import refuse
from shared_resources.contracts.reading.object_names import unfinished
from shared_resources.landing.errors import LandingError, ObjectChanged, RefusedKey
from shared_resources.landing.zones.zone import LandingObject, Page, parts_of
from shared_resources.state.durable import sync, sync_all

FETCH_ATTEMPTS = 4
INCOMING = ".incoming"
# What Python makes of bytes that are no UTF-8; U+E000 is the first character that sorts after them.
_NO_TEXT = re.compile("[\ud800-\udfff]")


class FolderLandingZone:
    """The folder `root`, which need not exist yet. Keys are relative to it, with `/`."""

    def __init__(self, root: Path) -> None:
        refuse("opens the landing zone")
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def page(self, prefix: str, start_after: str, limit: int) -> Page:
        """What comes after `start_after`; folders that lie before it are not looked into."""
        return self._page(self._path(prefix), start_after, limit)

    def page_of_all(self, start_after: str, limit: int) -> Page:
        return self._page(self.root, start_after, limit)

    def _page(self, folder: Path, start_after: str, limit: int) -> Page:
        paths = list(islice(self._walk(folder, start_after), limit + 1))
        objects, refusals = self._described(paths[:limit])
        return Page(
            objects=objects,
            names=tuple(map(self._place_of, paths[:limit])),
            more=len(paths) > limit,
            refusals=refusals,
        )

    def _described(
        self, paths: Iterable[Path]
    ) -> tuple[tuple[LandingObject, ...], tuple[tuple[str, str], ...]]:
        """The objects, and why others are none."""
        objects: list[LandingObject | None] = []
        refusals: list[tuple[str, str]] = []
        for path in paths:
            try:
                described = self._describe(path)
            except RefusedKey as refusal:
                refusals.append((self._place_of(path), str(refusal)))
            else:
                objects.append(described)
        return tuple(filter(None, objects)), tuple(refusals)

    def head(self, key: str) -> LandingObject | None:
        path = self._path(key)
        return None if any(map(unfinished, parts_of(key))) else self._describe(path)

    def fetch(self, obj: LandingObject, to: Path) -> LandingObject:
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

    def put(self, key: str, file: Path) -> bool:
        """The copy is made in a hidden folder at the root, below no product's prefix."""
        target = self._path(key)
        if target.exists() and filecmp.cmp(file, target, shallow=False):
            return False
        incoming = self.root / INCOMING / f"{os.getpid()}-{key.replace('/', '~')}"
        incoming.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(file, incoming)
            incoming.replace(target)
        finally:
            incoming.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another producer may be writing there
                incoming.parent.rmdir()
        return True

    def replace(self, obj: LandingObject, file: Path) -> LandingObject | None:
        target = self._path(obj.key)
        incoming = self.root / INCOMING / f"{os.getpid()}-{obj.key.replace('/', '~')}"
        incoming.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(file, incoming)
            now = self._describe(target)
            if now is None or now.etag != obj.etag:
                return None
            modified = target.stat().st_mtime_ns
            os.utime(incoming, ns=(modified, modified))
            sync_all([incoming], self.root)
            incoming.replace(target)
            sync(target.parent)
        finally:
            incoming.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # a producer may be writing there
                incoming.parent.rmdir()
        return self._describe(target)

    def forget_earlier(self, key: str) -> None:
        """A folder keeps none."""

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
        key = self._key(path)
        self._inside(path)
        if path.is_symlink() and path.is_dir():
            raise RefusedKey(
                f"{key}: is a link to a folder; put the objects themselves into the landing zone."
            )
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(status.st_mode):
            return None
        inode, size, modified = _identity(status)
        # Anybody may set the time of a file's last change, and nobody that of its description's.
        arrived = datetime.fromtimestamp(status.st_ctime, UTC)
        modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
        return LandingObject(
            key=key,
            size=size,
            modified_at=modified_at,
            etag=f"{modified:x}-{size:x}-{inode:x}",
            arrived_at=arrived if modified_at > arrived else None,
        )

    def _walk(self, folder: Path, start_after: str = "") -> Iterator[Path]:
        """Files below `folder` in the order of their keys, as a bucket lists them.

        A linked folder, which may loop, and one whose name nobody can write down stand for
        themselves.
        """
        try:
            entries = sorted(os.scandir(folder), key=_place)
        except FileNotFoundError:
            return
        except NotADirectoryError as error:
            raise LandingError(f"{folder}: is a file; a landing prefix is a folder.") from error
        for entry in entries:
            if unfinished(entry.name):
                continue
            path = Path(entry.path)
            key = self._place_of(path)
            if entry.is_dir(follow_symlinks=False) and not _NO_TEXT.search(entry.name):
                inside = f"{key}/"
                if inside > start_after or start_after.startswith(inside):
                    yield from self._walk(path, start_after)
            elif key > start_after:
                yield path

    def _path(self, key: str) -> Path:
        path = self.root.joinpath(*parts_of(key))
        self._inside(path)
        return path

    def _inside(self, path: Path) -> None:
        """Raise `RefusedKey` when following the links in `path` leads out of the root, or to what
        lies below another domain's prefixes: who may write below one could read another."""
        root, real = self.root.resolve(), path.resolve()
        if path == self.root:
            return
        if not real.is_relative_to(root) or real == root:
            where = "out of the landing zone"
        elif real.relative_to(root).parts[0] != path.relative_to(self.root).parts[0]:
            where = f"to {real.relative_to(root).parts[0]}/, where another domain's objects lie"
        else:
            return
        raise RefusedKey(
            f"{self._key(path)}: is a link that leads {where}; put the object itself there."
        )

    def _key(self, path: Path) -> str:
        key = path.relative_to(self.root).as_posix()
        parts_of(key)
        return key

    def _place_of(self, path: Path) -> str:
        """Where a path sorts among the keys, as text: its key, if it has one."""
        return _NO_TEXT.sub("\ue000", path.relative_to(self.root).as_posix())


def _place(entry: os.DirEntry[str]) -> str:
    """A folder stands where its objects' keys sort: `a.csv` comes before `a/b.csv`."""
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    """What changes when a file is replaced or written to: inode, size, time in nanoseconds."""
    return status.st_ino, status.st_size, status.st_mtime_ns
