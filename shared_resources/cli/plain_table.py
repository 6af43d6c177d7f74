"""A table as plain text, for what is not read at a terminal: a pipe, a file, the log of a CI.

Belongs here: widths of columns, and cells that are folded to fit.
Does not belong here: what is in a cell (`tables.py`), colours, the width of a terminal.

rich does this as well, and its import takes a fifteenth of what a short command takes.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Collection, Sequence

_BETWEEN = "  "
_NARROWEST = 8


def table_lines(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    width: int,
    right: Collection[str],
    whole: Collection[str],
) -> list[str]:
    """The lines of the table, its head first. Columns `right` are set to the right; only those that are
    not in `whole` are folded, when the table would be wider than `width` otherwise."""
    texts = [tuple(names), *map(tuple, rows)]
    widths = [
        max(_width(line) for row in texts for line in _lines(row[i])) for i in range(len(names))
    ]
    _fit(widths, [name not in whole for name in names], width - len(_BETWEEN) * (len(names) - 1))
    lines = []
    for row in texts:
        cells = [_folded(cell, widths[i]) for i, cell in enumerate(row)]
        for at in range(max(map(len, cells), default=0)):
            parts = [cell[at] if at < len(cell) else "" for cell in cells]
            set_ = (_set(part, widths[i], names[i] in right) for i, part in enumerate(parts))
            lines.append(_BETWEEN.join(set_).rstrip())
    return lines


def _fit(widths: list[int], foldable: Sequence[bool], room: int) -> None:
    """Make the widest of the columns that may be folded narrower until all fit, if they can."""
    while sum(widths) > room:
        may = [i for i, width in enumerate(widths) if foldable[i] and width > _NARROWEST]
        if not may:
            return
        widest = max(may, key=lambda i: widths[i])
        next_one = max((widths[i] for i in may if widths[i] < widths[widest]), default=_NARROWEST)
        widths[widest] -= max(1, min(sum(widths) - room, widths[widest] - next_one))


def _folded(text: str, width: int) -> list[str]:
    if _width(text) <= width and "\n" not in text:
        return [text]
    return [part for line in _lines(text) for part in _folded_line(line, width)]


def _folded_line(line: str, width: int) -> list[str]:
    if _width(line) <= width:
        return [line]
    # Signs of double width are counted as such by halving: a line may end early, never late.
    signs = width if line.isascii() else max(1, width // 2)
    return textwrap.wrap(line, signs, break_on_hyphens=False) or [""]


def _lines(text: str) -> list[str]:
    return text.split("\n")


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
