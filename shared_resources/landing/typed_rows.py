"""From rows of text to typed record batches, and to rejects for rows that have no types' values.

Belongs here: running `parsing.parse_query` over a file or over batches, in bounded memory, and
parting the good rows from the bad.
Does not belong here: which text is a value (`parsing.py`), finding rows (`csv.py`, `jsonl.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from shared_resources.contracts.model import Column
from shared_resources.contracts.types import arrow_schema
from shared_resources.duckdb_to_arrow import arrow_batches
from shared_resources.landing.parsing import parse_query, problem
from shared_resources.landing.rejects import Reason, Reject, RejectsWriter

BATCH_ROWS = 16_384
BATCH_CHARACTERS = 8 << 20
MEMORY_LIMIT = "512MB"


class Misread(Exception):
    """DuckDB does not read the object as it is; the careful parser must."""


@dataclass(frozen=True)
class TextBatch:
    """Rows as text, by column of the contract, with the place of each.

    `raw` are the rows as they stood in the object, where that says more than their cells;
    `object_keys` the objects, where they are several.
    """

    columns: Sequence[Sequence[str | None]]
    rows: Sequence[int]
    lines: Sequence[int | None]
    raw: Sequence[str] | None = None
    object_keys: Sequence[str] | None = None


@dataclass(frozen=True)
class TextQuery:
    """SQL for a relation that gives the contract's columns as text `c0`, `c1`, in their order.

    `rows` is how many it must give, `batch_rows` how many to take at a time, `line_of_first` the
    line of the first row when each row is one line, else None.
    """

    sql: str
    rows: int
    batch_rows: int
    line_of_first: int | None


@dataclass
class _Places:
    """Where the rows of one parsed batch stand in the object."""

    first: int = 1
    line_of_first: int | None = None
    batch: TextBatch | None = field(default=None)

    def reject(self, index: int, cells: str, reasons: tuple[Reason, ...]) -> Reject:
        if (batch := self.batch) is not None:
            raw = batch.raw[index] if batch.raw else cells
            key = batch.object_keys[index] if batch.object_keys else None
            return Reject(batch.rows[index], batch.lines[index], raw, reasons, key)
        row = self.first + index
        line = None if self.line_of_first is None else self.line_of_first + row - 1
        return Reject(row, line, cells, reasons)


class TypedRows:
    """A DuckDB connection that parses one contract's columns. A context manager."""

    def __init__(self, columns: Sequence[Column], rejects: RejectsWriter, folder: Path) -> None:
        self._columns = tuple(columns)
        self.schema = arrow_schema(tuple((c.name, c.type) for c in self._columns))
        self._rejects = rejects
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(folder / ".spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        self._connection = duckdb.connect(config=settings)
        self._connection.execute("SET TimeZone = 'UTC'")

    def __enter__(self) -> TypedRows:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def parse_query(self, source: TextQuery) -> Iterator[pa.RecordBatch]:
        """Stream the good rows of a relation that DuckDB reads itself.

        Raises `Misread` when DuckDB cannot read it or, which it does without a word after a quote
        that is never closed, gives other rows than there are.
        """
        row = 1
        try:
            relation = self._connection.sql(parse_query(self._columns, f"({source.sql})"))
            for batch in arrow_batches(relation, source.batch_rows):
                places = _Places(first=row, line_of_first=source.line_of_first)
                yield from self._part(pa.Table.from_batches([batch]), places)
                row += batch.num_rows
        except (duckdb.Error, pa.ArrowException) as error:
            raise Misread(str(error)) from error
        if row - 1 != source.rows:
            raise Misread(f"{row - 1} rows instead of {source.rows}")

    def parse_batch(self, batch: TextBatch) -> Iterator[pa.RecordBatch]:
        """The good rows of a batch of text."""
        names = [f"c{i}" for i in range(len(self._columns))]
        cells = pa.table([pa.array(values, pa.string()) for values in batch.columns], names=names)
        self._connection.register("cells", cells)
        try:
            parsed = self._connection.sql(parse_query(self._columns, "cells")).to_arrow_table()
        finally:
            self._connection.unregister("cells")
        yield from self._part(parsed, _Places(batch=batch))

    def _part(self, parsed: pa.Table, places: _Places) -> Iterator[pa.RecordBatch]:
        bad = parsed.column("bad")
        good = parsed.drop_columns(["bad", "raw"]).rename_columns(self.schema.names)
        if bad.null_count != len(bad):
            self._reject(parsed, places)
            good = good.filter(pc.is_null(bad))
        yield from good.cast(self.schema).to_batches()

    def _reject(self, parsed: pa.Table, places: _Places) -> None:
        indices = pc.indices_nonzero(pc.is_valid(parsed.column("bad"))).to_pylist()
        rows = parsed.select(["bad", "raw"]).take(indices)
        failed, cells = rows.column("bad").to_pylist(), rows.column("raw").to_pylist()
        for index, positions, raw in zip(indices, failed, cells, strict=True):
            values = json.loads(raw)
            reasons = []
            for position in positions:
                column = self._columns[position]
                value = values[column.name]
                reasons.append(Reason(column.name, value, problem(column.type, value)))
            self._rejects.add(places.reject(index, raw, tuple(reasons)))
