"""How statements of Flink's are written: lists in lines of their own, a table's options.

Belongs here: the writing. Does not belong here: which options there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shared_resources.sql import quote_literal


def listed(options: Mapping[str, str]) -> str:
    return lines([f"{quote_literal(k)} = {quote_literal(v)}" for k, v in options.items()])


def lines(parts: Sequence[str], indent: int = 2) -> str:
    return f",\n{' ' * indent}".join(parts)
