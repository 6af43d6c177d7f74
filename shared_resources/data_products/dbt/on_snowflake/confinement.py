"""What a model may do while dbt runs it on Snowflake: read its inputs and make its own relations.

Belongs here: dbt's command line with a check before each statement, and the session's settings that
make its answers those of every other engine. It runs in dbt's process.
Does not belong here: making the inputs visible (`inputs.py`).

The mesh's role may read every product, so the schema alone would confine nothing. The check is a
list of what is allowed; what sqlglot cannot read is not.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from typing import Any

import sqlglot
from sqlglot import Expr, exp
from sqlglot.errors import ParseError, SqlglotError

from shared_resources.data_products.dbt.on_snowflake.functions import computes
from shared_resources.data_products.dbt.on_snowflake.sealed_login import unsealed
from shared_resources.data_products.dbt.refusals import NotAllowed, refuse_python
from shared_resources.stores.cloud_warehouse.session import QUEUED_SECONDS, STATEMENT_SECONDS

SCHEMA = "DBT_SNOWFLAKE_SCHEMA"  # the variable that names the run's schema
INPUTS = "DBT_SNOWFLAKE_INPUTS"  # and the one that names its pinned inputs, a JSON list
DIALECT = "snowflake"
# As DuckDB has them (`data_products/dbt/on_duckdb.py`), whatever the account's defaults are.
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
_SHOWN = frozenset({"OBJECTS", "TABLES", "VIEWS"})
_DESCRIBED = frozenset({"", "TABLE", "VIEW"})


def main() -> None:
    """dbt's command line, confined to the schema that the environment names."""
    # First: what dbt finds in the environment when it starts, a model can render.
    login = unsealed()

    import snowflake.connector
    from dbt.adapters.snowflake.connections import SnowflakeConnectionManager
    from dbt.adapters.snowflake.impl import SnowflakeAdapter
    from dbt.cli.main import cli
    from dbt_common.exceptions import DbtRuntimeError

    refuse_python(SnowflakeAdapter)
    schema, inputs = os.environ[SCHEMA], frozenset(json.loads(os.environ[INPUTS]))
    execute, connect = SnowflakeConnectionManager.add_standard_query, snowflake.connector.connect

    def confined(self: Any, sql: str, **options: Any) -> Any:
        try:
            check(sql, schema, inputs)
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


def check(statement: str, schema: str, inputs: Collection[str] = ()) -> None:
    """Raises `NotAllowed` unless the statement reads from and writes into `schema` alone.

    The pinned `inputs` that lie there are for reading: a hook could replace them.
    """
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
        _check_kind(tree, schema)
        _check_written(tree, inputs)
        for table in tree.find_all(exp.Table):
            _check_table(table, schema, named_schema=isinstance(tree, exp.Show))
        for stage in tree.find_all(exp.DirectoryStage):
            raise NotAllowed(_beyond(stage.sql(DIALECT)))
        for call in tree.find_all(exp.Dot):
            if isinstance(call.expression, exp.Func):
                raise NotAllowed(
                    f"it calls {call.sql(DIALECT)}, a function of a schema; a model computes with "
                    "Snowflake's own functions and the macros of the project"
                )
        for rows in tree.find_all(exp.TableFromRows):
            if not isinstance(rows.this, exp.Func) or isinstance(rows.this, exp.Anonymous):
                raise NotAllowed(_beyond(rows.sql(DIALECT)))
        for function in tree.find_all(exp.Func):
            called = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
            if not computes(called, known=not isinstance(function, exp.Anonymous)):
                raise NotAllowed(
                    f"it calls {function.sql(DIALECT)}; a model computes from the rows of its inputs, "
                    f"and {called.upper()} is not known to do no more than that"
                )


def _check_written(tree: Expr, inputs: Collection[str]) -> None:
    if isinstance(tree, exp.Create):
        written = [tree.this.find(exp.Table)]
    elif isinstance(tree, exp.Drop | exp.Comment):
        written = list(tree.find_all(exp.Table))
    else:
        return
    pinned = {name.lower() for name in inputs}
    for table in written:
        if table is not None and table.name.lower() in pinned:
            raise NotAllowed(
                f"it changes {table.name}, an input that the run has pinned; a model reads its inputs"
            )


def _check_kind(tree: Expr, schema: str) -> None:
    match tree:
        case exp.Query() | exp.Comment():
            return
        case exp.Describe() if str(tree.args.get("kind") or "").upper() in _DESCRIBED:
            return
        case exp.Create() if tree.kind == "TABLE" and not tree.args.get("clone"):
            return
        case exp.Drop() if tree.kind in ("TABLE", "VIEW"):
            return
        case exp.Show() if _shows_own(tree, schema):
            return
        case exp.Use() if str(tree.args.get("kind")).upper() == "WAREHOUSE":
            return
    said = tree.sql(DIALECT).split("(")[0][:60].strip()
    raise NotAllowed(
        f"{said!r} is no query; a model is one SELECT, and nothing else is done in its run"
    )


def _shows_own(tree: exp.Show, schema: str) -> bool:
    """Without IN it would be about the whole database; the schemas' names dbt itself asks for."""
    shown, scope = tree.name.upper().removeprefix("TERSE "), tree.args.get("scope")
    if shown == "SCHEMAS":
        return tree.args.get("scope_kind") == "DATABASE"
    own = isinstance(scope, exp.Table) and scope.name == schema
    return shown in _SHOWN and tree.args.get("scope_kind") == "SCHEMA" and own


def _check_table(table: exp.Table, schema: str, *, named_schema: bool) -> None:
    """Without a schema it is a step of the query itself, or in the run's schema, the current one."""
    if not isinstance(table.this, exp.Identifier):
        raise NotAllowed(_beyond(table.sql(DIALECT)))
    if named_schema:  # `_shows_own` has looked at it
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
