"""DUPLICATE_VALUES: how many rows may repeat a value or a combination. The metric `duplicateValues`.

Belongs here: the metric's arguments; all else is that of any key (`kind.py`, `view.py`).
Does not belong here: keys without a tolerance (`unique.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared_resources.contracts.node import Node, suggest
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.kind import KeyKind


class DuplicateValues(KeyKind):
    """`Rule.arguments`: {}. One column, or several: the row's combination."""

    name = "duplicate_values"
    rank = 54
    as_clause = "unique"
    metric = "duplicateValues"
    on_column = True
    on_table = True

    def read_metric(
        self,
        node: Node,
        given: Node,
        of: DeclaredColumn | None,
        columns: Mapping[str, DeclaredColumn],
    ) -> tuple[tuple[str, ...], dict[str, Any]]:
        if of is not None:
            return super().read_metric(node, given, of, columns)
        given.unknown_fields(("properties",))
        names: list[str] = []
        for item in given.each("properties"):
            if not isinstance(item.value, str) or item.value not in columns:
                item.problem(
                    f"is {item.value!r}, a column that does not exist",
                    suggest(str(item.value), columns),
                )
            elif item.value in names:
                item.problem(f"names {item.value!r} a second time", "keep one of the two")
            else:
                names.append(item.value)
        if given.get("properties") is None:
            node.problem("does not say which columns", "add `arguments: {properties: [a, b]}`")
        elif not names and not list(given.each("properties")):
            field = given.get("properties") or given
            field.problem("lists no columns", "write `properties: [a, b]`")
        return tuple(names), {}


KIND = DuplicateValues()
