"""The contracts under which something was published, by their digest: what a version was checked against.

Belongs here: keeping a contract's text once, and giving it again, in a folder or on S3.
Does not belong here: which contract a version was published under (`evidence/`), promises of domains
(`registry.py`).

A version's evidence names its contract by a digest, and the file in the project moves on. A text is
kept before the version is committed, so that no version names one that nobody has.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shared_resources.state.whole_file import write_whole

if TYPE_CHECKING:
    from shared_resources.contracts.model import Contract
    from shared_resources.object_store.s3_objects import S3Objects

_DIGEST = re.compile(r"[0-9a-f]{64}")


class PublishedContracts(Protocol):
    """Every method is safe to call from many processes."""

    def keep(self, digest: str, text: bytes) -> None:
        """Keep the text of that digest, unless it is kept."""
        ...

    def text(self, digest: str) -> bytes | None:
        """The text of that digest; None of one that is not kept, or is damaged."""
        ...


def keep_contract(kept: PublishedContracts, contract: Contract) -> None:
    """Keep what the contract was read from, which its file may say no more: a code server has read it
    when it started. One that was read from no file has no text."""
    if sha256(contract.text).hexdigest() == contract.digest:
        kept.keep(contract.digest, contract.text)


class ContractFolder:
    """Texts in a folder, which is made with the first one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, digest: str, text: bytes) -> None:
        file = self._folder / f"{digest}.yaml"
        if not file.is_file() or sha256(file.read_bytes()).hexdigest() != digest:
            self._folder.mkdir(parents=True, exist_ok=True)
            write_whole(file, text)

    def text(self, digest: str) -> bytes | None:
        file = self._folder / f"{digest}.yaml"
        if _DIGEST.fullmatch(digest) is None or not file.is_file():
            return None
        return _proven(file.read_bytes(), digest)


class ContractObjects:
    """Texts on S3 below `place` (`s3://bucket/prefix`); a process asks for each of them once."""

    def __init__(self, objects: S3Objects, place: str) -> None:
        self._objects = objects
        self._place = place
        self._kept: set[str] = set()

    def keep(self, digest: str, text: bytes) -> None:
        if digest not in self._kept:
            self._objects.put_once(self._location(digest), text)
            self._kept.add(digest)

    def text(self, digest: str) -> bytes | None:
        location = self._location(digest)
        if _DIGEST.fullmatch(digest) is None or not self._objects.exists(location):
            return None
        return _proven(self._objects.read(location), digest)

    def _location(self, digest: str) -> str:
        return f"{self._place}/{digest}.yaml"


def _proven(text: bytes, digest: str) -> bytes | None:
    return text if sha256(text).hexdigest() == digest else None
