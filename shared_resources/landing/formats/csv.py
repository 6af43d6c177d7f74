"""A CSV object: its header against the contract, its rows as text.

Belongs here: header, delimiter and null text, the choice between the fast and the careful parser,
rows that do not have the header's number of cells.
Does not belong here: splitting text into cells (`csv_records.py`), types (`landing/typed_cells.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from shared_resources.contracts.model import Landing
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.csv_records import CsvDamage, Dialect, Record, records
from shared_resources.landing.formats.csv_shape import CsvShape
from shared_resources.landing.header import Expected, compare_columns, expected_columns
from shared_resources.landing.rejects import CELLS, Reason, Reject, RejectsWriter
from shared_resources.landing.staged_object import (
    ObjectToStage,
    StagedObject,
    carefully,
    staging,
)
from shared_resources.landing.text import Limits, TextFile, open_text
from shared_resources.landing.typed_rows import (
    BATCH_CELLS,
    BATCH_CHARACTERS,
    BATCH_ROWS,
    Misread,
    TextBatch,
    TextQuery,
)
from shared_resources.sql import exact_path, quote_literal

# DuckDB holds this many rows at a time whatever their length, so long ones go the careful way.
DUCKDB_ROWS = 2_048
LONGEST_FAST_LINE = 32 << 10
# What DuckDB's reader takes in time and memory grows with the square of the columns.
MOST_FAST_COLUMNS = 1_000


class CsvReader:
    """See `FormatReader`. Nothing in text ends a process."""

    def is_ordinary(self, file: Path) -> bool:
        return True

    def stage(self, of: ObjectToStage) -> StagedObject:
        landing = of.landing
        shape = CsvShape(landing.delimiter)
        with (
            staging(of) as stage,
            open_text(of.file, of.key, landing.encoding, stage.work, of.limits, shape.look) as text,
        ):
            expected = expected_columns(of.contract, of.partition)
            table = CsvObject(text, shape, of.key, landing, expected, of.limits)
            query = table.fast_query()
            if query is not None:
                # Ragged or damaged: the careful parser says where, and keeps the rest.
                with suppress(Misread):
                    staged = stage.write(lambda rows, _: rows.parse_query(query))
                    return replace(staged, ignored=table.ignored)
            return replace(stage.write(carefully(table.batches)), ignored=table.ignored)


READER = CsvReader()


class CsvObject:
    """A CSV object whose header fits the `expected` columns, in whatever order.

    Raises `UnreadableObject` for a header that does not.
    """

    def __init__(
        self,
        text: TextFile,
        shape: CsvShape,
        object_key: str,
        landing: Landing,
        expected: Expected,
        limits: Limits,
    ) -> None:
        self._text = text
        self._shape = shape
        self._key = object_key
        self._landing = landing
        self._expected = expected
        self._names = expected.names
        self._limits = limits
        self._header_end, self._header = self._read_header()
        self.ignored = expected.unknown(self._header)

    def fast_query(self) -> TextQuery | None:
        """How DuckDB reads the object, or None when it might read it differently from us."""
        shape, width = self._shape, len(self._header)
        if not shape.regular or self._text.longest > LONGEST_FAST_LINE:
            return None
        if not 2 <= width <= MOST_FAST_COLUMNS:
            return None
        # DuckDB takes no offence at an empty cell too many at the end of a row.
        if self._header_end != 1 or shape.delimiters != shape.rows * (width - 1):
            return None
        columns = ", ".join(f"f{i}: 'VARCHAR'" for i in range(len(self._header)))
        options = {
            "auto_detect": "false",
            "header": "true",
            "columns": "{" + columns + "}",
            "delim": quote_literal(self._landing.delimiter),
            "quote": "'\"'",
            "escape": "'\"'",
            "comment": "''",
            "nullstr": quote_literal(self._landing.null_text),
            "allow_quoted_nulls": "false",
            "null_padding": "false",
            "strict_mode": "true",
            "ignore_errors": "false",
            "compression": "'none'",
            "hive_partitioning": "false",
        }
        if shape.multiline:
            # Several readers of one file guess where rows begin, by line ends within quotes too.
            options["parallel"] = "false"
        given = ", ".join(f"{name} = {value}" for name, value in options.items())
        chosen = ", ".join(f"{self._cell(name)} AS c{i}" for i, name in enumerate(self._names))
        sql = f"SELECT {chosen} FROM read_csv({exact_path(str(self._text.path))}, {given})"  # noqa: S608
        fitting = min(BATCH_CHARACTERS // self._text.longest, BATCH_CELLS // width)
        return TextQuery(
            sql,
            rows=shape.rows - 1,
            batch_rows=max(DUCKDB_ROWS, min(BATCH_ROWS, fitting)),
            line_of_first=None if shape.quoted else 2,
        )

    def _cell(self, name: str) -> str:
        """The field of a column, or a null of one that the object may lack and lacks."""
        there = name in self._header
        return f"f{self._header.index(name)}" if there else "CAST(NULL AS VARCHAR)"

    def batches(self, rejects: RejectsWriter) -> Iterator[TextBatch]:
        """The rows, read carefully; those that cannot be matched to the columns become rejects.

        Raises `UnreadableObject` where the text stops being CSV.
        """
        positions = {name: position for position, name in enumerate(self._header)}
        order = [positions.get(name) for name in self._names]
        most = max(1, min(BATCH_ROWS, BATCH_CELLS // len(order)))
        pending: list[Record] = []
        row, characters = 0, 0
        numbers: list[int] = []
        for record in self._rows():
            row += 1
            fault = self._fault(record)
            if fault:
                rejects.add(Reject(row, record.line, _cells(record), (fault,)))
                continue
            pending.append(record)
            numbers.append(row)
            characters += record.size
            if len(pending) >= most or characters >= BATCH_CHARACTERS:
                yield _batch(pending, numbers, order)
                pending, numbers, characters = [], [], 0
        if pending:
            yield _batch(pending, numbers, order)

    def _rows(self) -> Iterator[Record]:
        """The rows after the header. A blank line is one only where it might be a null."""
        every = self._records()
        for record in every:
            if record.cells:
                break
        for record in every:
            if record.cells or len(self._header) == 1:
                yield record

    def _records(self, null_text: str | None = None) -> Iterator[Record]:
        null = self._landing.null_text if null_text is None else null_text
        dialect = Dialect(self._landing.delimiter, null)
        try:
            yield from records(self._text, dialect, self._limits.record_bytes)
        except CsvDamage as damage:
            raise UnreadableObject(
                self._key,
                f"is damaged: {damage.problem}",
                "mend the quotes at its source and land it again",
                f"line {damage.line}",
            ) from damage

    def _fault(self, record: Record) -> Reason | None:
        """Why the row as a whole is none of the contract's, if it is not."""
        expected, found = len(self._header), len(record.cells)
        if not found:
            return Reason(None, None, 'a blank line, which may be a null or nothing; write ""')
        if found != expected:
            return Reason(None, None, f"{found} cells where the header has {expected}")
        if not record.ended:
            return Reason(
                None,
                None,
                "the last line has no line end, so it may have been cut off; end it with one",
            )
        return None

    def _read_header(self) -> tuple[int, tuple[str, ...]]:
        """The line on which the header ends, and its names: the contract's, in some order."""
        for record in self._records(null_text=""):  # a column may be called like a null
            if not record.cells:
                continue
            place = f"line {record.line}"
            names = self._expected.named(cell or "" for cell in record.cells)
            compare_columns(self._key, names, self._expected, place)
            if not record.ended:
                raise UnreadableObject(
                    self._key,
                    "its header has no line end, so it may have been cut off",
                    "end the line and land it again",
                    place,
                )
            return record.line + record.lines - 1, names
        raise UnreadableObject(
            self._key, "holds blank lines alone", "land it again, with its header"
        )


def _batch(pending: list[Record], numbers: list[int], order: list[int | None]) -> TextBatch:
    columns = list(zip(*(record.cells for record in pending), strict=True))
    absent = (None,) * len(pending)
    return TextBatch(
        columns=[absent if position is None else columns[position] for position in order],
        rows=numbers,
        lines=[record.line for record in pending],
    )


def _cells(record: Record) -> str:
    return json.dumps({CELLS: record.cells}, ensure_ascii=False)
