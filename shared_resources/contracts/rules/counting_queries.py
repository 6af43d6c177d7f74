"""A domain's own query that counts rows by a condition: whether it is one, and that condition.

Belongs here: what such a query may say beside its condition, as sqlglot reads it; whether DuckDB
takes it.
Does not belong here: what the condition means (`row_conditions.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.expressions import Inexpressible
from shared_resources.contracts.rules.view import BATCH
from shared_resources.sql import quote_identifier

if TYPE_CHECKING:
    from sqlglot import exp

# Each is a level of an expression that polars goes down.
MOST_PARTS = 500
# What sqlglot raises of its own accord about a query that is none.
STUMBLES = (TypeError, ValueError)


def counted_by(query: str) -> tuple[exp.Expr, str]:
    """The condition of `SELECT count(*) FROM batch WHERE …`, as sqlglot reads it, and what the query
    calls the batch. Raises `Inexpressible` for any other query."""
    import sqlglot  # here: few contracts need it, and importing it takes a moment
    from sqlglot import exp

    try:
        # sqlglot reads it as NOT, wherever it stands; to DuckDB it is a factorial.
        odd = any(token.text == "!" for token in sqlglot.tokenize(query, dialect="duckdb"))
        trees = sqlglot.parse(query, dialect="duckdb")
        parts = sum(1 for tree in trees if tree is not None for _ in tree.walk())
    except (sqlglot.errors.SqlglotError, RecursionError, *STUMBLES):
        raise Inexpressible("it cannot be read") from None
    if odd:
        raise Inexpressible("`!` is not known to mean the same there")
    if parts > MOST_PARTS:
        raise Inexpressible(f"it has more than {MOST_PARTS} parts")
    [tree] = trees if len(trees) == 1 else [None]
    if not isinstance(tree, exp.Select) or not says_only(tree, "expressions", "from_", "where"):
        raise Inexpressible(_NO_COUNT)
    table = tree.args["from_"].this if says_only(tree.args.get("from_"), "this") else None
    if not isinstance(table, exp.Table) or table.name.lower() != BATCH:
        raise Inexpressible(_NO_COUNT)
    if not says_only(table, "this", "alias") or not _counts(tree.expressions):
        raise Inexpressible(_NO_COUNT)
    if table.alias_column_names:
        raise Inexpressible("it gives the columns other names")
    where = tree.args.get("where")
    if not isinstance(where, exp.Where):
        raise Inexpressible("it counts all rows")
    return where.this, table.alias_or_name.lower()


def taken_by_duckdb(query: str, contract: Contract) -> bool:
    """Whether it is SQL at all: sqlglot passes over what it has no place for, such as a missing AND."""
    import duckdb

    columns = ", ".join(f"{quote_identifier(c.name)} {c.type.duckdb}" for c in contract.columns)
    settings: dict[str, str | bool | int | float | list[str]] = {
        "enable_external_access": False,
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "threads": 1,
    }
    with duckdb.connect(config=settings) as connection:
        connection.execute(f"CREATE TABLE {BATCH} ({columns})")
        try:
            connection.execute(f"EXPLAIN {query}")
        except duckdb.Error:
            return False
    return True


_NO_COUNT = "it is no SELECT count(*) FROM ${object} WHERE and a condition"


def says_only(node: Any, *names: str) -> bool:
    """Whether the node says nothing but these."""
    return node is not None and {name for name, said in node.args.items() if said} <= {*names}


def _counts(selected: Sequence[exp.Expr]) -> bool:
    from sqlglot import exp

    if len(selected) != 1:
        return False
    counted = selected[0].unalias()
    return (
        type(counted) is exp.Count
        and says_only(counted, "this", "big_int")
        and counted.this == exp.Star()
    )
