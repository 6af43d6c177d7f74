"""What a role sees of Snowflake's views: their queries with each policy in them, run by DuckDB.

Belongs here: the query that a view comes to, and its rows. Does not belong here: how the views, policies
and grants came about (`snowflake_governance.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import sqlglot
from sqlglot import exp

from tests.stand_ins.snowflake_governance import Governance
from tests.stand_ins.snowflake_objects import Name, Policy, View


def seen(account: Governance, role: str) -> dict[Name, str]:
    """What each view that the role may select shows, as one query of the products' own rows."""
    usable = {
        one[2][1] for one in account.grants if one[:2] == ("USAGE", "SCHEMA") and one[4] == role
    }
    views = [one[2] for one in account.grants if one[:2] == ("SELECT", "VIEW") and one[4] == role]
    return {name: _effective(account, name).sql("snowflake") for name in views if name[0] in usable}


def rows(account: Governance, view: Name, now: str = "CURRENT_TIMESTAMP") -> list[dict[str, Any]]:
    """The rows that the view shows at that moment."""
    query = _effective(account, view).sql("duckdb")
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for (schema, name), table in account.tables.items():
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
            connection.register("given", table)
            connection.execute(f'CREATE TABLE "{schema}"."{name}" AS SELECT * FROM given')
            connection.unregister("given")
        query = query.replace("CURRENT_TIMESTAMP", now)
        found: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
        return found


def _effective(account: Governance, name: Name) -> exp.Query:
    """The view's query with its policies in it, and those of the views that it reads."""
    view = account.view(name)
    if view.query is None:
        return exp.select(*(exp.column(one, quoted=True) for one in view.columns)).from_(
            exp.table_(name[1], name[0], quoted=True)
        )
    inner = view.query.copy()
    for read in list(inner.find_all(exp.Table)):
        read.replace(_effective(account, (read.db, read.name)).subquery("read"))
    shown = [
        exp.alias_(_masked(account, view, column), column, quoted=True) for column in view.columns
    ]
    made = exp.select(*shown).from_(inner.subquery("view"))
    if view.rows:
        policy = account.policy("ROW_ACCESS_POLICY", view.rows[0])
        made = made.where(_body(policy, view.rows[1]))
    return made


def _masked(account: Governance, view: View, column: str) -> exp.Expr:
    if column not in view.masks:
        return exp.column(column, quoted=True)
    return _body(account.policy("MASKING_POLICY", view.masks[column]), [column])


def _body(policy: Policy, columns: Sequence[str]) -> exp.Expr:
    """The policy's body on these columns of a view."""
    called = dict(zip(policy.arguments, columns, strict=True))
    body: exp.Expr = sqlglot.parse_one(policy.body, read="snowflake")
    for column in list(body.find_all(exp.Column)):
        column.this.set("this", called[column.name])
    return body
