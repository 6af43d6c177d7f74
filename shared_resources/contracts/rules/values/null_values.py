"""NULL_VALUES: how many nulls a column may have. The library metric `nullValues`.

Belongs here: the metric; all else is as of REQUIRED.
Does not belong here: values that count as missing (`missing_values.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from shared_resources.contracts.model import Rule
from shared_resources.contracts.reading.columns import DeclaredColumn
from shared_resources.contracts.rules.kind import Declared, Enforced
from shared_resources.contracts.rules.values.required import Required


class NullValues(Required):
    """`Rule.arguments`: {}."""

    name = "null_values"
    rank = 51
    restates = False
    as_clause = Required.name
    metric = "nullValues"
    on_column = True
    enforces: ClassVar[Enforced] = {}

    def of_column(self, declared: Declared, column: DeclaredColumn) -> Iterator[Rule]:
        return iter(())


KIND = NullValues()
