"""What a model may reach while dbt runs it: its pinned inputs and its own folder, nothing else.

Belongs here: the dbt-duckdb plugin that attaches the inputs and then shuts the door, and dbt's command
line with a check before each statement. It runs in dbt's process and must stay light to import.
Does not belong here: deciding what the inputs are (`on_duckdb.py` writes `inputs.json`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from shared_resources.data_products.dbt.refusals import NotAllowed, refuse_python
from shared_resources.sql import quote_identifier, quote_literal

INPUTS = "inputs.json"
# What dbt does around a model. ATTACH, COPY and SET reach for files, databases or the settings, and
# EXPLAIN ANALYZE and EXECUTE run another statement than they are.
_DONE = frozenset(
    {"SELECT", "CREATE", "DROP", "ALTER", "INSERT", "UPDATE", "DELETE", "MERGE_INTO", "TRANSACTION"}
)
_WRITES = frozenset({"CREATE", "DROP", "ALTER"})


def main() -> None:
    """dbt's command line; no statement of a model, its hooks and macros changes a pinned input."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.adapters.duckdb.impl import DuckDBAdapter
    from dbt.cli.main import cli
    from dbt_common.exceptions import DbtRuntimeError

    refuse_python(DuckDBAdapter)
    execute = DuckDBConnectionManager.add_query

    def confined(self: Any, sql: str, *options: Any, **named: Any) -> Any:
        try:
            check(sql, json.loads(Path(INPUTS).read_text(encoding="utf-8"))["views"])
        except NotAllowed as refused:
            raise DbtRuntimeError(str(refused)) from None
        return execute(self, sql, *options, **named)

    DuckDBConnectionManager.add_query = confined  # type: ignore[method-assign]
    cli()


def check(sql: str, inputs: Collection[str]) -> None:
    """Raises `NotAllowed` for a statement that is none of a model, or that changes an input.

    `inputs` are product keys; the view of each is `<domain>.<product>`. What DuckDB cannot parse is
    left to DuckDB, which says why.
    """
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error:
        return
    pinned = {tuple(key.lower().split("/")) for key in inputs}
    for statement in statements:
        kind = statement.type.name
        if kind not in _DONE:
            said = " ".join(statement.query.split())[:60]
            raise NotAllowed(
                f"{said!r} is no query; a model is one SELECT, and nothing else is done in its run"
            )
        if kind in _WRITES:
            _check_written(kind, _words(statement.query), pinned)


def _check_written(kind: str, words: Sequence[str], pinned: Collection[tuple[str, ...]]) -> None:
    # A query may follow, which reads its inputs: what is made is named before.
    ends = [place for place, word in enumerate(words) if word in ("as", "(")]
    named = words[: min(ends, default=len(words))] if kind == "CREATE" else words
    if kind != "CREATE" and "schema" in named[:2]:
        raise NotAllowed("it changes a schema, in which the run's pinned inputs may lie")
    for place in range(len(named) - 2):
        pair = (named[place], named[place + 2])
        if named[place + 1] == "." and pair in pinned:
            raise NotAllowed(
                f"it changes {'/'.join(pair)}, an input that the run has pinned; a model reads its "
                "inputs"
            )


def _words(statement: str) -> list[str]:
    """Its words in lower case, without comments and quotation marks."""
    from sqlglot.dialects.duckdb import DuckDB

    return [token.text.lower() for token in DuckDB().tokenize(statement)]


class Plugin(BasePlugin):
    """Found by dbt-duckdb under this name; works in the run's folder, dbt's current directory."""

    def configure_connection(self, conn: Any) -> None:
        open_inputs(conn, Path.cwd())


def open_inputs(connection: Any, folder: Path) -> None:
    """Attach the run's inputs; from then on no other file can be read or written."""
    inputs = json.loads((folder / INPUTS).read_text(encoding="utf-8"))
    for alias, path in inputs["attach"].items():
        connection.execute(f"ATTACH {quote_literal(path)} AS {quote_identifier(alias)} (READ_ONLY)")
    paths = ", ".join(quote_literal(path) for path in inputs["paths"])
    connection.execute(f"SET allowed_paths = [{paths}]")
    connection.execute(f"SET allowed_directories = [{quote_literal(str(folder) + '/')}]")
    connection.execute("SET enable_external_access = false")
