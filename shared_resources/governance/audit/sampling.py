"""The queries that fetch a few rows of a failed rule.

Belongs here: one query a shape of rule, on the view `batch`.
Does not belong here: masking and shortening (`samples.py`), counting (`counting.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import duckdb

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import KeyKind, ReferenceKind, RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.view import BATCH, duplicated_keys, key_expressions
from shared_resources.governance.audit.engine.connection import asking
from shared_resources.governance.audit.samples import SAMPLE_ROWS, masked, shown_columns
from shared_resources.sql import quote_identifier

SAMPLE_GROUPS = 2


def failing_rows(
    connection: duckdb.DuckDBPyConnection,
    rule: Rule,
    contract: Contract,
    present: Sequence[str],
    reference: str | None,
    personal: Collection[str] = (),
) -> tuple[Mapping[str, Any], ...]:
    """Up to five rows that break `rule`, masked. `reference` is what a relationship looks into;
    `personal` are columns in which personal data was found.
    """
    columns = shown_columns(contract, rule.columns, present)
    if not columns:
        return ()
    kind = kind_of(rule)
    if isinstance(kind, RowKind):
        condition = kind.confirmed(rule, contract, BATCH, asking(connection))
        query = f"{_select(columns)} WHERE {condition} LIMIT {SAMPLE_ROWS}"
    elif isinstance(kind, KeyKind):
        query = _duplicates(rule, contract, columns)
    elif isinstance(kind, ReferenceKind):
        assert reference is not None
        condition = kind.orphaned(rule, reference, BATCH)
        query = f"{_select(columns)} WHERE {condition} LIMIT {SAMPLE_ROWS}"
    else:
        return ()
    return masked(columns, connection.execute(query).fetchall(), contract, personal)


def _select(columns: Sequence[str]) -> str:
    listed = ", ".join(f"{BATCH}.{quote_identifier(column)}" for column in columns)
    return f"SELECT {listed} FROM {BATCH}"


def _duplicates(rule: Rule, contract: Contract, columns: Sequence[str]) -> str:
    """Rows of two keys that repeat, side by side."""
    key = key_expressions(rule, contract)
    names = [f"_mesh_k{place}" for place in range(len(key))]
    repeated = f"{duplicated_keys(rule, contract)} LIMIT {SAMPLE_GROUPS}"
    same = " AND ".join(
        f"{expression} IS NOT DISTINCT FROM {name}"
        for expression, name in zip(key, names, strict=True)
    )
    return (
        f"{_select(columns)} JOIN ({repeated}) AS _mesh_repeated ON {same} "
        f"ORDER BY {', '.join(names)} LIMIT {SAMPLE_ROWS}"
    )
