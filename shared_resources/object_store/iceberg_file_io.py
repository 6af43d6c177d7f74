"""Iceberg's metadata on S3, through the same client as everything else of ours.

Belongs here: pyiceberg's `FileIO` over `s3_objects.py`: one protocol stack, with its retries, checks
and encryption. Nothing here is for data files: those are uploaded and copied whole.
Does not belong here: S3's protocol (`s3_objects.py`), where files are (`stores/lake/files/s3.py`).
"""

from __future__ import annotations

import io
from typing import Any

from pyiceberg.io import FileIO, InputFile, OutputFile

from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.object_store.s3_objects import S3Objects


class S3FileIO(FileIO):
    """Whole objects: metadata files are read and written at once.

    They never change, so that one that was read is read again from its local copy.
    """

    def __init__(self, objects: S3Objects, copies: LocalCopies) -> None:
        super().__init__()
        self._objects = objects
        self._copies = copies

    def new_input(self, location: str) -> S3InputFile:
        return S3InputFile(location, self._objects, self._copies)

    def new_output(self, location: str) -> S3OutputFile:
        return S3OutputFile(location, self._objects, self._copies)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        self._objects.delete([location if isinstance(location, str) else location.location])


class S3InputFile(InputFile):
    def __init__(self, location: str, objects: S3Objects, copies: LocalCopies) -> None:
        super().__init__(location)
        self._objects = objects
        self._copies = copies

    def __len__(self) -> int:
        return self._objects.size(self.location)

    def exists(self) -> bool:
        return self._objects.exists(self.location)

    def open(self, seekable: bool = True) -> io.BytesIO:
        """Raises `FileNotFoundError`."""
        copy = self._copies.get(
            self.location, lambda path: self._objects.download(self.location, path)
        )
        try:
            return io.BytesIO(copy.read_bytes())
        except FileNotFoundError:  # somebody cleared the copies away
            return io.BytesIO(self._objects.read(self.location))


class S3OutputFile(OutputFile):
    def __init__(self, location: str, objects: S3Objects, copies: LocalCopies) -> None:
        super().__init__(location)
        self._objects = objects
        self._copies = copies
        self._written: int | None = None

    def __len__(self) -> int:
        return self._objects.size(self.location) if self._written is None else self._written

    def exists(self) -> bool:
        return self._objects.exists(self.location)

    def to_input_file(self) -> S3InputFile:
        return S3InputFile(self.location, self._objects, self._copies)

    def create(self, overwrite: bool = False) -> S3OutputStream:
        """Never asks whether it exists: Iceberg's names are unique, and asking costs a request."""
        return S3OutputStream(self)

    def put(self, body: bytes) -> None:
        self._objects.put(self.location, body)
        self._written = len(body)


class S3OutputStream(io.BytesIO):
    """Becomes an object when it is closed; nothing when its `with` block failed."""

    def __init__(self, file: S3OutputFile) -> None:
        super().__init__()
        self._file = file

    def __exit__(self, kind: Any, problem: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            super().close()

    def close(self) -> None:
        if not self.closed:
            body = self.getvalue()
            super().close()
            self._file.put(body)
