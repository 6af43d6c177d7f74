"""Where attestations lie: in a folder, or on S3.

Belongs here: keeping and giving bytes by name. Does not belong here: what they say (`evidence/`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.state.whole_file import write_whole

if TYPE_CHECKING:
    from shared_resources.object_store.s3_objects import S3Objects


class AttestationFolder:
    """`evidence.kept.KeptAttestations` below a folder, which is made with the first one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, content: bytes) -> None:
        file = self._folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content)

    def read(self, name: str) -> bytes | None:
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self._folder / name).read_bytes()
        return None

    def names(self, folder: str) -> Sequence[str]:
        found = (self._folder / folder).glob("[!.]*.json")
        return sorted(f"{folder}/{file.name}" for file in found)

    def remove(self, names: Sequence[str]) -> None:
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
        for folder in {(self._folder / name).parent for name in names}:
            with suppress(OSError):  # something is left in it, or above
                while folder != self._folder:
                    folder.rmdir()
                    folder = folder.parent


class AttestationObjects:
    """The same on S3 below `place` (`s3://bucket/prefix`)."""

    def __init__(self, objects: S3Objects, place: str) -> None:
        self._objects = objects
        self._place = place

    def keep(self, name: str, content: bytes) -> None:
        self._objects.put(f"{self._place}/{name}", content)

    def read(self, name: str) -> bytes | None:
        location = f"{self._place}/{name}"
        return self._objects.read(location) if self._objects.exists(location) else None

    def names(self, folder: str) -> Sequence[str]:
        below = f"{self._place}/{folder}/"
        found = (one.location.removeprefix(below) for one in self._objects.listing(below))
        return sorted(f"{folder}/{name}" for name in found if "/" not in name)

    def remove(self, names: Sequence[str]) -> None:
        self._objects.delete(f"{self._place}/{name}" for name in names)
