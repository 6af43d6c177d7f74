"""Keys that are published already: what may not repeat, may not repeat over windows either.

Belongs here: finding a window's rows whose key the product has.
Does not belong here: keys within a window (the audit's own rules).
"""

from __future__ import annotations

from collections.abc import Sequence

from shared_resources.contracts.model import Rule, Severity
from shared_resources.contracts.rules.kind import KeyKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.view import BATCH, compared
from shared_resources.data_products.batch import Attempt
from shared_resources.governance.audit.engine.connection import audit_connection
from shared_resources.landing.rejects import Reason
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_identifier
from shared_resources.stores.reading.called import in_names_of
from shared_resources.streams.window_rows import WindowRows

# Each window reads the keys of everything published: 5 million took 90 ms (2 cores).
MOST_ROWS = 20_000_000
_PUBLISHED = "_mesh_published"
_ROW = "_mesh_number"


class TooManyKeys(MeshProblem):
    """The product has grown beyond where each window's keys are compared with all of it: somebody has to
    change its contract (`exit_code` 2)."""

    exit_code = 2


def unique_rules(rules: Sequence[Rule]) -> list[Rule]:
    return [
        rule
        for rule in rules
        if isinstance(kind_of(rule), KeyKind) and rule.severity is Severity.BLOCKING
    ]


def set_taken_apart(attempt: Attempt, decoded: WindowRows, number: int) -> WindowRows:
    """Without the rows of which version `number` has the key. Raises `TooManyKeys`."""
    rules = unique_rules(attempt.definition.rules)
    if not rules or not decoded.places:
        return decoded
    contract = attempt.contract
    opened = attempt.environment.stores_of(contract)[0].open(contract.key, number)
    if opened.version.rows > MOST_ROWS:
        raise TooManyKeys(
            f"{contract.key} has {opened.version.rows:,} rows, and {rules[0].clause} asks of each window "
            f"that its keys are none of them; beyond {MOST_ROWS:,} that takes too long. Make the rule a "
            "warning, or keep the last row of each key (`mode: upsert`)"
        )
    published = in_names_of(contract, opened, with_aliases=False)
    rows = decoded.rows.append_column(_ROW, [list(range(len(decoded.places)))])
    why: dict[int, Reason] = {}
    columns = tuple(dict.fromkeys(name for rule in rules for name in rule.columns))
    with audit_connection(attempt.environment.scratch) as connection:
        connection.register(BATCH, rows)
        published.register(connection, _PUBLISHED, columns)
        for rule in rules:
            same = " AND ".join(
                f"{_PUBLISHED}.{quote_identifier(name)} = {BATCH}.{quote_identifier(name)}"
                for name in rule.columns
            )
            found = connection.sql(
                f"SELECT {_ROW} FROM {BATCH} SEMI JOIN {_PUBLISHED} ON {same} WHERE {compared(rule)}"
            ).fetchall()
            reason = Reason(
                ", ".join(rule.columns), None, f"breaks {rule.name}: the key is published already"
            )
            why |= dict.fromkeys((row for (row,) in found), reason)
    return decoded.without(why)
