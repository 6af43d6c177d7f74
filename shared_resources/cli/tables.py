"""Tables and JSON on standard output, the same way for every command.

Belongs here: how rows are printed.
Does not belong here: which rows.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from shared_resources.cli.output import say, visible
from shared_resources.cli.plain_table import table_lines

_RIGHT = (int, float, Decimal)
_NO = "no"
# What a person copies: a terminal folds the others.
_WHOLE = frozenset({"at", "id", "key", "product", "published_at", "rule"})


def print_json(value: object) -> None:
    """JSON alone on standard output; dates in ISO 8601. NaN and infinities, which JSON does not
    have, are text."""
    say(json.dumps(_without_nan(value), indent=2, default=_plain, allow_nan=False))


def columns_of(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Every column that any of the rows has, in the order in which they first occur."""
    return list(dict.fromkeys(name for row in rows for name in row))


def print_table(
    rows: Sequence[Mapping[str, Any]], columns: Iterable[str], *, data: bool = False
) -> None:
    """Rows as a table. Where no terminal shows it, each row is one line, however long: whoever cuts
    moments or keys out of lines finds them whole.

    With `data` they are a product's own rows: values are shown as they are, ids without separators.
    """
    names = list(columns)
    cells = [[_cell(row.get(name), data) for name in names] for row in rows]
    numbers = [name for name in names if any(isinstance(row.get(name), _RIGHT) for row in rows)]
    if sys.stdout.isatty():
        _print_at_terminal(names, cells, numbers, data)
        return
    for line in table_lines(names, cells, right=numbers):
        say(line)


def _print_at_terminal(
    names: Sequence[str], cells: Sequence[Sequence[str]], numbers: Collection[str], data: bool
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    class Output(Console):
        def on_broken_pipe(self) -> None:
            """Leave it to `main`, as for any other output; rich would end with exit code 1."""
            raise BrokenPipeError

    table = Table(box=None, pad_edge=False)
    for name in names:
        justify: Literal["right", "left"] = "right" if name in numbers else "left"
        table.add_column(name, justify=justify, overflow="fold", no_wrap=name in _WHOLE)
    for row in cells:
        table.add_row(*(Text(cell, "red" if cell == _NO and not data else "") for cell in row))
    Output(highlight=False).print(table)


def _cell(value: object, data: bool) -> str:
    match value:
        case None:
            return ""
        case bool() if not data:
            return "yes" if value else _NO
        case int() if not data:
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
    return visible(str(value))


def _without_nan(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value


def _plain(value: object) -> object:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, Decimal | bytes):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")
