"""Metadata files as this process has read or written them, so that none is read twice.

Belongs here: keeping the newest few, for as long as the file is the one that was read.
Does not belong here: reading them (`described.py`, pyiceberg), which of them a table is (the catalogs).

A table's metadata names all of its snapshots: of a stream that commits each second, reading it takes
longer than all the rest of a commit, and a commit looks at it a dozen times.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

_T = TypeVar("_T")


class ReadOnce(Generic[_T]):
    """The newest `most` files' contents. What is kept is shared: nobody changes it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, tuple[tuple[int, ...], _T]] = OrderedDict()
        self._lock = Lock()

    def get(self, file: str) -> _T | None:
        """None of what was never kept, or has been written anew since, or is gone."""
        with self._lock:
            kept = self._kept.get(file)
        if kept is None:
            return None
        try:
            state = _state(file)
        except OSError:
            state = ()
        with self._lock:
            if state != kept[0]:
                self._kept.pop(file, None)
                return None
            if file in self._kept:
                self._kept.move_to_end(file)
        return kept[1]

    def keep(self, file: str, content: _T) -> _T:
        """`content` is what the file holds. The same again."""
        with suppress(OSError):
            state = _state(file)
            with self._lock:
                self._kept[file] = (state, content)
                while len(self._kept) > self._most:
                    self._kept.popitem(last=False)
        return content


def _state(file: str) -> tuple[int, ...]:
    found = Path(file).stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
