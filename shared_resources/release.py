"""Which release runs here, of the platform and of a domain: another one's results may not hold any more.

Belongs here: a digest of the text of the platform's own code, the versions of what it stands on, the
digest of the domain's release whose files these are.
Does not belong here: what is kept under it (`mesh/kept_contracts.py`, `arrivals/listing.py`), making
releases of domains (`releasing/`).
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

_PLATFORM = Path(__file__).parent
# Says what a domain's release is; it lies beside the files, which are a project of their own.
RELEASE_FILE = "release.json"


@cache
def code_digest(*rooms: str) -> str:
    """SHA-256 of all code in these rooms of the platform; a room is a folder or a module."""
    digest = hashlib.sha256()
    for room in rooms:
        place = _PLATFORM / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]:
            text = file.read_bytes()
            digest.update(f"{file.relative_to(_PLATFORM)} {len(text)} ".encode() + text)
    return digest.hexdigest()


def domain_release(root: Path) -> str | None:
    """The digest of the domain's release whose files the project at `root` is; None for any other."""
    try:
        digest = json.loads((root.parent / RELEASE_FILE).read_bytes())["digest"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    # It lies in a folder that is called by it: any other `release.json` is somebody else's.
    return digest if digest == root.parent.name else None


def version_of(distribution: str) -> str:
    """The version of an installed distribution; raises `importlib.metadata.PackageNotFoundError`.

    It stands in the name of the folder that an installer made. Parsing what lies in that folder
    takes longer than reading a mesh.
    """
    wanted = _spelt_alike(distribution)
    for folder in _installed():
        name, _, version = folder.removesuffix(".dist-info").partition("-")
        if version[:1].isdigit() and _spelt_alike(name) == wanted:
            return version
    from importlib.metadata import version as version_said

    return version_said(distribution)


def _installed() -> Iterator[str]:
    for place in sys.path:
        with suppress(OSError):
            yield from (one.name for one in Path(place or ".").glob("*.dist-info"))


def _spelt_alike(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
