"""What reads the objects of one file format, and the shortest way to add one.

Belongs here: the protocol, finding a format's reader, and formats that a library gives as Arrow.
Does not belong here: which formats there are (`contracts/file_formats.py`), any of the platform's own.
"""

from __future__ import annotations

import errno
import importlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import pyarrow as pa

from shared_resources.contracts.file_formats import FileFormat
from shared_resources.extensions import UnusableExtension
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.staged_object import ObjectToStage, StagedObject, staging
from shared_resources.parquet import write_parquet

_OF_THE_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


@runtime_checkable
class FormatReader(Protocol):
    def is_ordinary(self, file: Path) -> bool:
        """Whether nothing in the file can end the process that reads it, as far as is known."""
        ...

    def stage(self, of: ObjectToStage) -> StagedObject:
        """Stage every row of the object.

        What is no row of the contract is kept as a reject, or raises `UnreadableObject`, whose words
        people see: they quote no value of a classified column.
        """
        ...


def reader_of(format_: FileFormat) -> FormatReader:
    """The reader of a format. Raises `UnusableExtension` when there is none where it says."""
    module, _, name = format_.reader.partition(":")
    try:
        found: object = getattr(importlib.import_module(module), name)
    except Exception as problem:
        raise UnusableExtension(
            f"the reader {format_.reader} of the file format {format_.name!r} cannot be loaded: "
            f"{type(problem).__name__}: {problem}; correct or uninstall what adds it"
        ) from problem
    if isinstance(found, type) or not isinstance(found, FormatReader):
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
        from shared_resources.landing.formats.parquet.reader import stage_parquet

        with staging(of) as stage:
            converted = stage.work / "converted.parquet"
            self._convert(of, converted)
            return stage_parquet(replace(of, file=converted))

    def _convert(self, of: ObjectToStage, converted: Path) -> None:
        """The file as Parquet, its types those that `read` gave."""
        with self._reading(of):
            batches = self.read(of.file)
        if not isinstance(batches, pa.RecordBatchReader):
            raise UnusableExtension(
                f"the reader of {self.name} gives a {type(batches).__name__}, not a "
                "pyarrow.RecordBatchReader; correct or uninstall what adds it"
            )
        schema = _as_parquet_holds(batches.schema)
        with closing(batches):
            write_parquet(converted, schema, self._as_held(of, batches, schema))

    def _as_held(
        self, of: ObjectToStage, batches: pa.RecordBatchReader, schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        while True:
            with self._reading(of):
                batch = next(batches, None)
            if batch is None:
                return
            columns = zip(batch.columns, schema.types, strict=True)
            cast = [values.cast(type_) for values, type_ in columns]
            yield pa.RecordBatch.from_arrays(cast, schema=schema)

    @contextmanager
    def _reading(self, of: ObjectToStage) -> Iterator[None]:
        """What the library raises is the object's fault, unless it is the machine's or its own."""
        try:
            yield
        except (MemoryError, ImportError, pa.ArrowMemoryError):
            raise
        except Exception as problem:
            if isinstance(problem, OSError) and problem.errno in _OF_THE_MACHINE:
                raise
            # Its words may quote what the contract classifies.
            raise UnreadableObject(
                of.key,
                f"cannot be read as {self.name} ({type(problem).__name__})",
                f"open it with what wrote it, and land it as whole {self.name}",
            ) from problem


def _as_parquet_holds(schema: pa.Schema) -> pa.Schema:
    """The types that Parquet keeps: of a `date64` it would drop the time of day without a word."""
    for i, field in enumerate(schema):
        if pa.types.is_date64(field.type):
            schema = schema.set(i, field.with_type(pa.timestamp("ms")))
    return schema
