"""Where the lake's files are: in a local folder, or elsewhere (`s3.py`).

Belongs here: what the lake asks of the place of its files, and the local folder, where a staged file
is adopted as it is: it already lies in its table's data location.
Does not belong here: which files a version has (`stores/lake/store.py`), which table is where
(`stores/lake/catalog/sqlite.py`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shared_resources.object_store.stored_file import StoredFile
from shared_resources.state.durable import sync, sync_all
from shared_resources.stores.protocol import StagedBatch
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.fingerprints import sha256_of
from shared_resources.stores.staging.second_names import second_names

if TYPE_CHECKING:
    from pyiceberg.manifest import DataFile
    from pyiceberg.types import NestedField


@dataclass(frozen=True)
class Placed:
    """Where a staged file is published from, and how many bytes it has there."""

    location: str
    size: int


class LakeFiles(Protocol):
    """Every method is safe to call from many processes. A location is what Iceberg is told."""

    root: Path
    adopts: bool  # a staged file itself is published, so that its folder must stay

    def location(self, product: str) -> str:
        """Of the product's table; no slash at its end."""
        ...

    def sweepable(self, product: str) -> Sequence[str]:
        """The locations below which everything that no snapshot names is left over."""
        ...

    def place(
        self, product: str, batch: StagedBatch, files: Iterable[Path], fields: Sequence[NestedField]
    ) -> Mapping[Path, Placed]:
        """Bring the batch's files to where they are published from, under names that hold a digest.

        Nothing is visible yet: the commit names them, and makes `fields` the table's. Doing it twice
        gives the same locations. The staged files stay as they were audited.
        """
        ...

    def share(self, files: Iterable[str], held: Iterable[str], attempt: Path) -> Mapping[str, str]:
        """The locations under which a table names published files of another, by those they have.

        `held` are those that it names already. In a local folder a file gets a second name, in
        `attempt`, so that neither table can take it from the other; elsewhere it has one alone.
        """
        ...

    def local(self, files: Sequence[DataFile]) -> list[Path]:
        """A local path of each published file, in order, to read until the process ends."""
        ...

    def sha256(self, file: DataFile) -> str:
        """Of the published file itself, not of a copy. Raises `OSError` when it cannot be read."""
        ...

    def listing(self, below: str) -> Iterator[StoredFile]:
        """Every file whose location starts with `below`."""
        ...

    def metadata_names(self, product: str, since: int) -> set[str]:
        """The names in the product's metadata folder that begin with that number or a later one.

        Perhaps others, too.
        """
        ...

    def delete(self, locations: Iterable[str]) -> None:
        """No error for one that is gone already."""
        ...

    def set_aside(self, location: str, name: str) -> None:
        """Give the file another name in its folder."""
        ...

    def abort_uploads(self, below: str, older_than: datetime) -> Sequence[str]:
        """Forget what was begun before then and never arrived whole; name it."""
        ...


class LocalFiles:
    """Files below `root`: `root/<domain>/<product>/data/<batch>/<attempt>/…`."""

    adopts = True

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    def location(self, product: str) -> str:
        return str(staging_area.product_folder(self.root, product))

    def sweepable(self, product: str) -> Sequence[str]:
        return [f"{self.location(product)}/data/", f"{self.location(product)}/metadata/"]

    def place(
        self, product: str, batch: StagedBatch, files: Iterable[Path], fields: Sequence[NestedField]
    ) -> Mapping[Path, Placed]:
        adopted = list(files)
        sync_all(adopted, self.root)
        return {path: Placed(str(path), path.stat().st_size) for path in adopted}

    def share(self, files: Iterable[str], held: Iterable[str], attempt: Path) -> Mapping[str, str]:
        return second_names(files, held, attempt)

    def local(self, files: Sequence[DataFile]) -> list[Path]:
        return [Path(file.file_path) for file in files]

    def sha256(self, file: DataFile) -> str:
        return sha256_of(Path(file.file_path))

    def listing(self, below: str) -> Iterator[StoredFile]:
        for path in staging_area.walk(Path(below)):
            with suppress(FileNotFoundError):  # somebody else clears up too
                if path.name != staging_area.OWNER:
                    stat = path.stat()
                    modified = datetime.fromtimestamp(stat.st_mtime, UTC)
                    yield StoredFile(str(path), stat.st_size, modified)

    def metadata_names(self, product: str, since: int) -> set[str]:
        with suppress(FileNotFoundError):
            return {entry.name for entry in os.scandir(f"{self.location(product)}/metadata")}
        return set()

    def set_aside(self, location: str, name: str) -> None:
        path = Path(location)
        with suppress(FileNotFoundError):
            path.rename(path.with_name(name))
        sync(path.parent)

    def delete(self, locations: Iterable[str]) -> None:
        """And the attempts that are empty then. The next call goes on where one died."""
        for path in map(Path, sorted(locations)):
            path.unlink(missing_ok=True)
            attempt = path.parent
            with suppress(OSError):  # it holds more, or is gone
                if attempt.name.startswith("partition="):
                    attempt.rmdir()
                    attempt = attempt.parent
                if [entry.name for entry in attempt.iterdir()] == [staging_area.OWNER]:
                    staging_area.remove_attempt(attempt)

    def abort_uploads(self, below: str, older_than: datetime) -> Sequence[str]:
        return []
