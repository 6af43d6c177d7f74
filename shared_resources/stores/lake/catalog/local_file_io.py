"""Iceberg's metadata in local files, each of them on disk before anything names it.

Belongs here: pyiceberg's `FileIO` for the local lake, whose writes outlive a power cut.
Does not belong here: data files, which are staged before (`stores/lake/files/local.py` syncs them).
"""

from __future__ import annotations

from pathlib import Path

from pyiceberg.io import OutputFile
from pyiceberg.io.pyarrow import PyArrowFile, PyArrowFileIO

from shared_resources.state.durable import DurableFile, sync
from shared_resources.stores.lake.catalog.commit_marks import METADATA


class LocalFileIO(PyArrowFileIO):
    """Reads as pyiceberg does."""

    def new_output(self, location: str) -> LocalOutputFile:  # type: ignore[override]
        return LocalOutputFile(location, self)


class LocalOutputFile(OutputFile):
    def __init__(self, location: str, io: LocalFileIO) -> None:
        super().__init__(location)
        self._io = io

    def __len__(self) -> int:
        return Path(self.location).stat().st_size

    def exists(self) -> bool:
        return Path(self.location).exists()

    def to_input_file(self) -> PyArrowFile:
        return self._io.new_input(self.location)

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
