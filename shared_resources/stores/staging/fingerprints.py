"""SHA-256 of files: what was audited is what is published, and what was published is what lies there.

Belongs here: computing it, and the name of a published file, which holds it: so whoever lists a
version's files knows what they must be, however long ago the version expired that brought them.
Does not belong here: what differs and what becomes of that (`stores/cleared.py`, the stores).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from shared_resources.evidence.record import FileDigest
from shared_resources.stores.protocol import StagedFile

# `hashlib` releases the lock; more than the processor has would only wait for the disk.
READERS = 4
_NAMED = re.compile(r"(?P<stem>.*)-(?P<sha256>[0-9a-f]{64})(?P<suffix>\.[a-z]+)")


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fingerprints_as_staged(files: Sequence[StagedFile]) -> tuple[FileDigest, ...]:
    """What each file is or, where staging told its digest, was then; in order."""
    told = {
        place: FileDigest(file.partition, file.rows, file.path.stat().st_size, file.sha256)
        for place, file in enumerate(files)
        if file.sha256 is not None
    }
    others = [place for place in range(len(files)) if place not in told]
    now = fingerprints([files[place] for place in others])
    told.update(zip(others, now, strict=True))
    return tuple(told[place] for place in range(len(files)))


def fingerprints(files: Sequence[StagedFile]) -> tuple[FileDigest, ...]:
    """What each file is now, in order, whatever is told of it."""
    if len(files) == 1:
        return (_fingerprint(files[0]),)
    with ThreadPoolExecutor(READERS, thread_name_prefix="digest") as pool:
        return tuple(pool.map(_fingerprint, files))


def _fingerprint(file: StagedFile) -> FileDigest:
    size = file.path.stat().st_size
    return FileDigest(file.partition, file.rows, size, sha256_of(file.path))


def named_by_digest(name: str, sha256: str) -> str:
    """The file's name with its digest before the suffix, instead of an earlier one."""
    found = _NAMED.fullmatch(name)
    path = Path(name)
    stem, suffix = (found["stem"], found["suffix"]) if found else (path.stem, path.suffix)
    return f"{stem}-{sha256}{suffix}"


def digest_in(name: str) -> str | None:
    """The digest that a published file's name holds; None for those of earlier releases."""
    found = _NAMED.fullmatch(name.rpartition("/")[2])
    return found["sha256"] if found else None


def name_by_digest(
    files: Iterable[StagedFile], digests: Iterable[FileDigest]
) -> tuple[StagedFile, ...]:
    """Rename staged files; their content stays what it is, and is not looked at."""
    renamed = []
    for file, digest in zip(files, digests, strict=True):
        path = file.path.with_name(named_by_digest(file.path.name, digest.sha256))
        if path != file.path:
            file.path.rename(path)
        renamed.append(replace(file, path=path))
    return tuple(renamed)
