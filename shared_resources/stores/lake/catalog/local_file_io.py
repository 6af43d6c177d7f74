"""Iceberg's metadata in local files, each of them on disk before anything names it.

Belongs here: pyiceberg's `FileIO` for the local lake, whose writes outlive a power cut.
Does not belong here: data files, which are staged before (`stores/lake/files/local.py` syncs them).

pyiceberg's own for local files imports Arrow's datasets, and with them pandas.
"""

from __future__ import annotations

import io
from pathlib import Path

from pyiceberg.io import FileIO, InputFile, OutputFile

from shared_resources.state.durable import DurableFile, sync
from shared_resources.stores.lake.catalog.commit_marks import METADATA


class LocalFileIO(FileIO):
    def new_input(self, location: str) -> LocalInputFile:
        return LocalInputFile(location)

    def new_output(self, location: str) -> LocalOutputFile:
        return LocalOutputFile(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        """Raises `FileNotFoundError`."""
        Path(location if isinstance(location, str) else location.location).unlink()


class LocalInputFile(InputFile):
    def __len__(self) -> int:
        return Path(self.location).stat().st_size

    def exists(self) -> bool:
        return Path(self.location).exists()

    def open(self, seekable: bool = True) -> io.BufferedReader:
        """Raises `FileNotFoundError`."""
        return Path(self.location).open("rb")


class LocalOutputFile(OutputFile):
    def __len__(self) -> int:
        return Path(self.location).stat().st_size

    def exists(self) -> bool:
        return Path(self.location).exists()

    def to_input_file(self) -> LocalInputFile:
        return LocalInputFile(self.location)

    def create(self, overwrite: bool = False) -> _Stream:
        path = Path(self.location)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _Stream(path, "w" if overwrite else "x")


class _Stream(DurableFile):
    """Iceberg writes the manifests, their list, and last the table's metadata, into one folder."""

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self._path = path

    def close(self) -> None:
        super().close()
        if self._path.name.endswith(METADATA):
            sync(self._path.parent)
