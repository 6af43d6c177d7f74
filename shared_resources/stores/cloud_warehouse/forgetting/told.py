"""The keys that are to be forgotten, told to Snowflake for as long as an erasure needs them.

Belongs here: the table that holds them, and how a version's rows are found by it.
Does not belong here: what becomes of those rows (`erasing.py`).

A list of values in a statement has an end, and many subjects are past it. So they lie in a table for
as long: one that keeps no history, and that the next erasure drops where a process died. Values are
bound, and stand in no statement. A join finds rows and not a subquery, which Snowflake does not take
everywhere.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.session import (
    SnowflakeProblem,
    SnowflakeSession,
    quoting_nothing,
)
from shared_resources.stores.cloud_warehouse.sql import Name, text
from shared_resources.stores.erased import Without

AT_ONCE = 1_000
_NAMED = "mesh told "
_VALUE = quote_identifier("mesh told")  # no contract calls a column so


@dataclass(frozen=True)
class Joined:
    """What follows the name of a version's table: `found` are the rows that are one of those, `rest` the
    others."""

    found: str
    rest: str


@dataclass(frozen=True)
class Told:
    """The keys of `without`, in the table; None where there is nobody to be found."""

    table: Name | None
    without: Without

    def joined(self, columns: Collection[str]) -> Joined | None:
        """Of a table with these columns; None where none of its rows can be one of them."""
        keys = self.without.among(columns)
        if self.table is None or not keys:
            return None
        aliases = [quote_identifier(f"mesh told {number}") for number in range(len(keys))]
        tables = " ".join(
            f"LEFT JOIN {self.table} {alias} "
            f"ON CAST({quote_identifier(key)} AS VARCHAR) = {alias}.{_VALUE}"
            for alias, key in zip(aliases, keys, strict=True)
        )
        found = [f"{alias}.{_VALUE} IS NOT NULL" for alias in aliases]
        none = [f"{alias}.{_VALUE} IS NULL" for alias in aliases]
        return Joined(
            f"{tables} WHERE {' OR '.join(found)}", f"{tables} WHERE {' AND '.join(none)}"
        )


@contextmanager
def told(session: SnowflakeSession, schema: str, without: Without) -> Iterator[Told]:
    """Raises `SnowflakeProblem`, `Missing` where nothing was ever published in the domain."""
    values = sorted(without.values)
    if not values:
        yield Told(None, without)
        return
    table = Name(schema, _NAMED + secrets.token_hex(4))
    session.execute(f"CREATE TRANSIENT TABLE {table} ({_VALUE} VARCHAR)")
    try:
        keep_no_history(session, table)
        with quoting_nothing("telling the keys that are to be erased"):
            for start in range(0, len(values), AT_ONCE):
                some = values[start : start + AT_ONCE]
                marks = ", ".join("(?)" for _ in some)
                session.execute(f"INSERT INTO {table} ({_VALUE}) VALUES {marks}", some)
        yield Told(table, without)
    finally:
        with suppress(SnowflakeProblem):  # the next erasure drops it
            session.execute(f"DROP TABLE IF EXISTS {table}")


def drop_told(session: SnowflakeSession, schema: str) -> None:
    """What processes have left that died: to be called by the one who erases."""
    found = session.query(
        f"SHOW TERSE TABLES LIKE {text(_NAMED + '%')} IN SCHEMA {quote_identifier(schema)}"
    )
    column = [name.lower() for name in found.columns].index("name")
    for row in found.rows:
        if str(row[column]).startswith(_NAMED):
            session.execute(f"DROP TABLE IF EXISTS {Name(schema, str(row[column]))}")


def keep_no_history(session: SnowflakeSession, table: Name) -> None:
    """Where this cannot be said, a dropped table comes back by UNDROP for a day at most."""
    with suppress(SnowflakeProblem):
        session.execute(f"ALTER TABLE {table} SET DATA_RETENTION_TIME_IN_DAYS = 0")
