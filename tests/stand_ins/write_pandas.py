"""What dagster-snowflake-pandas asks of Snowflake and fakesnow's server cannot do.

Belongs here: for the connector's `write_pandas`, INFER_SCHEMA of staged Parquet and names that are
parameters or text; the words in which Snowflake misses a table, which dagster-snowflake looks for.
A benchmark publishes with them; nothing of this project does.
Does not belong here: what our own statements meet (`io_managers/cloud_warehouse/`).
"""

from __future__ import annotations

import re
from typing import Any

from fakesnow.cursor import FakeSnowflakeCursor
from fakesnow.transforms import stage
from snowflake.connector.errors import ProgrammingError

_INFER = re.compile(r"\s*SELECT\s.*\bFROM\s+TABLE\s*\(\s*INFER_SCHEMA\s*\(", re.I | re.S)
_MISSING = 2003
_OWN = "pandas_tools.write_pandas()"
_NAMED = "identifier(?)"
_STAGE_AS_TEXT = re.compile(r"(\bCOPY\s+INTO\b.*\bFROM\s+)'(@[^']+)'", re.I | re.S)
_TYPES = {
    "TINYINT": "NUMBER(38, 0)",
    "SMALLINT": "NUMBER(38, 0)",
    "INTEGER": "NUMBER(38, 0)",
    "BIGINT": "NUMBER(38, 0)",
    "DOUBLE": "REAL",
    "FLOAT": "REAL",
    "BOOLEAN": "BOOLEAN",
    "DATE": "DATE",
    "VARCHAR": "TEXT",
}


def accept_write_pandas() -> None:
    execute = FakeSnowflakeCursor.execute

    def accepting(self: Any, command: str, *args: Any, **kwargs: Any) -> Any:
        parameters = list(kwargs.get("binding_params") or ())
        if _INFER.match(command):
            return execute(self, _inferred(self, str(parameters[0])))
        if _OWN in command:
            while _NAMED in command:
                command = command.replace(_NAMED, str(parameters.pop(0)), 1)
            command = _STAGE_AS_TEXT.sub(r"\1\2", command)
            kwargs["binding_params"] = parameters
        try:
            return execute(self, command, *args, **kwargs)
        except ProgrammingError as problem:
            if problem.errno == _MISSING:
                problem.msg = str(problem.msg).replace("not exist!", "not exist or not authorized.")
            raise

    FakeSnowflakeCursor.execute = accepting  # type: ignore[method-assign]


def _inferred(cursor: Any, location: str) -> str:
    """A statement whose rows are what INFER_SCHEMA would answer for the files of the stage."""
    name = location.removeprefix("@")
    parts = stage.parts_from_var(name, cursor._conn.database, cursor._conn.schema)
    files = f"{stage.internal_dir('.'.join(parts))}*"
    described = cursor._duck_conn.execute(
        "DESCRIBE SELECT * FROM read_parquet(?)", [files]
    ).fetchall()
    rows = ", ".join(f"('{column[0]}', '{_type(column[1])}')" for column in described)
    return f"SELECT * FROM (VALUES {rows}) AS inferred(COLUMN_NAME, TYPE)"


def _type(duckdb_type: str) -> str:
    zoned = duckdb_type.endswith("WITH TIME ZONE")
    if duckdb_type.startswith("TIMESTAMP"):
        return "TIMESTAMP_LTZ" if zoned else "TIMESTAMP_NTZ"
    return _TYPES[duckdb_type]
