"""From rows of text to typed record batches, and to rejects for rows that have no types' values.

Belongs here: running `parsing.value_query` over a file or over batches, in bounded memory, and
parting the good rows from the bad.
Does not belong here: which text is a value (`typed_cells.py`), finding rows
(`landing/formats/csv.py`, `landing/formats/jsonl.py`).
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import duckdb
import pyarrow as pa

from shared_resources import arrow_functions as pc
from shared_resources.contracts.model import Column
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.contracts.values.duckdb_to_arrow import arrow_batches
from shared_resources.environment import EnvironmentProblem
from shared_resources.landing.rejects import Reason, Reject, TakesRejects
from shared_resources.landing.typed_cells import problem, value_query

BATCH_ROWS = 16_384
BATCH_CHARACTERS = 8 << 20
BATCH_CELLS = 1 << 19
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

    def raw(self, index: int) -> str | None:
        """The row as it stood in the object, where that says more than its cells."""
        return self.batch.raw[index] if self.batch and self.batch.raw else None

    def reject(self, index: int, raw: str, reasons: tuple[Reason, ...]) -> Reject:
        if (batch := self.batch) is not None:
            key = batch.object_keys[index] if batch.object_keys else None
            return Reject(batch.rows[index], batch.lines[index], raw, reasons, key)
        row = self.first + index
        line = None if self.line_of_first is None else self.line_of_first + row - 1
        return Reject(row, line, raw, reasons)


class TypedRows:
    """A DuckDB connection that parses one contract's columns. A context manager.

    Memory spills below `folder`; without one it does not.
    """

    def __init__(
        self, columns: Sequence[Column], rejects: TakesRejects, folder: Path | None
    ) -> None:
        self._columns = tuple(columns)
        self.schema = arrow_schema(tuple((c.name, c.type) for c in self._columns))
        self._rejects = rejects
        self._positions: dict[tuple[ColumnType, str], list[int]] = defaultdict(list)
        for position, column in enumerate(self._columns):
            self._positions[column.type, column.text_format].append(position)
        settings: dict[str, str | bool | int | float | list[str]] = {
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": "" if folder is None else str(folder / ".spill"),
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
        if isinstance(error, duckdb.OutOfMemoryException):
            raise EnvironmentProblem(
                f"the object's rows need more memory than the {MEMORY_LIMIT} that reading may take; "
                "land it in several objects, or with shorter rows"
            ) from error

    def parse_query(self, source: TextQuery) -> Iterator[pa.RecordBatch]:
        """Stream the good rows of a relation that DuckDB reads itself.

        Raises `Misread` when DuckDB cannot read it or, which it does without a word after a quote
        that is never closed, gives other rows than there are.
        """
        row = 1
        try:
            # What is being streamed occupies its connection.
            relation = self._connection.cursor().sql(source.sql)
            for batch in arrow_batches(relation, source.batch_rows):
                yield self._typed(batch.columns, _Places(row, source.line_of_first))
                row += batch.num_rows
        except (duckdb.Error, pa.ArrowException) as error:
            raise Misread(str(error)) from error
        if row - 1 != source.rows:
            raise Misread(f"{row - 1} rows instead of {source.rows}")

    def parse_batch(self, batch: TextBatch) -> pa.RecordBatch:
        """The good rows of a batch of text."""
        cells = [pa.array(values, pa.string()) for values in batch.columns]
        return self._typed(cells, _Places(batch=batch))

    def _typed(self, cells: Sequence[pa.Array], places: _Places) -> pa.RecordBatch:
        """The rows of which every cell is a value; the others become rejects."""
        values = list(cells)
        bad: dict[int, list[int]] = defaultdict(list)
        for (type_, format_), positions in self._positions.items():
            found = self.values(type_, format_, [cells[position] for position in positions])
            for position, parsed in zip(positions, found, strict=True):
                values[position] = parsed
                if parsed.null_count != cells[position].null_count:
                    failed = pc.and_(pc.is_null(parsed), pc.is_valid(cells[position]))
                    for row in pc.indices_nonzero(failed).to_pylist():
                        bad[row].append(position)
        typed = pa.RecordBatch.from_arrays(values, schema=self.schema)
        if not bad:
            return typed
        for row in sorted(bad):
            self._reject(row, sorted(bad[row]), cells, places)
        good = pa.array([row not in bad for row in range(len(typed))], pa.bool_())
        return typed.filter(good)

    def values(
        self, type_: ColumnType, format_: str, cells: Sequence[pa.Array]
    ) -> Iterator[pa.Array]:
        """The cells of some columns as values of their one type and format, by column; null for a text
        that is none."""
        if type_.family is Family.STRING:
            yield from cells
            return
        if all(column.null_count == len(column) for column in cells):
            yield from (pa.nulls(len(column), type_.arrow) for column in cells)
            return
        # A chunk a column: DuckDB's threads share them, and nothing is copied.
        joined = pa.chunked_array(cells, pa.string())
        self._connection.register("cells", pa.table({"cell": joined}))
        try:
            parsed = self._connection.sql(value_query(type_, "cells", format_)).to_arrow_table()
        finally:
            self._connection.unregister("cells")
        found = parsed.column(0)
        if found.type != type_.arrow:  # to cast to the same type imports Arrow's functions, too
            found = found.cast(type_.arrow)
        values = pa.concat_arrays([pa.nulls(0, type_.arrow), *found.chunks])
        start = 0
        for column in cells:
            yield values.slice(start, len(column))
            start += len(column)

    def _reject(
        self, row: int, positions: Sequence[int], cells: Sequence[pa.Array], places: _Places
    ) -> None:
        reasons = []
        for position in positions:
            column, text = self._columns[position], cells[position][row].as_py()
            said = problem(column.type, text, column.text_format)
            reasons.append(Reason(column.name, text, said))
        raw = places.raw(row)
        if raw is None:
            fields = {
                column.name: cell[row].as_py()
                for column, cell in zip(self._columns, cells, strict=True)
            }
            raw = json.dumps(fields, ensure_ascii=False)
        self._rejects.add(places.reject(row, raw, tuple(reasons)))
