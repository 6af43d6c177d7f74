"""The rows of CSV text, one by one, exactly and with their lines: the careful parser.

Belongs here: splitting text into rows and cells by RFC 4180, telling a quoted cell from an unquoted
one, saying where the text stops being CSV.
Does not belong here: what cells mean (`landing/typed_cells.py`), which columns there must be (`csv.py`).

DuckDB's parser is ten times as fast and takes over wherever the two cannot differ (`csv.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared_resources.landing.text import TextFile

CHUNK = 1 << 20


class CsvDamage(Exception):
    """The text is no CSV from `line` on: rows after that cannot be told reliably."""

    def __init__(self, line: int, problem: str) -> None:
        self.line = line
        self.problem = problem
        super().__init__(f"line {line}: {problem}")


@dataclass(frozen=True, slots=True)
class Record:
    """One row, or a blank line, which has no cells. A cell is None when it is a null.

    `line` is its first line, counted from 1, `lines` how many it takes, `size` its characters.
    `ended` is False for a last row without a line end.
    """

    line: int
    size: int
    cells: list[str | None]
    lines: int = 1
    ended: bool = True


class _Incomplete(Exception):
    """The buffer ends before the row does."""


@dataclass(frozen=True)
class Dialect:
    """`null_text`: an unquoted cell of exactly this text is a null."""

    delimiter: str
    null_text: str

    @property
    def plain_line(self) -> re.Pattern[str]:
        """A line without quotes, with its end."""
        return re.compile(r'([^"\r\n]*+)(\r\n|\n|\r)')

    @property
    def cell(self) -> re.Pattern[str]:
        """One cell, quoted (1) or not (2), and what ends it (3)."""
        end = re.escape(self.delimiter)
        quoted = r'"([^"]*+(?:""[^"]*+)*+)"'
        return re.compile(rf'(?:{quoted}|([^"{end}\r\n][^{end}\r\n]*+|))({end}|\r\n|\n|\r|\Z)')


_CLOSED = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
_LINE_END = re.compile(r"\r\n|\n|\r")


def records(text: TextFile, dialect: Dialect, longest: int) -> Iterator[Record]:
    """The rows of the text, the header and blank lines among them, in bounded memory.

    A row ends with LF, CRLF or CR. Raises `CsvDamage` for a quote that is not closed, for text
    after a closing quote, or a row of more than `longest` characters.
    """
    splitter = _Splitter(dialect)
    with text.path.open(encoding="utf-8", newline="") as file:
        if text.start:
            file.read(1)
        buffer, position, line, complete = "", 0, 1, False
        while not (complete and position == len(buffer)):
            try:
                record, position = splitter.split(buffer, position, line, complete)
            except _Incomplete:
                waiting = len(buffer) - position
                if waiting > longest:
                    problem = f"a row of more than {longest:,} characters; is a quote not closed?"
                    raise CsvDamage(line, problem) from None
                # Reading twice as much each time keeps a long row from being split over and over.
                more = file.read(max(CHUNK, waiting))
                buffer, position, complete = buffer[position:] + more, 0, not more
            else:
                yield record
                line += record.lines


class _Splitter:
    """Takes one row at a time off a buffer."""

    def __init__(self, dialect: Dialect) -> None:
        self._delimiter = dialect.delimiter
        self._null = dialect.null_text
        self._plain_line = dialect.plain_line
        self._cell = dialect.cell

    def split(self, buffer: str, position: int, line: int, complete: bool) -> tuple[Record, int]:
        """The row that starts at `position`, and where the next one starts.

        Raises `_Incomplete` when more text could change the row; `complete` says there is no more.
        """
        found = self._plain_line.match(buffer, position)
        if found and (complete or found.end() < len(buffer) or found[2] != "\r"):
            text, size = found[1], found.end() - position
            cells = text.split(self._delimiter) if text else []
            nulled = [None if cell == self._null else cell for cell in cells]
            return Record(line, size, nulled), found.end()
        return self._split_cells(buffer, position, line, complete)

    def _split_cells(
        self, buffer: str, position: int, line: int, complete: bool
    ) -> tuple[Record, int]:
        cells: list[str | None] = []
        start, breaks = position, 0
        while True:
            found = self._cell.match(buffer, position)
            if found is None:
                self._refuse(buffer, position, line + breaks, complete)
                raise _Incomplete
            quoted, bare, end = found.groups()
            if not complete and found.end() == len(buffer) and end in ("", "\r"):
                raise _Incomplete
            if quoted is None:
                cells.append(None if bare == self._null else bare)
            else:
                breaks += len(_LINE_END.findall(quoted))
                cells.append(quoted.replace('""', '"'))
            position = found.end()
            if end != self._delimiter:
                return Record(
                    line, position - start, cells, breaks + bool(end), bool(end)
                ), position

    def _refuse(self, buffer: str, position: int, line: int, complete: bool) -> None:
        """Raise `CsvDamage` when no more text could make the cell at `position` a cell."""
        closed = _CLOSED.match(buffer, position)
        if closed and closed.end() < len(buffer):
            lines = len(_LINE_END.findall(closed[0]))
            raise CsvDamage(line + lines, "there is text between a closing quote and the delimiter")
        if complete:
            raise CsvDamage(line, "a quote is opened here and never closed")
