"""The warehouse's manifests: which files make up a version, and how a version becomes visible.

Belongs here: the manifest's JSON, the exclusive creation that is the commit, finding versions.
Does not belong here: the database files (`files.py`), the protocol (`store.py`).

A version is one file `versions/v00000007.json`. It is written whole under another name and then
linked to its own: a link to a name that exists fails, so of two writers one wins and the other
knows. Its first line says what the version is, its second what it is made of: a product's history
is read without its files.

A manifest that is replaced or expired goes to `versions/retired/`. What it names stays for as long
as it lies there: somebody may be reading it, or publishing on top of it.
"""

from __future__ import annotations

import json
import os
import re
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import ColumnType
from shared_resources.io_managers.protocol import UNPARTITIONED, NotPublished, Version
from shared_resources.io_managers.staging_area import batch_folder
from shared_resources.io_managers.versions import version_of

_NAME = re.compile(r"v(\d{8,})\.json")


@dataclass(frozen=True)
class DataFile:
    """One immutable database file, relative to the product's folder.

    `partitions` are the rows by partition key of those partitions that belong to the version; the
    file holds `partitions_held`, more when a later version replaced some of them.
    """

    path: str
    columns: tuple[tuple[str, str], ...]
    partitions: Mapping[str, int]
    partitions_held: int

    @property
    def rows(self) -> int:
        return sum(self.partitions.values())

    @property
    def whole(self) -> bool:
        return len(self.partitions) == self.partitions_held

    def without(self, replaced: frozenset[str]) -> DataFile | None:
        """The file with these partitions no longer part of the version; None if nothing is left."""
        kept = {key: rows for key, rows in self.partitions.items() if key not in replaced}
        return replace(self, partitions=kept) if kept else None


@dataclass(frozen=True)
class Manifest:
    """`columns` are (name, DuckDB type) in order; `properties` the evidence as committed."""

    product: str
    number: int
    columns: tuple[tuple[str, str], ...]
    partition_column: str | None
    files: tuple[DataFile, ...]
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def types(self) -> tuple[tuple[str, ColumnType], ...]:
        return tuple((name, parse_type(type_)) for name, type_ in self.columns)

    @property
    def partition_keys(self) -> frozenset[str]:
        return frozenset(key for file in self.files for key in file.partitions) - {UNPARTITIONED}


class Manifests:
    """The versions of one product. Manifests never change, so each is read once a process."""

    def __init__(self, product: str, store: str, folder: Path) -> None:
        self.product = product
        self.store = store
        self.folder = folder
        self._versions = folder / "versions"
        self._retired = self._versions / "retired"
        self._intents = folder / "batches"
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
            return _read(self._file(number))
        except FileNotFoundError:
            raise NotPublished(
                f"{self.product} has no version {number} in the {self.store} any more"
            ) from None

    def last(self) -> Manifest | None:
        numbers = self.numbers()
        return self.get(numbers[-1]) if numbers else None

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        found = []
        for number in self.numbers():
            with suppress(FileNotFoundError):  # it expired since
                found.append(self.version(number))
        return found

    def version(self, number: int) -> Version:
        """What the version is. That never changes, so each is read once a process."""
        if number not in self._versions_read:
            with self._file(number).open(encoding="utf-8") as file:
                head = json.loads(file.readline())
            self._versions_read[number] = _version(head, self.store)
        return self._versions_read[number]

    def _file(self, number: int) -> Path:
        return self._versions / f"{manifest_name(number)}.json"

    def intend(self, batch_id: str) -> None:
        """Leave a mark that a version of this batch may exist; made before its manifest is."""
        mark = batch_folder(self._intents, batch_id)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

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
        _sync_folder(self._versions)
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
        _sync_folder(self._versions)

    def retire(self, number: int) -> None:
        """Take the version from the readers; no error when another process was faster."""
        retired = self._new_retired(number)
        with suppress(FileNotFoundError):
            os.utime(self._file(number))
            self._file(number).rename(retired)
        _sync_folder(self._versions)

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
                named.update(file.path for file in _read(self._file(one)).files)
        # After the versions: one that is retired meanwhile is found here.
        for path, _ in self.retired():
            if path not in without and (number is None or _is_of(path, number)):
                with suppress(FileNotFoundError):
                    named.update(file.path for file in _read(path).files)
        return {self.folder / path for path in named}

    def remove_drafts(self, older_than_seconds: float) -> None:
        """Remove what writers that died while writing a manifest left behind."""
        for draft in self._versions.glob(".*.draft"):
            with suppress(FileNotFoundError):
                if time.time() - draft.stat().st_mtime > older_than_seconds:
                    draft.unlink()

    @contextmanager
    def _draft(self, manifest: Manifest) -> Iterator[Path]:
        """The manifest, whole and on disk, under a name that nobody reads."""
        self._versions.mkdir(parents=True, exist_ok=True)
        draft = self._versions / f".{uuid.uuid4().hex}.draft"
        try:
            with draft.open("x", encoding="utf-8") as file:
                file.write("\n".join(json.dumps(part) for part in _parts(manifest)) + "\n")
                file.flush()
                os.fsync(file.fileno())
            yield draft
        finally:
            draft.unlink(missing_ok=True)

    def _new_retired(self, number: int) -> Path:
        self._retired.mkdir(parents=True, exist_ok=True)
        return self._retired / f"{manifest_name(number)}-{uuid.uuid4().hex[:12]}.json"


def manifest_name(number: int) -> str:
    return f"v{number:08d}"


def _is_of(retired: Path, number: int) -> bool:
    return retired.name.startswith(f"{manifest_name(number)}-")


def _parts(manifest: Manifest) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two lines of the file. A list of columns that many files share is written once."""
    shapes = list(dict.fromkeys(file.columns for file in manifest.files))
    head = {
        "product": manifest.product,
        "number": manifest.number,
        "properties": dict(manifest.properties),
    }
    body = {
        "columns": manifest.columns,
        "partition_column": manifest.partition_column,
        "shapes": shapes,
        "files": [
            {
                "path": file.path,
                "shape": shapes.index(file.columns),
                "partitions": dict(file.partitions),
                "partitions_held": file.partitions_held,
            }
            for file in manifest.files
        ],
    }
    return head, body


def _read(path: Path) -> Manifest:
    head, body = path.read_text(encoding="utf-8").splitlines()
    return _parse(json.loads(head), json.loads(body))


def _parse(head: dict[str, Any], body: dict[str, Any]) -> Manifest:
    shapes = [tuple((name, type_) for name, type_ in shape) for shape in body["shapes"]]
    return Manifest(
        product=head["product"],
        number=head["number"],
        columns=tuple((name, type_) for name, type_ in body["columns"]),
        partition_column=body["partition_column"],
        files=tuple(
            DataFile(
                path=file["path"],
                columns=shapes[file["shape"]],
                partitions=file["partitions"],
                partitions_held=file["partitions_held"],
            )
            for file in body["files"]
        ),
        properties=head["properties"],
    )


def _version(head: dict[str, Any], store: str) -> Version:
    return version_of(head["product"], store, manifest_name(head["number"]), head["properties"])


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
