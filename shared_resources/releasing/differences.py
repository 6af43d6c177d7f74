"""What deploying a domain would change: its files, its contracts, whom it hits, what it runs on.

Belongs here: comparing the project's files with the release that is in force.
Does not belong here: whether the change is permitted (`judging.py`).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, fields

from shared_resources.contracts.promise import Promise
from shared_resources.environment import Environment
from shared_resources.mesh import Domain, Mesh, read_mesh
from shared_resources.mesh.promised import Registered
from shared_resources.releasing.contents import LOCK_FILE, digests_of, lock_file, release_files
from shared_resources.releasing.environments import pins_platform
from shared_resources.releasing.judging import consumers_broken
from shared_resources.releasing.releases import Release, locked
from shared_resources.repositories.platform_wheel import PLATFORM, running_version

_WHEEL = re.compile(r"dagster_data_mesh-([^-\s]+)-[^\s]*\.whl")
_PIN = re.compile(r"(?m)^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


@dataclass(frozen=True)
class Differences:
    """Each a line for people, by what it is about; all empty when nothing would change."""

    contracts: tuple[str, ...]
    consumers: tuple[str, ...]
    files: tuple[str, ...]
    platform: tuple[str, ...]
    packages: tuple[str, ...]

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))


def differences(
    environment: Environment, release: Release, together: Collection[str] = ()
) -> Differences:
    """Between the release and the project's files as they are now. Raises `NotReleasable`.

    Its consumers are those that are deployed, and of the domains that go `together` with it those in
    the project.
    """
    root = environment.root
    files = digests_of(release_files(root, release.domain, central=False))
    before = {name: digest for name, digest in release.files.items() if not _is_central(name)}
    lock = lock_file(root, release.domain).read_text("utf-8")
    old = read_mesh(release.root).domain(release.domain)
    project = read_mesh(root, registered=environment.registry.promised)
    new = project.domain(release.domain)
    earlier, later = pins(locked(release)), pins(lock)
    platform = platform_of(lock)
    return Differences(
        tuple(_contracts(old, new)),
        tuple(
            consumers_broken(
                _around(environment, release, project, together), old, new, always=True
            )
        ),
        tuple(_files(before, files)),
        () if platform == release.platform else (f"{release.platform} -> {platform}",),
        tuple(line for name, line in _packages(earlier, later) if name != PLATFORM),
    )


def _around(
    environment: Environment, release: Release, project: Mesh, together: Collection[str]
) -> Mesh:
    """The mesh that the project's domain would be deployed into."""
    here = {release.domain, *together}

    def registered(domains: Collection[str] | None) -> Registered:
        found = environment.registry.promised(domains)
        rest = {name: one for name, one in found.promises.items() if name not in here}
        return Registered(rest, found.central)

    deployed = read_mesh(release.root, registered=registered).domains
    domains = [one for one in deployed if one.name not in here]
    domains += [one for one in project.domains if one.name in here]
    return Mesh(project.root, tuple(sorted(domains, key=lambda one: one.name)), project.central)


def platform_of(lock: str) -> str:
    """The version of the platform that an environment of the lock has, made here and now."""
    if not pins_platform(lock):
        return running_version()
    wheel = _WHEEL.search(lock)
    return pins(lock).get(PLATFORM) or (wheel[1] if wheel else "the one that the lock names")


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


def _packages(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Each package that differs, with its line."""
    for name in sorted({*before, *now}):
        if before.get(name) != now.get(name):
            yield name, f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}"


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
