"""Rules that need other rows, or another product: duplicates and orphans, as SQL.

Belongs here: what a key is, the keys that repeat, the anti-join against a reference.
Does not belong here: rules that one row decides (`predicates.py`), counting keys (`uniqueness.py`).

Each is a query of its own beside the aggregate: measured on 10 million rows, that takes less time
than `count(DISTINCT key)` within it, and unlike that it spills to disk.
"""

from __future__ import annotations

import pyarrow as pa

from shared_resources.contracts.model import Contract, Rule, RuleKind
from shared_resources.contracts.values.comparing import column_type, compared_exactly, fitting
from shared_resources.rules.engine import BATCH, PART
from shared_resources.sql import quote_identifier

ROWS = "_mesh_rows"
UNIQUENESS = frozenset({RuleKind.UNIQUE, RuleKind.DUPLICATE_VALUES})


def key_expressions(rule: Rule, contract: Contract) -> list[str]:
    """What must not repeat. In a partitioned product, within the day of the partition column."""
    key = [quote_identifier(column) for column in rule.columns]
    partitioning = contract.partitioning
    if partitioning is not None and partitioning.column not in rule.columns:
        key.append(f"CAST({quote_identifier(partitioning.column)} AS DATE)")
    return key


def compared(rule: Rule) -> str:
    """Which rows are compared at all: those whose key has no null in it."""
    return " AND ".join(f"{quote_identifier(column)} IS NOT NULL" for column in rule.columns)


def duplicated_keys(rule: Rule, contract: Contract, view: str = BATCH) -> str:
    """The keys that more than one row has, within a part, with the number of rows, `ROWS`."""
    key = key_expressions(rule, contract)
    named = ", ".join(f"{expression} AS _mesh_k{place}" for place, expression in enumerate(key))
    return (
        f"SELECT {PART}, {named}, count(*) AS {ROWS} FROM {view} WHERE {compared(rule)} "
        f"GROUP BY {PART}, {', '.join(key)} HAVING count(*) > 1"
    )


def orphaned(rule: Rule, reference: str, view: str = BATCH) -> str:
    """The condition under which a row's reference leads nowhere. A null in it leads nowhere else:
    a row without a complete reference is no orphan.
    """
    theirs = [quote_identifier(column) for column in rule.arguments["columns"]]
    ours = [f"{view}.{quote_identifier(column)}" for column in rule.columns]
    matches = " AND ".join(
        f"_reference.{their} = {our}" for their, our in zip(theirs, ours, strict=True)
    )
    return (
        f"{compared(rule)} AND NOT EXISTS (SELECT 1 FROM {quote_identifier(reference)} _reference "
        f"WHERE {matches})"
    )


def not_compared(rule: Rule, contract: Contract, published: pa.Schema) -> str | None:
    """Why a relationship cannot look into a version of that schema, None when it can.

    The version may be older than its contract, whose types `mesh check` has compared.
    """
    for ours, theirs in zip(rule.columns, rule.arguments["columns"], strict=True):
        own, found = contract.column(ours).type, published.field(theirs).type
        their_type = column_type(found)
        if their_type is None or not compared_exactly(own, their_type):
            return (
                f"{ours} is {own}, and {theirs} in the published version of "
                f"{rule.arguments['product']} is {their_type or found}: these cannot be compared "
                f"without converting one; publish that product anew with the type {fitting(own)}"
            )
    return None


def count_orphans(rule: Rule, reference: str) -> str:
    """Orphans of each part that has any: (part, rows)."""
    return f"SELECT {PART}, count(*) FROM {BATCH} WHERE {orphaned(rule, reference)} GROUP BY {PART}"
