"""Tables and JSON on standard output, the same way for every command.

Belongs here: how rows are printed.
Does not belong here: which rows.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table

from shared_resources.cli.output import say, visible

_RIGHT = (int, float, Decimal)
_PIPE_WIDTH = 160
_WHOLE = frozenset({"key", "id", "product", "rule", "published_at"})  # what a person copies


class _Output(Console):
    def on_broken_pipe(self) -> None:
        """Leave it to `main`, as for any other output; rich would end with exit code 1."""
        raise BrokenPipeError


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
    """Rows as a table; wide enough to stay whole when the output is piped.

    With `data` they are a product's own rows: values are shown as they are, ids without separators.
    """
    console = _Output(width=None if sys.stdout.isatty() else _PIPE_WIDTH, highlight=False)
    table = Table(box=None, pad_edge=False)
    names = list(columns)
    for name in names:
        numeric = any(isinstance(row.get(name), _RIGHT) for row in rows)
        table.add_column(
            name, justify="right" if numeric else "left", overflow="fold", no_wrap=name in _WHOLE
        )
    for row in rows:
        table.add_row(*(_cell(row.get(name), data) for name in names))
    console.print(table)


def _cell(value: object, data: bool) -> str:
    match value:
        case None:
            return ""
        case bool() if not data:
            return "yes" if value else "[red]no[/]"
        case int() if not data:
            return f"{value:,}"
        case datetime():
            return f"{value:%Y-%m-%d %H:%M:%S}"
    return visible(str(value)).replace("[", "\\[")


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
