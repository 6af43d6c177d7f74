"""Snowflake: fakesnow's server, quiet. The real connector and dbt-snowflake talk to it over HTTP.

What it does otherwise than Snowflake, and our statements meet, is set right here:

- Snowflake's statements wait for each other's locks; DuckDB's fail when two change the same row.
- Snowflake answers a request that is sent again (the connector does so when the answer got lost)
  with what the first one did; fakesnow would run it twice.
- A COPY of Parquet columns named like a word of SQL, a comment with an apostrophe and DROP STAGE
  fail; a tag of a view's column does too, and is left out.
- A sum of decimals is a decimal; fakesnow makes every sum of a column a float.
- A timestamp that is null arrives as null, not as 1970.

    python -m tests.stand_ins.snowflake PORT
"""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
import sys
import time
import warnings
from collections import OrderedDict
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import duckdb
import fakesnow.arrow
import fakesnow.copy_into
import fakesnow.cursor
import fakesnow.info_schema
import fakesnow.transforms
import pyarrow as pa
import pyarrow.compute as pc
import snowflake.connector.errors
import uvicorn
from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.server import app
from fakesnow.transforms import stage
from sqlglot import Expr, exp

from tests.stand_ins.lifeline import end_with_parent
from tests.stand_ins.write_pandas import accept_write_pandas

LOCK_SECONDS = 20.0
REMEMBERED_ANSWERS = 2_000
REMEMBERED_BYTES = 1 << 20
_DROP_STAGE = re.compile(r"\s*DROP\s+STAGE\s+(?:IF\s+EXISTS\s+)?(\S+)\s*;?\s*", re.IGNORECASE)
_QUERY = "/queries/v1/query-request"


def quote_parquet_columns() -> None:
    strip = fakesnow.copy_into._strip_json_extract

    def quoted(select: exp.Select) -> exp.Select:
        stripped = strip(select)
        for name in stripped.find_all(exp.Identifier):
            name.set("quoted", True)
        return stripped

    fakesnow.copy_into._strip_json_extract = quoted  # type: ignore[assignment]


def escape_comments() -> None:
    comment_sql = fakesnow.info_schema.insert_table_comment_sql

    def escaped(catalog: str, schema: str, table: str, comment: str | None) -> str:
        return comment_sql(catalog, schema, table, (comment or "").replace("'", "''"))

    fakesnow.info_schema.insert_table_comment_sql = escaped


def leave_out_column_tags() -> None:
    tag = fakesnow.transforms.tag

    def without(expression: Expr) -> Expr:
        if isinstance(expression, exp.ColumnDef):
            kept = [
                constraint
                for constraint in expression.args.get("constraints") or []
                if not isinstance(constraint.args.get("kind"), exp.Tags)
            ]
            expression.set("constraints", kept)
        result: Expr = tag(expression)
        return result

    fakesnow.transforms.tag = without


def sum_as_it_is() -> None:
    fakesnow.transforms.numeric_agg_implicit_cast = lambda expression: expression


def keep_null_timestamps() -> None:
    as_struct = fakesnow.arrow.timestamp_to_sf_struct

    def with_nulls(timestamps: pa.Array | pa.ChunkedArray) -> pa.Array:
        if isinstance(timestamps, pa.ChunkedArray):
            timestamps = timestamps.combine_chunks()
        made = as_struct(pc.fill_null(timestamps, 0))
        return pa.StructArray.from_arrays(
            made.flatten(), fields=list(made.type), mask=pc.is_null(timestamps)
        )

    fakesnow.arrow.timestamp_to_sf_struct = with_nulls  # type: ignore[assignment]


def wait_for_locks() -> None:
    """A statement of its own waits for what another one changes; a transaction is told, as there."""
    execute = FakeSnowflakeCursor.execute

    def waiting(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        if dropped := _DROP_STAGE.fullmatch(command):
            _drop_stage(self, dropped[1])
            command = "SELECT 'Stage successfully dropped.' AS status"
        end = time.monotonic() + LOCK_SECONDS
        while True:
            try:
                result = execute(self, command, *args, **kwargs)
            except duckdb.TransactionException as problem:
                in_transaction = getattr(self._conn, "explicit_transaction", False)
                if in_transaction or time.monotonic() > end:
                    if in_transaction:
                        execute(self, "ROLLBACK")
                        self._conn.explicit_transaction = False
                    raise snowflake.connector.errors.ProgrammingError(
                        msg=f"Statement was aborted: its table has a lock. {problem}",
                        errno=625,
                        sqlstate="57014",
                    ) from problem
                time.sleep(0.01)
                continue
            first = command.split(None, 1)[0].upper().rstrip(";")
            if first in ("BEGIN", "COMMIT", "ROLLBACK"):
                self._conn.explicit_transaction = first == "BEGIN"
            return result

    FakeSnowflakeCursor.execute = waiting  # type: ignore[method-assign]


def _drop_stage(cursor: Any, name: str) -> None:
    parts = stage.parts_from_var(name, cursor._conn.database, cursor._conn.schema)
    cursor._duck_conn.execute(
        "DELETE FROM _fs_global._fs_information_schema._fs_stages "
        "WHERE database_name = ? AND schema_name = ? AND name = ?",
        list(parts),
    )
    with suppress(FileNotFoundError):
        shutil.rmtree(stage.internal_dir(".".join(parts)))


class RememberedAnswers:
    """An ASGI application that answers a query's request id once, however often it is asked."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._answers: OrderedDict[str, asyncio.Future[list[dict[str, Any]] | None]] = OrderedDict()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        query = parse_qs(scope.get("query_string", b"").decode())
        asked = query.get("requestId", [""])[0]
        if scope.get("path") != _QUERY or not asked:
            await self._application(scope, receive, send)
            return
        if earlier := self._answers.get(asked):
            for message in await asyncio.shield(earlier) or []:
                await send(message)
            if earlier.result() is not None:
                return
        answer = self._answers[asked] = asyncio.get_running_loop().create_future()
        while len(self._answers) > REMEMBERED_ANSWERS:
            self._answers.popitem(last=False)
        messages: list[dict[str, Any]] = []

        async def remember(message: dict[str, Any]) -> None:
            messages.append(message)
            with suppress(OSError):  # the client is gone; it will ask again
                await send(message)

        try:
            await self._application(scope, receive, remember)
        finally:
            small = sum(len(message.get("body", b"")) for message in messages) < REMEMBERED_BYTES
            whole = bool(messages) and messages[0].get("status") == 200
            answer.set_result(messages if small and whole else None)


def be_quiet() -> None:
    """Statements that fail are told to who sent them; a mesh sends tens of thousands."""
    for name in ("fakesnow.server", "sqlglot"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="fakesnow")


def main(port: int) -> None:
    end_with_parent()
    be_quiet()
    quote_parquet_columns()
    escape_comments()
    leave_out_column_tags()
    keep_null_timestamps()
    sum_as_it_is()
    accept_write_pandas()
    wait_for_locks()
    uvicorn.run(RememberedAnswers(app), host="127.0.0.1", port=port, log_level="error")


if __name__ == "__main__":
    main(int(sys.argv[1]))
