"""The manifests of a product in the warehouse, and how a version becomes visible.

Belongs here: the exclusive creation that is the commit, finding versions, retiring them.
Does not belong here: what a manifest says (`manifest.py`), their spare copies (`spares.py`), the
protocol (`store.py`).

A version is one file `versions/v00000007.json`. It is written whole under another name and then
linked to its own: a link to a name that exists fails, so of two writers one wins and the other
knows.

A manifest that is replaced or expired goes to `versions/retired/`. What it names stays for as long
as it lies there: somebody may be reading it, or publishing on top of it.
"""

from __future__ import annotations

import os
import re
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from shared_resources.state.durable import sync, sync_all, write
from shared_resources.stores.embedded_warehouse.manifest import (
    Manifest,
    manifest_name,
    read_manifest,
    read_version,
    written,
)
from shared_resources.stores.embedded_warehouse.spares import Spares
from shared_resources.stores.protocol import NotPublished, OutOfStep, Version
from shared_resources.stores.staging.staging_area import batch_folder

_NAME = re.compile(r"v(\d{8,})\.json")
_NUMBERED = re.compile(r"v(\d{8,})\.json(\.|$)")


class Manifests:
    """The versions of one product. Manifests never change, so each is read once a process."""

    def __init__(self, product: str, store: str, folder: Path) -> None:
        self.product = product
        self.store = store
        self.folder = folder
        self._versions = folder / "versions"
        self._retired = self._versions / "retired"
        self._intents = folder / "batches"
        self.spares = Spares(folder / "spare", self._versions)
        self._versions_read: dict[int, Version] = {}

    def numbers(self) -> list[int]:
        """The numbers of all versions, ascending."""
        with suppress(FileNotFoundError):
            found = (_NAME.fullmatch(entry.name) for entry in os.scandir(self._versions))
            return sorted(int(match[1]) for match in found if match)
        return []

    def get(self, number: int) -> Manifest:
        """Raises `NotPublished` when the version is not kept, or expired a moment ago."""
        try:
            return read_manifest(self.product, self._file(number))
        except FileNotFoundError:
            raise NotPublished(
                f"{self.product} has no version {number} in the {self.store} any more"
            ) from None

    def highest(self) -> int:
        """The highest number that a version ever had, one among them that a repair set aside."""
        found = [0]
        for folder in (self._versions, self.spares.folder):
            with suppress(FileNotFoundError):
                names = (_NUMBERED.match(entry.name) for entry in os.scandir(folder))
                found += [int(match[1]) for match in names if match]
        return max(found)

    def last(self) -> Manifest | None:
        numbers = self.numbers()
        return self.get(numbers[-1]) if numbers else None

    def versions(self) -> list[Version]:
        """All versions, oldest first. Raises `OutOfStep` when there are none and there were some."""
        found = []
        numbers = self.numbers()
        if not numbers:
            self.check_in_step()
        for number in numbers:
            with suppress(FileNotFoundError):  # it expired since
                found.append(self.version(number))
        return found

    def version(self, number: int) -> Version:
        """What the version is. Only a compaction changes that, by its own attestation."""
        if number not in self._versions_read:
            version = read_version(self.product, self.store, self._file(number))
            self._versions_read[number] = version
        return self._versions_read[number]

    def check_in_step(self) -> None:
        """Raise `OutOfStep` when a version was published whose manifest is not there."""
        if missing := self.spares.missing():
            raise OutOfStep(
                self.product,
                self._file(missing[-1]),
                f"is not there, and that version was published. {self._versions} was lost, or an "
                "older copy of it was put back",
                "Nothing is published and nothing removed before every manifest is there again: "
                f"`mesh repair {self.product}` puts them back from their spare copies",
            )

    def is_in_step(self) -> bool:
        return not self.spares.missing()

    def _file(self, number: int) -> Path:
        return self._versions / f"{manifest_name(number)}.json"

    def intend(self, batch_id: str) -> None:
        """Leave a mark that a version of this batch may exist; made before its manifest is."""
        mark = batch_folder(self._intents, batch_id)
        mark.parent.mkdir(parents=True, exist_ok=True)
        write(mark, b"")
        sync_all([mark], self.folder)

    def intended(self, batch_id: str) -> bool:
        """Whether a version of this batch may exist, or may have existed before it expired."""
        return batch_folder(self._intents, batch_id).exists()

    def of_batch(self, batch_id: str) -> Version | None:
        """The version of this batch. Without a mark none was tried, and no manifest is read."""
        if not self.intended(batch_id):
            return None
        for version in reversed(self.versions()):
            if version.batch_id == batch_id:
                return version
        return None

    def publish(self, manifest: Manifest) -> bool:
        """Make the manifest the version of its number. False when another version took it."""
        with self._draft(manifest) as draft:
            try:
                os.link(draft, self._file(manifest.number))
            except FileExistsError:
                return False
        sync(self._versions)
        self.spares.keep(manifest)
        return True

    # -- housekeeping ----------------------------------------------------------------------------

    def replace(self, manifest: Manifest) -> None:
        """Make a kept version of other files, which hold the same rows.

        Its old manifest is retired first: there is always one that names what a reader may read.
        """
        file = self._file(manifest.number)
        with self._draft(manifest) as draft:
            retired = self._new_retired(manifest.number)
            os.utime(file)
            os.link(file, retired)
            draft.replace(file)
        sync(self._versions)
        self._versions_read.pop(manifest.number, None)
        self.spares.keep(manifest)

    def retire(self, number: int) -> None:
        """Take the version from the readers; no error when another process was faster."""
        retired = self._new_retired(number)
        self.spares.forget(number)  # first: a spare without its manifest says that one was lost
        with suppress(FileNotFoundError):
            os.utime(self._file(number))
            self._file(number).rename(retired)
        sync(self._versions)
        self.spares.forget(number)  # once more: a clean-up may have made one meanwhile

    def retired(self) -> list[tuple[Path, float]]:
        """The retired manifests' files, and how many seconds ago each was retired."""
        found = []
        for path in sorted(self._retired.glob("v*.json")):
            with suppress(FileNotFoundError):
                found.append((path, time.time() - path.stat().st_mtime))
        return found

    def files(self, number: int | None = None, without: Collection[Path] = ()) -> set[Path]:
        """All files that the versions (or only this one) and the retired manifests name.

        `without` are retired manifests that no longer count.
        """
        named: set[str] = set()
        for one in self.numbers() if number is None else [number]:
            with suppress(FileNotFoundError):
                named.update(
                    file.path for file in read_manifest(self.product, self._file(one)).files
                )
        # After the versions: one that is retired meanwhile is found here.
        for path, _ in self.retired():
            if path not in without and (number is None or _is_of(path, number)):
                with suppress(FileNotFoundError):
                    named.update(file.path for file in read_manifest(self.product, path).files)
        return {self.folder / path for path in named}

    def refresh_spares(self) -> None:
        for number in self.numbers():
            with suppress(NotPublished):  # it expired since
                self.spares.refresh(self.get(number))
                if not self._file(number).exists():  # or meanwhile
                    self.spares.forget(number)

    def remove_drafts(self, older_than_seconds: float) -> None:
        """Remove what writers that died while writing a manifest left behind."""
        for draft in self._versions.glob(".*.draft"):
            with suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > older_than_seconds:
                    draft.unlink()

    @contextmanager
    def _draft(self, manifest: Manifest) -> Iterator[Path]:
        """The manifest, whole and on disk, under a name that nobody reads."""
        if not self._versions.is_dir():
            self._versions.mkdir(parents=True, exist_ok=True)
            sync_all([self._versions], self.folder.parent.parent)
        draft = self._versions / f".{uuid.uuid4().hex}.draft"
        try:
            write(draft, written(manifest))
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _new_retired(self, number: int) -> Path:
        self._retired.mkdir(parents=True, exist_ok=True)
        return self._retired / f"{manifest_name(number)}-{uuid.uuid4().hex[:12]}.json"


def _is_of(retired: Path, number: int) -> bool:
    return retired.name.startswith(f"{manifest_name(number)}-")
