"""A table as plain text, for what is not read at a terminal: a pipe, a file, the log of a CI.

Belongs here: widths of columns, one line a row.
Does not belong here: what is in a cell (`tables.py`), colours, the width of a terminal.

rich does this as well, and its import takes a fifteenth of what a short command takes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Sequence

_BETWEEN = "  "


def table_lines(
    names: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str]
) -> list[str]:
    """The lines of the table, its head first, a line a row. Columns `right` are set to the right; ends of
    lines within a cell become blanks."""
    texts = [[" ".join(cell.split("\n")) for cell in row] for row in (names, *rows)]
    widths = [max(_width(row[i]) for row in texts) for i in range(len(names))]
    return [
        _BETWEEN.join(
            _set(cell, width, name in right)
            for name, cell, width in zip(names, row, widths, strict=True)
        ).rstrip()
        for row in texts
    ]


def _set(text: str, width: int, right: bool) -> str:
    blanks = " " * (width - _width(text))
    return blanks + text if right else text + blanks


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in text
    )
