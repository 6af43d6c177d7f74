"""Looking again at what rows were only suspected of, in the parts where some were.

Belongs here: which parts are looked into, and the count that holds.
Does not belong here: what is suspected and confirmed (kinds of rule with `confirms`).
"""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.view import BATCH, PART
from shared_resources.governance.audit.engine.connection import asking
from shared_resources.governance.audit.engine.outcome import Outcome


def confirm(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    rules: Sequence[Rule],
    outcomes: Sequence[dict[int, Outcome]],
) -> None:
    """Put what is confirmed in the place of what was suspected; `outcomes` are those of each part."""
    for place, rule in enumerate(rules):
        kind = kind_of(rule)
        if not isinstance(kind, RowKind) or not kind.confirms:
            continue
        suspected = [
            number
            for number, found in enumerate(outcomes)
            if found[place].problem is None and found[place].value
        ]
        if len(outcomes) > 1 and suspected:
            # A query for each of a year's days would take longer than the audit of them all.
            cleared = kind.cleared(rule, contract, BATCH, PART, lambda q: _rows(connection, q))
            for number in cleared & set(suspected):
                outcomes[number][place] = Outcome(0)
            suspected = [number for number in suspected if number not in cleared]
        for number in suspected:
            only = f"(SELECT * FROM {BATCH} WHERE {PART} = {number})"
            view = only if len(outcomes) > 1 else BATCH
            condition = kind.confirmed(rule, contract, view, asking(connection))
            query = f"SELECT count(*) FROM {view} WHERE {condition}"
            outcomes[number][place] = Outcome(_rows(connection, query)[0][0])


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[int, ...]]:
    return connection.execute(query).fetchall()
