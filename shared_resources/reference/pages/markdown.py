"""Markdown that is written by the code: tables, cells, the line that says who wrote it.

Belongs here: form. Does not belong here: what a page says.
"""

from __future__ import annotations

from collections.abc import Iterable

GENERATED = "<!-- Written by `make reference` from the code; do not edit. -->"


def page(title: str, *blocks: str) -> str:
    """A whole page, with one line break at its end."""
    return "\n\n".join([f"# {title}", GENERATED, *(block.strip("\n") for block in blocks)]) + "\n"


def table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(map(cell, line))} |" for line in lines)


def cell(text: str) -> str:
    """Text on one line, in which no character ends the cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(names: Iterable[object]) -> str:
    return ", ".join(f"`{name}`" for name in names)
