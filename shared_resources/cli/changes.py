"""What would change for readers, column by column.

Belongs here: the lines under a count of rows that were added, gone or changed.
Does not belong here: comparing (`rehearsing/changes.py`), what a command says above them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared_resources.cli.output import say

if TYPE_CHECKING:
    from shared_resources.rehearsing.changes import Changes


def show_columns(changes: Changes, indent: str) -> None:
    for column, rows in changes.columns.items():
        say(f"{indent}{column}: {rows:,} rows have another value")
    for what, names in (
        ("new columns", changes.only_made),
        ("columns gone", changes.only_published),
        ("columns of another type", changes.retyped),
    ):
        if names:
            say(f"{indent}{what}: {', '.join(names)}")
