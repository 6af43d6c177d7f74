"""Where the quarantine's entries lie: what every place promises, and the one that is a folder.

Belongs here: keeping an entry at once, finding it again, removing it.
Does not belong here: what an entry means (`quarantine.py`), the place on S3 (`s3.py`).

In the folder an entry appears by one rename, when all of it is on disk: what is refused is nowhere
else, and the refusal is reported next.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from shared_resources.state.durable import sync_all, write

ENTRY = "entry.json"
KEPT = "files"  # the folder of what was rejected
# Nobody takes a day to copy an entry: what is older was left by a process that died.
ABANDONED_SECONDS = 86_400
_INCOMING = ".incoming"


@dataclass(frozen=True)
class Stored:
    """An entry as it was kept. `place` is `<domain>/<product>/<id>`, `added` (name, content)."""

    place: str
    entry: bytes
    added: tuple[tuple[str, bytes], ...] = ()


class QuarantineStore(Protocol):
    """Every method is safe to call from many processes. Names are relative to the place."""

    def keep(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        """Keep the files by name; the entry is seen when all are there. Twice is as good as once."""

    def read(self, place: str) -> Stored | None:
        """The entry at the place."""

    def all(self, below: str) -> Iterator[Stored]:
        """The entries below `<domain>/<product>`, or all below the empty string, in no order."""

    def local(self, place: str, name: str) -> Path | None:
        """The file of an entry, on this machine; not to be changed."""

    def add(self, place: str, name: str, content: bytes) -> None:
        """Add a small file, unless there is one of that name."""

    def rewrite(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        """Put other content in the place of these files of an entry, and of what it says: to erase
        rows. Each is whole at any moment, what the entry says last."""

    def remove(self, place: str) -> None:
        """Remove the entry for good; from the first moment on nobody sees it."""

    def sweep(self, product: str) -> None:
        """Remove what processes left that died a day ago or earlier."""


class QuarantineFolder:
    """The entries below `root`. Files are linked where the file system can, else copied."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def keep(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        target = self._root / place
        self._sweep()
        with self._incoming() as incoming:
            for name, path in files.items():
                (incoming / name).parent.mkdir(exist_ok=True)
                _keep_file(path, incoming / name)
            write(incoming / ENTRY, entry)
            kept = [incoming / ENTRY, *(incoming / name for name in files)]
            sync_all(kept, incoming)
            target.parent.mkdir(parents=True, exist_ok=True)
            _appear(incoming, target)
            sync_all([target], self._root)

    def read(self, place: str) -> Stored | None:
        folder = self._root / place
        try:
            entry = (folder / ENTRY).read_bytes()
        except FileNotFoundError:
            return None
        added = [
            (str(path.relative_to(folder)), path.read_bytes())
            for path in sorted(folder.glob("*/*.json"))
            if path.parent.name != KEPT
        ]
        return Stored(place, entry, tuple(added))

    def all(self, below: str) -> Iterator[Stored]:
        pattern = "*/entry.json" if below else "[!.]*/*/*/entry.json"
        for path in (self._root / below).glob(pattern):
            stored = self.read(str(path.parent.relative_to(self._root)))
            if stored is not None:  # it may have been removed meanwhile
                yield stored

    def local(self, place: str, name: str) -> Path | None:
        path = self._root / place / name
        return path if path.exists() else None

    def add(self, place: str, name: str, content: bytes) -> None:
        target = self._root / place / name
        target.parent.mkdir(exist_ok=True)
        with self._incoming() as incoming:
            write(incoming / "added", content)
            with suppress(FileExistsError):
                os.link(incoming / "added", target)
            sync_all([target], self._root)

    def rewrite(self, place: str, files: Mapping[str, Path], entry: bytes) -> None:
        folder = self._root / place
        with self._incoming() as incoming:
            write(incoming / ENTRY, entry)
            for number, (name, path) in enumerate(files.items()):
                # Another file: the old one may have a second name, where it was staged.
                copy = incoming / str(number)
                shutil.copyfile(path, copy)
                sync_all([copy], incoming)
                copy.replace(folder / name)
            (incoming / ENTRY).replace(folder / ENTRY)
            sync_all([folder / ENTRY], self._root)

    def remove(self, place: str) -> None:
        with self._incoming() as incoming, suppress(FileNotFoundError):
            (self._root / place).rename(incoming / "removed")

    def sweep(self, product: str) -> None:
        self._sweep()

    @contextmanager
    def _incoming(self) -> Iterator[Path]:
        """A folder that no one lists, on the file system of the entries."""
        folder = self._root / _INCOMING / uuid.uuid4().hex
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _sweep(self) -> None:
        incoming = self._root / _INCOMING
        if not incoming.is_dir():
            return
        for left in incoming.iterdir():
            try:
                abandoned = time.time() - left.stat().st_mtime > ABANDONED_SECONDS
            except FileNotFoundError:
                continue  # its owner has just finished
            if abandoned:
                shutil.rmtree(left, ignore_errors=True)


def _keep_file(source: Path, target: Path) -> None:
    """A second name of the same immutable file, or a copy where there can be none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _appear(incoming: Path, target: Path) -> None:
    """Make the folder visible by one rename; another process that was faster has kept the same."""
    try:
        incoming.rename(target)
    except OSError:
        if not target.exists():
            raise
