"""Connections to Snowflake for the stores: one a thread, opened when needed and again when lost.

Belongs here: executing one statement, and what its failure means for who must go on.
Does not belong here: logging in (`production/snowflake_login.py`), the statements.

Values are bound by the server, never written into the text. Each statement carries a QUERY_TAG, so
that Snowflake's query history tells which product and batch it served.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from shared_resources.confinement.guard import refuse
from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection
    from snowflake.connector.cursor import SnowflakeCursor

Value = str | int | None

# For Snowflake's own two days, a statement that hangs would hold its product's lock. A batch that
# takes longer than this wants a larger warehouse.
STATEMENT_SECONDS = 2 * 3_600
# Snowflake would let a statement wait for a place in the warehouse for ever, a run's slot with it.
QUEUED_SECONDS = 3_600

# What every statement of the stores relies on, whatever the account's defaults are.
CONNECTION_PARAMETERS: dict[str, Any] = {
    "paramstyle": "qmark",
    # A decimal is not a float.
    "arrow_number_to_decimal": True,
    # Some statements ask for a current schema. Every name has its own; nothing can be made in this.
    "schema": "INFORMATION_SCHEMA",
    "session_parameters": {
        # Parquet's instants are loaded with the session's offset: it must be none.
        "TIMEZONE": "UTC",
        "QUOTED_IDENTIFIERS_IGNORE_CASE": False,
        "AUTOCOMMIT": True,
        # Snowflake's own 12 hours would hang a run on a lock that nobody frees.
        "LOCK_TIMEOUT": 120,
        "STATEMENT_TIMEOUT_IN_SECONDS": STATEMENT_SECONDS,
        "STATEMENT_QUEUED_TIMEOUT_IN_SECONDS": QUEUED_SECONDS,
        # A statement whose client is gone must not go on for days.
        "ABORT_DETACHED_QUERY": True,
    },
}

_LONGEST_TAG = 2_000
_MISSING = frozenset({2003, 2043})
_LOCKED = frozenset({625, 624})
_LOGGED_OUT = frozenset({390104, 390110, 390111, 390112, 390114, 390195})
_REFUSED = 250001  # also of a server that cannot be reached, but then in a class of its own
_CONNECTORS_OWN = 200_000  # error numbers from here on are the connector's, not a statement's
# A value that cannot be cast comes in double quotes, as names do.
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"")


class SnowflakeProblem(MeshProblem):
    """A statement failed; the message has Snowflake's number and words, and no values."""


class Missing(SnowflakeProblem):
    """Something that the statement names does not exist, or the role may not see it."""


class Locked(SnowflakeProblem):
    """Other statements held the lock for too long, or too many waited for it."""


class LoginRefused(SnowflakeProblem):
    """Snowflake does not let this user in. Nobody tries again: it locks users who go on trying."""


class ConnectionLost(SnowflakeProblem):
    """No answer came: the statement may have been executed or not."""


@dataclass(frozen=True)
class Result:
    """`columns` are the names of the result's columns; `count` the rows that a DML changed."""

    rows: list[tuple[Any, ...]]
    columns: tuple[str, ...]
    count: int


class SnowflakeSession:
    """Executes statements over a connection of the calling thread; safe to share and to fork with.

    `connect` opens a connection for as long as its block lasts; it is called with the connector's
    parameters that the stores need (`SnowflakeLogin.connection`).
    """

    def __init__(self, connect: Callable[..., AbstractContextManager[SnowflakeConnection]]) -> None:
        refuse("opens the warehouse")
        self._connect = connect
        self._local = threading.local()

    def __getstate__(self) -> dict[str, object]:
        return {"_connect": self._connect}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._connect = state["_connect"]
        self._local = threading.local()

    @contextlib.contextmanager
    def tagged(self, **tag: str) -> Iterator[None]:
        """Give the statements of the block this QUERY_TAG."""
        before = getattr(self._local, "tag", "")
        self._local.tag = json.dumps({"application": "mesh", **tag})[:_LONGEST_TAG]
        try:
            yield
        finally:
            self._local.tag = before

    def execute(self, statement: str, values: Sequence[Value] = ()) -> Result:
        """Execute a statement. Raises the `SnowflakeProblem` that fits."""
        with self._cursor(statement, values) as cursor:
            rows = cursor.fetchall() if cursor.description else []
            columns = tuple(column.name for column in cursor.description or ())
            return Result(rows, columns, cursor.rowcount or 0)

    def query(self, statement: str, values: Sequence[Value] = ()) -> Result:
        """Execute a statement that only reads: once more when the connection was lost."""
        try:
            return self.execute(statement, values)
        except ConnectionLost:
            return self.execute(statement, values)

    def arrow(self, statement: str) -> Iterator[pa.Table]:
        """Stream a query's result, a chunk of Snowflake's at a time; timestamps in microseconds."""
        with self._cursor(statement, ()) as cursor:
            yield from cursor.fetch_arrow_batches(force_microsecond_precision=True)

    @property
    def database(self) -> str:
        """The current database, as Snowflake writes it."""
        return str(self._connection().database)

    def close(self) -> None:
        """Close this thread's connection, if it has one."""
        held = self._held()
        if held is not None:
            self._local.held = None
            # Whether the server heard it does not matter: a session ends by itself.
            with contextlib.suppress(Exception):
                held.open.close()

    @contextlib.contextmanager
    def _cursor(self, statement: str, values: Sequence[Value]) -> Iterator[SnowflakeCursor]:
        from snowflake.connector.errors import Error

        try:
            with self._connection().cursor() as cursor:
                tag = getattr(self._local, "tag", "")
                parameters = {"QUERY_TAG": tag} if tag else None
                cursor.execute(statement, tuple(values) or None, _statement_params=parameters)
                yield cursor
        except Error as problem:
            translated = _translated(problem)
        except OSError as problem:  # of the sockets under the connector, and requests' own
            translated = ConnectionLost(f"the connection to Snowflake failed: {_class(problem)}")
        else:
            return
        if isinstance(translated, ConnectionLost):
            self.close()
        raise translated

    def _connection(self) -> SnowflakeConnection:
        held = self._held()
        if held is None or held.connection.is_closed():
            stack = ExitStack()
            connection = stack.enter_context(self._connect(**CONNECTION_PARAMETERS))
            held = self._local.held = _Held(os.getpid(), connection, stack)
        return held.connection

    def _held(self) -> _Held | None:
        held: _Held | None = getattr(self._local, "held", None)
        if held is not None and held.process != os.getpid():
            # It is the parent's after a fork. Closing it here, or collecting it, would log it out.
            _INHERITED.append(held)
            held = self._local.held = None
        return held


@dataclass(frozen=True)
class _Held:
    process: int
    connection: SnowflakeConnection
    open: ExitStack


_INHERITED: list[_Held] = []


@contextlib.contextmanager
def quoting_nothing(doing: str) -> Iterator[None]:
    """For statements about rows: Snowflake's message may quote a value of a classified column.

    It is raised again without what it quotes: values, and names with them.
    """
    try:
        yield
    except (ConnectionLost, Locked, Missing):
        raise
    except SnowflakeProblem as problem:
        raise SnowflakeProblem(f"{doing}: {_QUOTED.sub('…', str(problem))}") from None


def _translated(problem: Any) -> SnowflakeProblem:
    from snowflake.connector.errors import DatabaseError, ProgrammingError

    number = int(problem.errno or 0)
    said = f"Snowflake said: {str(problem.msg).strip()}"
    if number == _REFUSED and type(problem) is DatabaseError:
        return LoginRefused(f"{said}. Check the user, its key and its roles (SNOWFLAKE_…)")
    if number in _MISSING:
        return Missing(said)
    if number in _LOCKED or " lock " in said:
        return Locked(said)
    if number in _LOGGED_OUT or number >= _CONNECTORS_OWN or number < 0:
        return ConnectionLost(said)
    return SnowflakeProblem(said) if isinstance(problem, ProgrammingError) else ConnectionLost(said)


def _class(problem: BaseException) -> str:
    """What kind of failure it was: the words of a network library may hold URLs with credentials."""
    return type(problem).__name__
