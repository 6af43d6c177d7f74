"""What a model may do while dbt runs it on Snowflake: read its inputs and make its own relations.

Belongs here: dbt's command line with a check before each statement, and the session's settings that
make its answers those of every other engine. It runs in dbt's process.
Does not belong here: making the inputs visible (`snowflake_inputs.py`).

The mesh's role may read every product, so the schema alone would confine nothing. The check is a
list of what is allowed; what sqlglot cannot read is not.
"""

from __future__ import annotations

import os
from typing import Any

import sqlglot
from sqlglot import Expr, exp
from sqlglot.errors import ParseError, SqlglotError

from shared_resources.data_products.dbt.sealed_login import unsealed
from shared_resources.io_managers.cloud_warehouse.session import QUEUED_SECONDS, STATEMENT_SECONDS

SCHEMA = "DBT_SNOWFLAKE_SCHEMA"  # the variable that names the run's schema
DIALECT = "snowflake"
# As DuckDB has them (`on_duckdb.py`), whatever the account's defaults are.
SESSION: dict[str, Any] = {
    "TIMEZONE": "UTC",
    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
    "WEEK_START": 1,
    "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
    # A statement whose client is gone must not go on for days.
    "ABORT_DETACHED_QUERY": True,
    "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
    "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": QUEUED_SECONDS,
}
_SHOWN = frozenset({"OBJECTS", "SCHEMAS", "TABLES", "VIEWS"})
# Functions that reach what is not named as a table: metadata of all schemas, the server itself.
_REACHING = ("system$", "get_ddl", "result_scan")


class NotAllowed(Exception):
    """A statement would reach beyond the run's schema; the message says what it reaches for."""


def main() -> None:
    """dbt's command line, confined to the schema that the environment names."""
    # First: what dbt finds in the environment when it starts, a model can render.
    login = unsealed()

    import snowflake.connector
    from dbt.adapters.snowflake.connections import SnowflakeConnectionManager
    from dbt.cli.main import cli
    from dbt_common.exceptions import DbtRuntimeError

    schema = os.environ[SCHEMA]
    execute, connect = SnowflakeConnectionManager.add_standard_query, snowflake.connector.connect

    def confined(self: Any, sql: str, **options: Any) -> Any:
        try:
            check(sql, schema)
        except NotAllowed as refused:
            raise DbtRuntimeError(str(refused)) from None
        return execute(self, sql, **options)

    def settled(**options: Any) -> Any:
        session = {**SESSION, **options.get("session_parameters", {})}
        os.environ.update(login.variables)  # dbt has made its own copy, which models see
        own = {"schema": options["schema"], "session_parameters": session}
        return connect(**{**options, **login.parameters, **own})

    # dbt asks neither before it executes a statement, nor lets a session's parameters be given.
    SnowflakeConnectionManager.add_standard_query = confined  # type: ignore[method-assign]
    snowflake.connector.connect = settled  # type: ignore[assignment]
    cli()


def check(statement: str, schema: str) -> None:
    """Raises `NotAllowed` unless the statement reads from and writes into `schema` alone."""
    try:
        parsed = [tree for tree in sqlglot.parse(statement, dialect=DIALECT) if tree is not None]
    except ParseError as problem:
        found = problem.errors[0]
        raise NotAllowed(
            f"syntax error line {found['line']} at position {found['col']} near "
            f"{found['highlight']!r}: {found['description']}"
        ) from None
    except SqlglotError as problem:
        raise NotAllowed(f"syntax error: {problem}") from None
    for tree in parsed:
        _check_kind(tree)
        for table in tree.find_all(exp.Table):
            _check_table(table, schema, named_schema=isinstance(tree, exp.Show))
        for call in tree.find_all(exp.Dot):
            if isinstance(call.expression, exp.Func):
                raise NotAllowed(
                    f"it calls {call.sql(DIALECT)}, a function of a schema; a model computes with "
                    "Snowflake's own functions and the macros of the project"
                )
        for rows in tree.find_all(exp.TableFromRows):
            if not isinstance(rows.this, exp.Func) or isinstance(rows.this, exp.Anonymous):
                raise NotAllowed(_beyond(rows.sql(DIALECT)))
        for function in tree.find_all(exp.Anonymous):
            if str(function.this).lower().startswith(_REACHING):
                raise NotAllowed(_beyond(function.sql(DIALECT)))


def _check_kind(tree: Expr) -> None:
    match tree:
        case exp.Query() | exp.Describe() | exp.Comment():
            return
        case exp.Create() if tree.kind == "TABLE" and not tree.args.get("clone"):
            return
        case exp.Drop() if tree.kind in ("TABLE", "VIEW"):
            return
        case exp.Show() if tree.name.upper().removeprefix("TERSE ") in _SHOWN:
            return
        case exp.Use() if str(tree.args.get("kind")).upper() == "WAREHOUSE":
            return
    said = tree.sql(DIALECT).split("(")[0][:60].strip()
    raise NotAllowed(
        f"{said!r} is no query; a model is one SELECT, and nothing else is done in its run"
    )


def _check_table(table: exp.Table, schema: str, *, named_schema: bool) -> None:
    """Without a schema it is a step of the query itself, or in the run's schema, the current one."""
    if not isinstance(table.this, exp.Identifier):
        raise NotAllowed(_beyond(table.sql(DIALECT)))
    if named_schema:
        # SHOW OBJECTS IN database.schema, or SHOW SCHEMAS IN DATABASE database.
        if table.db and table.name != schema:
            raise NotAllowed(_beyond(table.sql(DIALECT)))
        return
    if not table.db:
        return
    if table.db != schema:
        raise NotAllowed(_beyond(table.sql(DIALECT)))


def _beyond(what: str) -> str:
    return (
        f"it reads {what}, which is none of its inputs; name a product with "
        "source('<domain>', '<product>')"
    )
