"""`sql` rules: a domain's own query over the staged batch, on a connection that can do no more.

Belongs here: confining the query, its time limit, and its answer: one number.
Does not belong here: comparing the number with the threshold. (`governance/audit/audit.py`)

The connection may read the batch's own files and nothing besides: no other file, no network, no
writing, no extension, no setting. The query sees the batch as the view `batch`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb

from shared_resources.confinement.withholding import withheld, words_of
from shared_resources.contracts.model import Contract
from shared_resources.contracts.numbers import Number, is_number
from shared_resources.governance.audit.engine.connection import (
    OUT_OF_MEMORY,
    audit_connection,
    memory_limit,
)
from shared_resources.problems import MeshProblem
from shared_resources.sql import quote_literal

DEFAULT_SECONDS = 300.0


class RuleProblem(MeshProblem):
    """A rule that could not be checked; the message is the reason, for people."""


def time_limit() -> float:
    """Seconds that one `sql` rule may take (`MESH_AUDIT_SQL_SECONDS`)."""
    return float(os.environ.get("MESH_AUDIT_SQL_SECONDS") or DEFAULT_SECONDS)


@contextmanager
def confined_connection(
    prepare: Callable[[duckdb.DuckDBPyConnection], None],
    readable: tuple[Path, ...],
    scratch: Path | None,
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection that `prepare` gave its views, locked before any rule's text reaches it."""
    with audit_connection(scratch) as connection:
        prepare(connection)
        confine(connection, readable)
        yield connection


def confine(connection: duckdb.DuckDBPyConnection, readable: tuple[Path, ...]) -> None:
    """Let the connection read the files `readable` and nothing else, for good."""
    allowed = ", ".join(quote_literal(str(path)) for path in readable)
    connection.execute(f"SET allowed_paths = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def run_query(
    connection: duckdb.DuckDBPyConnection, query: str, clock: TimeLimit, *, private: bool
) -> Number | float:
    """The number that a rule's query answers. Raises `RuleProblem` when it answers none.

    With `private` (the contract has classified columns) values in DuckDB's messages are masked.
    """
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as problem:
        raise RuleProblem(
            f"the query cannot be parsed: {first_line(problem, private, words_of(query))}"
        ) from None
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RuleProblem(
            "the query must be one SELECT statement; it is "
            + (" and ".join(str(s.type).rpartition(".")[2] for s in statements) or "empty")
        )
    rows = _within_time(connection, query, clock, private)
    if len(rows) != 1 or len(rows[0]) != 1:
        raise RuleProblem(
            f"the query must answer one row of one number; it answered {len(rows)} rows"
            + (f" of {len(rows[0])} columns" if rows else "")
        )
    return number(rows[0][0], str(connection.description[0][1]))


def number(value: object, type_: str) -> Number | float:
    """The answer, not rounded: whole numbers and decimals as they are, floats as floats.

    Raises `RuleProblem` when it is none.
    """
    if type_ == "BIGNUM" and isinstance(value, str):
        value = int(value)  # DuckDB hands out only these as text
    if value is None or not isinstance(value, int | float | Decimal):
        kind = "NULL" if value is None else f"a {type(value).__name__}"
        raise RuleProblem(
            f"the query must answer a number; it answered {kind}"
            + (" (coalesce(..., 0) turns an empty sum into 0)" if value is None else "")
        )
    if isinstance(value, bool):
        return int(value)
    if not is_number(value):
        raise RuleProblem(f"the query answered {value}, with which no threshold can be compared")
    if isinstance(value, float) and type_ == "FLOAT" and not value.is_integer():
        import numpy as np  # here: of all answers, hardly any is such a number

        # 0.1 in 32 bits is the number that people and contracts write as 0.1.
        return float(str(np.float32(value)))
    return value


def _within_time(
    connection: duckdb.DuckDBPyConnection, query: str, clock: TimeLimit, private: bool
) -> list[tuple[object, ...]]:
    try:
        with clock.running():
            # Two rows tell an answer from a listing, which must not fill the memory.
            return connection.execute(query).fetchmany(2)
    except duckdb.InterruptException:
        raise RuleProblem(
            f"the query took longer than {clock.seconds:g} s; simplify it, or raise "
            "MESH_AUDIT_SQL_SECONDS"
        ) from None
    except duckdb.Error as problem:
        raise RuleProblem(
            f"the query failed: {first_line(problem, private, words_of(query))}"
        ) from None


class TimeLimit:
    """Interrupts a connection when one thing takes longer than `seconds`; one thread for them all.

    A year of partitions asks thousands of short queries: a timer for each would cost a third of
    their time. No deadline is nearer than `seconds`, so the thread need not be told of a new one.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, seconds: float) -> None:
        self.seconds = seconds
        self._connection = connection
        self._deadline: float | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sql-rule-time", daemon=True)

    def __enter__(self) -> TimeLimit:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    @contextmanager
    def running(self) -> Iterator[None]:
        with self._lock:
            self._deadline = time.monotonic() + self.seconds
        try:
            yield
        finally:
            with self._lock:
                self._deadline = None

    def _watch(self) -> None:
        wait = self.seconds
        while not self._over.wait(wait):
            with self._lock:
                if self._deadline is None:
                    wait = self.seconds
                    continue
                wait = self._deadline - time.monotonic()
                if wait <= 0:
                    # Under the lock, so that it cannot hit the query that comes next.
                    self._connection.interrupt()
                    wait = self.seconds


def line_for(contract: Contract, problem: BaseException) -> str:
    """An error of the platform's own query over the contract's columns, in one line."""
    names = [column.name for column in contract.columns]
    return first_line(problem, bool(contract.classified_columns), names)


def first_line(problem: BaseException, private: bool, known: Iterable[str] = ()) -> str:
    """An error's first line; with `private`, no word of it that may be a value
    (`confinement/withholding.py`).

    `known` are the words of the code that failed.
    """
    if isinstance(problem, duckdb.OutOfMemoryException):
        return OUT_OF_MEMORY.format(memory_limit())
    text = str(problem).strip() or type(problem).__name__
    line = text.splitlines()[0]
    return (withheld(line, known) if private else line)[:300]
