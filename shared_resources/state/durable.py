"""On disk, not only written: what a commit names must outlive a power cut that follows it.

Belongs here: waiting until files, and the entries of their folders, are on disk.
Does not belong here: what must be there before what (the stores, the quarantine).

A rename or a link is atomic for processes; after a power cut its entry may be there and the bytes of
the file not. So the files come first, then the folders that name them, then what makes them visible.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# A disk orders what it is asked for at once; a year of days is 365 files.
WAITERS = 8


def sync(path: Path) -> None:
    """Wait until the file's bytes, or the folder's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_all(files: Iterable[Path], top: Path) -> None:
    """Wait for the files, then for the entries of every folder from them up to `top`, it included."""
    waiting = list(files)
    folders = {folder for file in waiting for folder in file.parents if _within(folder, top)}
    with ThreadPoolExecutor(WAITERS, thread_name_prefix="sync") as pool:
        for _ in pool.map(sync, waiting):
            pass
        for _ in pool.map(sync, sorted(folders)):
            pass


def write(path: Path, content: bytes) -> None:
    """Write a file whose bytes are on disk afterwards; its folder's entry is the caller's to sync."""
    with DurableFile(path) as file:
        file.write(content)


class DurableFile(io.BufferedWriter):
    """A new file, or an old one written anew, that is on disk once it is closed."""

    def __init__(self, path: Path, mode: str = "w") -> None:
        super().__init__(io.FileIO(path, mode))

    def close(self) -> None:
        try:
            if not self.closed:
                self.flush()
                os.fsync(self.fileno())
        finally:
            super().close()


def _within(folder: Path, top: Path) -> bool:
    return folder == top or folder.is_relative_to(top)
