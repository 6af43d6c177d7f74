"""Spare copies of a product's manifests: what tells that a manifest was lost, and gives it back.

Belongs here: keeping a copy of each version's manifest beside the folder that readers look into.
Does not belong here: publishing (`manifests.py`), what a manifest says (`manifest.py`).

A spare is made after its version is published and forgotten before it expires: where there is one,
there must be a manifest. It is a copy and no link, which would break together with the first.
"""

from __future__ import annotations

import os
import re
import uuid
from contextlib import suppress
from pathlib import Path

from shared_resources.state.durable import sync, sync_all, write
from shared_resources.stores.embedded_warehouse.manifest import (
    Manifest,
    manifest_name,
    read_manifest,
    written,
)
from shared_resources.stores.protocol import Unreadable
from shared_resources.stores.versions import number_ranges_of

_NAME = re.compile(r"v(\d{8,})\.json")
ASIDE = ".aside"


class Spares:
    """The spares in `folder` of the manifests in `versions`."""

    def __init__(self, folder: Path, versions: Path) -> None:
        self.folder = folder
        self._versions = versions

    def keep(self, manifest: Manifest) -> None:
        """That the version is published is not less true where there is no room for a spare."""
        with suppress(OSError):
            self._put(self.folder, manifest.number, written(manifest))

    def forget(self, number: int) -> None:
        (self.folder / _file(number)).unlink(missing_ok=True)

    def missing(self) -> list[int]:
        """The numbers of versions that were published and have no manifest, ascending."""
        found = self._without_manifest()
        # One may have expired between the two looks: then its spare is gone by now.
        return sorted(found & self._without_manifest()) if found else []

    def refresh(self, manifest: Manifest) -> None:
        """Make the spare what the manifest is, if it is not: its process died, or is an older one."""
        content, spare = written(manifest), self.folder / _file(manifest.number)
        with suppress(FileNotFoundError, IsADirectoryError):
            if spare.read_bytes() == content:
                return
        self.keep(manifest)

    def repair(self, product: str, folder: Path, *, dry_run: bool) -> str | None:
        """Put back the manifests that are missing or broken, from spares whose files are all there.

        `folder` is what a manifest's paths are below. A spare that is of no use is kept aside.
        """
        restored, useless = list[int](), list[int]()
        broken = {n for n in _numbers(self._versions) if not self._is_whole(product, n)}
        for number in sorted({*self.missing(), *broken}):
            manifest = self._whole_spare(product, folder, number)
            (useless if manifest is None else restored).append(number)
            if dry_run:
                continue
            if manifest is not None:
                self._put(self._versions, number, written(manifest))
            else:
                for path in (self._versions / _file(number), self.folder / _file(number)):
                    with suppress(FileNotFoundError):
                        path.rename(path.with_name(path.name + ASIDE))
                        sync(path.parent)
        said = []
        if restored:
            said.append(f"manifests {number_ranges_of(restored)} put back")
        if useless:
            said.append(
                f"versions {number_ranges_of(useless)} cannot be read any more, and what is left of "
                f"their manifests is kept as *{ASIDE}"
            )
        return "; ".join(said) or None

    def _without_manifest(self) -> set[int]:
        spares = _numbers(self.folder)  # first: a version that is published meanwhile has both
        return spares - _numbers(self._versions)

    def _is_whole(self, product: str, number: int) -> bool:
        try:
            read_manifest(product, self._versions / _file(number))
        except Unreadable:
            return False
        except FileNotFoundError:  # it expired meanwhile
            return True
        return True

    def _whole_spare(self, product: str, folder: Path, number: int) -> Manifest | None:
        try:
            manifest = read_manifest(product, self.folder / _file(number))
        except (Unreadable, FileNotFoundError):
            return None
        there = all((folder / file.path).is_file() for file in manifest.files)
        return manifest if there else None

    def _put(self, folder: Path, number: int, content: bytes) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            sync_all([folder], folder.parent)
        draft = folder / f".{uuid.uuid4().hex}.draft"
        try:
            write(draft, content)
            target = folder / _file(number)
            if target.is_dir():
                target.rename(target.with_name(target.name + ASIDE))
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        sync(folder)


def _file(number: int) -> str:
    return f"{manifest_name(number)}.json"


def _numbers(folder: Path) -> set[int]:
    with suppress(FileNotFoundError):
        found = (_NAME.fullmatch(entry.name) for entry in os.scandir(folder))
        return {int(match[1]) for match in found if match}
    return set()
