"""What deploying a domain would change: its files, its contracts, what it runs on.

Belongs here: comparing the project's files with the release that is in force.
Does not belong here: whether the change is permitted (`judging.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared_resources.contracts.promise import Promise
from shared_resources.mesh import Domain, read_mesh
from shared_resources.releasing.contents import LOCK_FILE, digests_of, lock_file, release_files
from shared_resources.releasing.releases import Release, locked

_PIN = re.compile(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


@dataclass(frozen=True)
class Differences:
    """Each a line for people, by what it is about; all empty when nothing would change."""

    contracts: tuple[str, ...]
    files: tuple[str, ...]
    packages: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.contracts or self.files or self.packages)


def differences(root: Path, release: Release) -> Differences:
    """Between the release and the project's files as they are now. Raises `NotReleasable`."""
    files = digests_of(release_files(root, release.domain, central=False))
    before = {name: digest for name, digest in release.files.items() if not _is_central(name)}
    lock = lock_file(root, release.domain).read_text("utf-8")
    old = read_mesh(release.root).domain(release.domain)
    new = read_mesh(root).domain(release.domain)
    return Differences(
        tuple(_contracts(old, new)),
        tuple(_files(before, files)),
        tuple(_packages(pins(locked(release)), pins(lock))),
    )


def pins(lock: str) -> dict[str, str]:
    """The version of each package that a lock names."""
    return {name.lower().replace("_", "-"): version for name, version in _PIN.findall(lock)}


def _is_central(name: str) -> bool:
    return name == "domains/governance.yaml"


def _files(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if name.endswith(LOCK_FILE):
            continue
        if name not in before:
            yield f"+ {name}"
        elif name not in now:
            yield f"- {name}"
        elif before[name] != now[name]:
            yield f"~ {name}"


def _packages(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"


def _contracts(old: Domain, new: Domain) -> Iterator[str]:
    before = {one.key: one.contract for one in old.products}
    now = {one.key: one.contract for one in new.products}
    for key in sorted({*before, *now}):
        was, becomes = before.get(key), now.get(key)
        if key not in before:
            yield f"+ {key}"
        elif key not in now:
            yield f"- {key}"
        elif was is None or becomes is None:
            if was is not becomes:
                yield f"~ {key}: one of the two contracts is not valid; `mesh check` says why"
        elif was.digest != becomes.digest:
            promised, promises = Promise.of(was), Promise.of(becomes)
            breaks = [one.message for one in promised.broken_by(promises)]
            added = [name for name in promises.types if name not in promised.types]
            said = [f"breaks: {one}" for one in breaks]
            said += [f"column {', '.join(added)} is new"] if added else []
            version = (
                was.version
                if was.version == becomes.version
                else (f"{was.version} -> {becomes.version}")
            )
            yield f"~ {key} {version}: {'; '.join(said) or 'readers rely on the same'}"
