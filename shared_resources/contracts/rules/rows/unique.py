"""UNIQUE: no two rows have the same value, or the same primary key. `unique: true` and `primaryKey`.

Belongs here: both clauses; all else is that of any key (`kind.py`, `view.py`).
Does not belong here: repetitions with a tolerance (`duplicate_values.py`), counting keys
(`governance/audit/engine/uniqueness.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from shared_resources.contracts.model import Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.implied import implied_rule
from shared_resources.contracts.rules.kind import Declared, Enforced, KeyKind


class Unique(KeyKind):
    """`Rule.arguments`: {}. One column, or the composite primary key."""

    name = "unique"
    rank = 11
    restates = True
    enforces: ClassVar[Enforced] = {
        "unique": ("unique_{column}", "primary_key"),
        "primaryKey": ("primary_key",),
    }

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        if column.column.unique and declared.keyed != [column]:
            yield implied_rule(
                "unique", self.name, column, column.node.get("unique"),
                f"no two rows have the same {column.column.name}", dimension="uniqueness",
            )  # fmt: skip

    def of_table(self, declared: Declared) -> Iterator[Rule]:
        keyed = declared.keyed
        if keyed:
            names = tuple(column.column.name for column in keyed)
            field = keyed[0].node.get("primaryKey") or keyed[0].node
            yield Rule(
                "primary_key", self.name, names, clause=field.path, line=field.line,
                dimension="uniqueness", description=f"no two rows have the same {', '.join(names)}",
            )  # fmt: skip


KIND = Unique()
