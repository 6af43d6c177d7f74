"""What a release of a domain is made of: files of the project, and what they are digested to.

Belongs here: which files of a project's root one domain needs to run.
Does not belong here: its virtual environment (`environments.py`), writing a release (`releases.py`).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from shared_resources.mesh.model import (
    CENTRAL_FILE,
    DBT_PROJECT,
    DBT_SETTINGS,
    SHARED_BY_MODELS,
    is_domain_name,
    only_domain,
)
from shared_resources.problems import MeshProblem

LOCK_FILE = "requirements.lock"


class NotReleasable(MeshProblem):
    """The project's files cannot be made a release; the message says which and why."""

    exit_code = 2


def release_files(root: Path, domain: str, *, central: bool) -> dict[str, Path]:
    """The files of the release by their path in it: the domain's own, and what its models share.

    With `central` the governance team's file, too, where it stands in the project. Raises
    `NotReleasable`.
    """
    folder = root / "domains" / domain
    if not (is_domain_name(domain) and folder.is_dir()):
        raise NotReleasable(f"there is no domain {domain!r} below {root / 'domains'}")
    found = [*_below(folder), *_single(root / "domains" / "__init__.py")]
    if central:
        found += _single(root / "domains" / CENTRAL_FILE)
    project = root / DBT_PROJECT
    for name in (DBT_SETTINGS, *SHARED_BY_MODELS, f"models/{domain}", f"tests/{domain}"):
        found += [*_single(project / name), *_below(project / name)]
    found.append(lock_file(root, domain))
    if only_domain(root) == domain:
        found += _below(root / "tests")
    return {file.relative_to(root).as_posix(): _inside(file, root) for file in sorted(set(found))}


def lock_file(root: Path, domain: str) -> Path:
    """The domain's own lock, or the project's. Raises `NotReleasable` where there is none."""
    own, of_project = root / "domains" / domain / LOCK_FILE, root / LOCK_FILE
    for file in (own, of_project):
        if file.is_file():
            return file
    raise NotReleasable(
        f"there is no {LOCK_FILE} in {root} and none in {own.parent}: a release pins what it runs on; "
        "`make lock` writes it"
    )


def digests_of(files: Mapping[str, Path]) -> dict[str, str]:
    """The SHA-256 of each file, in hex."""
    return {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def digest_of(digests: Mapping[str, str], environment: str) -> str:
    """The digest of a release: of all its files, and of what it runs on."""
    lines = [f"environment {environment}", *(f"{d} {name}" for name, d in sorted(digests.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def copy_files(files: Mapping[str, Path], into: Path) -> None:
    for name, file in files.items():
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)


def _below(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        return
    for file in folder.rglob("*"):
        parts = file.relative_to(folder).parts
        hidden = any(part.startswith(".") or part == "__pycache__" for part in parts)
        if file.is_file() and not hidden and file.suffix != ".pyc":
            yield file


def _single(file: Path) -> Iterator[Path]:
    if file.is_file():
        yield file


def _inside(file: Path, root: Path) -> Path:
    if not file.resolve().is_relative_to(root.resolve()):
        raise NotReleasable(f"{file} leads out of {root}: put the file itself there")
    return file
