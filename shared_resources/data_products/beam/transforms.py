"""What a pipeline's workers do for the platform: reading the inputs' files, writing what was made.

Belongs here: the transforms at both ends of every pipeline.
Does not belong here: choosing the files (`input_files.py`), what becomes of those that were written
(`output_files.py`).

Workers may be on machines that have Beam, and nothing of the platform: this module is pickled by value
for them, so it imports nothing but Beam and Arrow.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import apache_beam as beam
import pyarrow as pa
import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

TABLES, BATCHES, ROWS = "tables", "batches", "rows"
MANIFEST = "manifest.json"
ROWS_PER_BATCH = 131_072
_BUFFERED_ROWS = 65_536


class UnusableRows(TypeError):
    """A row that no column of a table can take; the message names the column and no value."""


class ReadRows(beam.DoFn):  # type: ignore[misc]
    """(file, first and last group of rows) -> the rows, in the types of `schema`, as `given`."""

    def __init__(self, schema: pa.Schema, given: str) -> None:
        self._schema = schema
        self._given = given

    def process(self, piece: tuple[str, int, int]) -> Iterator[Any]:
        path, first, end = piece
        names = self._schema.names
        with _opened(path) as source, pq.ParquetFile(source) as parquet:
            batches = parquet.iter_batches(ROWS_PER_BATCH, range(first, end), columns=names)
            for batch in batches:
                table = pa.Table.from_batches([batch]).select(names).cast(self._schema)
                if self._given == ROWS:
                    yield from table.to_pylist()
                elif self._given == BATCHES:
                    yield from table.to_batches()
                else:
                    yield table


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    """The file's path, or of a file that is elsewhere, the open file."""
    if "://" not in path:
        yield path
        return
    with FileSystems.open(path) as source:
        yield source


class WriteRows(beam.DoFn):  # type: ignore[misc]
    """Tables, record batches or rows -> the names of the files that hold them now, below `place`.

    A bundle that is tried again writes files of other names; the first ones are in no manifest.
    """

    def __init__(self, place: str) -> None:
        self._place = place

    def start_bundle(self) -> None:
        self._rows: list[dict[str, Any]] = []
        self._file: _ArrowFile | None = None
        self._names: list[str] = []

    def process(self, element: Any) -> None:
        if isinstance(element, pa.RecordBatch):
            element = pa.Table.from_batches([element])
        if isinstance(element, pa.Table):
            self._write_rows()
            self._write(element)
            return
        self._rows.append(as_row(element))
        if len(self._rows) >= _BUFFERED_ROWS:
            self._write_rows()

    def finish_bundle(self) -> Iterator[WindowedValue]:
        self._write_rows()
        if self._file is not None:
            self._file.close()
        for name in self._names:
            yield GlobalWindows.windowed_value(name)

    def _write_rows(self) -> None:
        if self._rows:
            rows, self._rows = self._rows, []
            self._write(as_table(rows))

    def _write(self, table: pa.Table) -> None:
        if not table.num_rows:
            return
        if self._file is None or self._file.schema != table.schema:
            if self._file is not None:
                self._file.close()
            name = f"{uuid.uuid4().hex}.arrows"
            self._file = _ArrowFile(_joined(self._place, name), table.schema)
            self._names.append(name)
        self._file.writer.write_table(table, ROWS_PER_BATCH)


class _ArrowFile:
    """A stream of Arrow's own format: what the platform reads back is what was here."""

    def __init__(self, path: str, schema: pa.Schema) -> None:
        self.schema = schema
        self._sink = pa.OSFile(path, "wb") if "://" not in path else FileSystems.create(path)
        options = pa.ipc.IpcWriteOptions(compression="lz4")
        self.writer = pa.ipc.new_stream(self._sink, schema, options=options)

    def close(self) -> None:
        self.writer.close()
        self._sink.close()


class WriteManifest(beam.DoFn):  # type: ignore[misc]
    """The names of all files -> the manifest: what is not in it was not made."""

    def __init__(self, place: str) -> None:
        self._place = place

    def process(self, names: list[str]) -> None:
        path = _joined(self._place, MANIFEST)
        content = json.dumps(sorted(names)).encode()
        if "://" in path:
            with FileSystems.create(path) as sink:
                sink.write(content)
        else:
            with pa.OSFile(path, "wb") as sink:
                sink.write(content)


def _joined(place: str, name: str) -> str:
    return f"{place}/{name}"


def as_row(element: Any) -> dict[str, Any]:
    """A dictionary, a Beam `Row` or a named tuple as a dictionary. Raises `UnusableRows`."""
    if isinstance(element, Mapping):
        row = dict(element)
    elif isinstance(element, beam.Row):
        row = element.as_dict()
    elif isinstance(element, tuple) and hasattr(element, "_asdict"):
        row = element._asdict()
    else:
        raise UnusableRows(
            f"the pipeline gives a {type(element).__name__}; give Arrow tables or record batches, or "
            "rows as dictionaries, Beam Rows or named tuples"
        )
    if odd := [name for name in row if not isinstance(name, str)]:
        raise UnusableRows(
            f"a row has a column named by a {type(odd[0]).__name__}, and not by text"
        )
    return row


def as_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The rows as a table, each column in the type of its values. Raises `UnusableRows`."""
    names = list(rows[0])
    for row in rows:
        if row.keys() != rows[0].keys():
            differing = sorted(row.keys() ^ rows[0].keys())
            raise UnusableRows(
                f"some rows have the column {differing[0]!r} and others lack it; give all of them the "
                "same columns, None where there is no value"
            )
    return pa.table({name: _column(name, [row[name] for row in rows]) for name in names})


def _column(name: str, values: list[Any]) -> pa.Array:
    kinds = {type(value) for value in values} - {type(None)}
    try:
        if datetime in kinds and any(isinstance(v, datetime) and v.tzinfo for v in values):
            # Arrow drops their offsets in a process that has PYARROW_IGNORE_TIMEZONE set.
            utc = [None if v is None else v.astimezone(UTC) for v in values if _aware(v)]
            return pa.array([v and v.replace(tzinfo=None) for v in utc], pa.timestamp("us")).cast(
                pa.timestamp("us", "UTC")
            )
        if bool in kinds and len(kinds) > 1:
            raise pa.ArrowTypeError("mixed")
        return pa.array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        found = ", ".join(sorted(kind.__name__ for kind in kinds))
    raise UnusableRows(
        f"column {name!r}: its values ({found}) are no values of one type that a column can have"
    )


def _aware(value: Any) -> bool:
    """Raises `TypeError` for a time without a zone among times that have one."""
    if value is not None and value.tzinfo is None:
        raise TypeError("without a zone")
    return True
