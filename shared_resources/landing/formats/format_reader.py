"""What reads the objects of one file format, and the shortest way to add one.

Belongs here: the protocol, finding a format's reader, and formats that a library gives as Arrow.
Does not belong here: which formats there are (`contracts/file_formats.py`), any of the platform's own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import FileFormat
from shared_resources.extensions import UnusableExtension
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.parquet import stage_parquet
from shared_resources.landing.staged_object import ObjectToStage, StagedObject, staging


@runtime_checkable
class FormatReader(Protocol):
    def is_ordinary(self, file: Path) -> bool:
        """Whether nothing in the file can end the process that reads it, as far as is known."""
        ...

    def stage(self, of: ObjectToStage) -> StagedObject:
        """Stage every row of the object.

        What is no row of the contract is kept as a reject, or raises `UnreadableObject`.
        """
        ...


def reader_of(format_: FileFormat) -> FormatReader:
    """The reader of a format. Raises `UnusableExtension` when there is none where it says."""
    module, _, name = format_.reader.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as problem:
        raise UnusableExtension(
            f"the reader {format_.reader} of the file format {format_.name!r} cannot be loaded: "
            f"{type(problem).__name__}: {problem}; correct or uninstall what adds it"
        ) from problem
    if not isinstance(found, FormatReader):
        raise UnusableExtension(
            f"{format_.reader} reads the file format {format_.name!r} and is no FormatReader; correct "
            "or uninstall what adds it"
        )
    return found


@dataclass(frozen=True)
class ReadAsArrow:
    """The reader of a format whose files `read` gives as record batches, of whatever types.

    They are converted to the contract's as those of a foreign Parquet file are: without loss, or the
    object is refused as a whole. Each object is read in a process of its own.
    """

    name: str
    read: Callable[[Path], pa.RecordBatchReader]

    def is_ordinary(self, file: Path) -> bool:
        return False

    def stage(self, of: ObjectToStage) -> StagedObject:
        with staging(of) as stage:
            converted = stage.work / "converted.parquet"
            try:
                with (
                    closing(self.read(of.file)) as batches,
                    pq.ParquetWriter(converted, batches.schema) as writer,
                ):
                    for batch in batches:
                        writer.write_batch(batch)
            except Exception as problem:
                # Its words may quote what the contract classifies.
                raise UnreadableObject(
                    of.key,
                    f"cannot be read as {self.name} ({type(problem).__name__})",
                    f"open it with what wrote it, and land it as whole {self.name}",
                ) from problem
            return stage_parquet(replace(of, file=converted))
