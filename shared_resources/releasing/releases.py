"""Releases on this machine: immutable folders, called by the digest of what is in them.

Belongs here: what a release says of itself, writing one, finding those that are there.
Does not belong here: which is in service (`serving/`), which is in force (`registry/`).
"""

from __future__ import annotations

import json
import re
import shutil
import stat
import subprocess
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared_resources.mesh.model import CENTRAL_FILE, is_domain_name
from shared_resources.problems import MeshProblem
from shared_resources.release import RELEASE_FILE
from shared_resources.releasing.apart import apart, remove, sweep
from shared_resources.releasing.contents import (
    LOCK_FILE,
    copy_files,
    digest_of,
    digests_of,
    lock_file,
    release_files,
)
from shared_resources.releasing.environments import Environments
from shared_resources.repositories.platform_wheel import PLATFORM, running_version

_DIGEST = re.compile(r"[0-9a-f]{64}")
# So many releases of a domain stay to go back to.
KEPT = 10


class UnknownRelease(MeshProblem, LookupError):
    """There is no such release on this machine; the message says which there are."""

    exit_code = 2


@dataclass(frozen=True)
class Release:
    """`files` gives the SHA-256 of each file. `commit` is that of the project it was made from, empty
    where there is none; `changed` says that the project's files were not those of the commit."""

    domain: str
    digest: str
    environment: str
    platform: str
    files: dict[str, str]
    commit: str
    changed: bool
    by: str
    at: datetime
    place: Path

    @property
    def root(self) -> Path:
        """The release as a project: `MESH_ROOT` of what runs it."""
        return self.place / "files"


class Releases:
    """Those below `home`, with their environments."""

    def __init__(self, home: Path) -> None:
        self._folder = home / "releases"
        self.environments = Environments(home / "environments")

    def build(self, root: Path, domain: str, by: str, *, central: bool) -> Release:
        """The release of the domain's files as they are now, which is there afterwards, whole.

        Raises `NotReleasable` and `EnvironmentNotBuilt`; then nothing is left behind.
        """
        files = release_files(root, domain, central=central)
        lock = lock_file(root, domain)
        environment = self.environments.make(lock, root / "wheels")
        folder = self._folder / domain
        with apart(folder) as made:
            copy_files(files, made / "files")
            # What was copied counts: somebody may have written to the project meanwhile.
            copied = {name: made / "files" / name for name in files}
            digests = digests_of(copied)
            digest = digest_of(digests, environment)
            commit, changed = _commit(root)
            release = Release(
                domain=domain,
                digest=digest,
                environment=environment,
                platform=self._platform(environment),
                files=digests,
                commit=commit,
                changed=changed,
                by=by,
                at=datetime.now(UTC),
                place=folder / digest,
            )
            (made / RELEASE_FILE).write_text(json.dumps(_said(release), indent=1))
            _make_read_only(made)
            try:
                made.rename(release.place)
            except OSError:
                before = release.place / "files"
                if (
                    digests_of({name: before / name for name in files if (before / name).is_file()})
                    == (digests)
                    and (release.place / RELEASE_FILE).is_file()
                ):
                    return self.get(domain, digest)  # it was made before
                remove(release.place)  # it was damaged
                made.rename(release.place)
        return release

    def of(self, domain: str) -> tuple[Release, ...]:
        """The domain's releases on this machine that are whole, oldest first."""
        return tuple(sorted(self._read(domain)[0], key=lambda one: one.at))

    def damaged(self) -> tuple[str, ...]:
        """What is to be said of each release that is not whole, whosever it is."""
        return tuple(said for name in self._domains() for said in self._read(name)[1])

    def sweep(self) -> None:
        """Remove what killed deployments left half made."""
        for folder in (self.environments.folder, *(self._folder / one for one in self._domains())):
            sweep(folder)

    def _domains(self) -> list[str]:
        places = self._folder.iterdir() if self._folder.is_dir() else ()
        return sorted(one.name for one in places if one.is_dir() and is_domain_name(one.name))

    def _read(self, domain: str) -> tuple[list[Release], list[str]]:
        """The domain's whole releases, and what is wrong with the others."""
        whole: list[Release] = []
        damaged: list[str] = []
        folder = self._folder / domain
        there = is_domain_name(domain) and folder.is_dir()
        for name in sorted(one.name for one in folder.iterdir()) if there else ():
            if _DIGEST.fullmatch(name):
                try:
                    whole.append(self.get(domain, name))
                except UnknownRelease as problem:
                    damaged.append(str(problem))
        return whole, damaged

    def get(self, domain: str, digest: str) -> Release:
        """The release of that digest, or of the only one that begins so. Raises `UnknownRelease`."""
        right = is_domain_name(domain) and re.fullmatch("[0-9a-f]{1,64}", digest)
        found = (self._folder / domain).glob(f"{digest}*") if right else ()
        places = [one for one in found if _DIGEST.fullmatch(one.name)]
        if len(places) != 1:
            raise UnknownRelease(
                f"{'several releases' if len(places) > 1 else 'no release'} of {domain!r} on this "
                f"machine begin with {digest[:64]!r}; `mesh deploy --list` shows them"
            )
        (place,) = places
        try:
            said = json.loads((place / RELEASE_FILE).read_bytes())
            at = datetime.fromisoformat(said.pop("at"))
            release = Release(**said, at=at, place=place)
        except (OSError, ValueError, KeyError, TypeError) as problem:
            raise UnknownRelease(
                f"{place} holds no whole release ({problem}); remove it and deploy {domain!r} again"
            ) from problem
        return release

    def forget(self, domain: str, kept: Collection[str]) -> tuple[Release, ...]:
        """Remove the domain's oldest releases but for `KEPT`, and none of `kept`; and the environments
        that no release runs in, unless one is damaged: in which it runs nobody can say."""
        old = [one for one in self.of(domain)[:-KEPT] if one.digest not in kept]
        for release in old:
            remove(release.place)
        if old and not self.damaged():
            used = {one.environment for name in self._domains() for one in self.of(name)}
            self.environments.forget(used)
        return tuple(old)

    def python(self, release: Release) -> Path:
        """Its interpreter. Raises `UnknownRelease` when the environment is gone."""
        python = self.environments.python(release.environment)
        if not python.exists():
            raise UnknownRelease(
                f"the environment of release {release.digest[:12]} of {release.domain!r} is gone from "
                f"{python.parents[1]}; deploy the domain again"
            )
        return python

    def _platform(self, environment: str) -> str:
        """The version of the platform in the environment."""
        pattern = f"lib/python*/site-packages/{PLATFORM.replace('-', '_')}-*.dist-info"
        found = [*(self.environments.folder / environment).glob(pattern)]
        return found[0].name.split("-")[1].removesuffix(".dist") if found else running_version()


def has_central(root: Path) -> bool:
    return (root / "domains" / CENTRAL_FILE).is_file()


def locked(release: Release) -> str:
    """The text of the lock that its environment was made from."""
    own = release.root / "domains" / release.domain / LOCK_FILE
    return (own if own.is_file() else release.root / LOCK_FILE).read_text("utf-8")


def _said(release: Release) -> dict[str, Any]:
    said = {**asdict(release), "at": release.at.isoformat()}
    del said["place"]
    return said


def _commit(root: Path) -> tuple[str, bool]:
    """The commit that is checked out, and whether files differ from it; empty outside of git."""
    if shutil.which("git") is None:
        return "", False
    head = _git(root, "rev-parse", "HEAD")
    return (head, bool(_git(root, "status", "--porcelain"))) if head else ("", False)


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        # A checkout that root keeps is looked at all the same: its code is what is about to run.
        ["git", "-c", f"safe.directory={root.resolve()}", "-C", str(root), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def _make_read_only(folder: Path) -> None:
    """Against a hand that slips; its digest is what proves a release."""
    for path in folder.rglob("*"):
        if path.is_file():
            path.chmod(stat.S_IRUSR)
