"""The stores' connections to Snowflake: one a thread, reopened when lost, never a parent's.

Belongs here: connections and what failures become. Does not belong here: what stores do about them.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from multiprocessing.connection import Connection

import pytest
from snowflake.connector import SnowflakeConnection

from shared_resources.stores.cloud_warehouse.session import (
    QUEUED_SECONDS,
    STATEMENT_SECONDS,
    ConnectionLost,
    Missing,
    SnowflakeProblem,
    SnowflakeSession,
    quoting_nothing,
)
from shared_resources.wiring import ProductionEnvironment
from tests.forkserver import forkserver


@pytest.fixture
def session(production: ProductionEnvironment) -> SnowflakeSession:
    return SnowflakeSession(production.settings.snowflake_connection)


def test_a_thread_keeps_its_connection_and_shares_it_with_no_other(
    session: SnowflakeSession,
) -> None:
    mine = session._connection()
    assert session._connection() is mine
    others = []
    thread = threading.Thread(target=lambda: others.append(session._connection()))
    thread.start()
    thread.join()
    assert others[0] is not mine


def test_a_closed_connection_is_opened_again(session: SnowflakeSession) -> None:
    assert session.query("SELECT 1").rows == [(1,)]
    session._connection().close()
    assert session.query("SELECT 2").rows == [(2,)]


def test_a_lost_connection_is_said_and_reading_goes_on(session: SnowflakeSession) -> None:
    first = session._connection()
    first.cursor().execute("SELECT 1")
    # The server forgets the session, as Snowflake does after hours.
    _forget(first)
    with pytest.raises(ConnectionLost):
        session.execute("SELECT 1")
    assert session._connection() is not first
    _forget(session._connection())
    assert session.query("SELECT 3").rows == [(3,)]


def _forget(connection: SnowflakeConnection) -> None:
    assert connection.rest is not None
    connection.rest._token = connection.rest._master_token = "forgotten"


def test_a_forked_process_opens_its_own(session: SnowflakeSession) -> None:
    context = forkserver()
    report, out = context.Pipe(duplex=False)
    arguments = (session, dict(os.environ), out)
    # A daemon may have no children.
    process = context.Process(target=_use_in_a_fork_too, args=arguments, daemon=False)
    process.start()
    assert report.poll(120)
    assert report.recv() == ([(1,)], True, [(2,)])
    process.join(60)
    assert process.exitcode == 0


def _use_in_a_fork_too(
    session: SnowflakeSession, variables: dict[str, str], out: Connection
) -> None:
    os.environ.update(variables)
    mine = session._connection()
    context = multiprocessing.get_context("fork")
    report, told = context.Pipe(duplex=False)
    child = context.Process(target=_use, args=(session, told))
    child.start()
    seen = report.recv() if report.poll(60) else "no answer"
    child.join(60)
    kept = session._connection() is mine
    out.send((seen, kept, session.execute("SELECT 2").rows))  # and nobody logged it out


def _use(session: SnowflakeSession, out: Connection) -> None:
    out.send(session.query("SELECT 1").rows)


def test_a_session_can_be_sent_to_another_process(session: SnowflakeSession) -> None:
    session.query("SELECT 1")
    again = pickle.loads(pickle.dumps(session))
    assert again.query("SELECT 1").rows == [(1,)]
    assert again._connection() is not session._connection()


def test_what_is_missing_is_told_from_what_is_wrong(session: SnowflakeSession) -> None:
    with pytest.raises(Missing, match="nope"):
        session.query('SELECT * FROM "no"."nope"')
    with pytest.raises(SnowflakeProblem, match="Snowflake said"):
        session.query("SELEKT 1")


def test_no_statement_runs_or_queues_for_days(session: SnowflakeSession) -> None:
    parameters = session._connection()._session_parameters
    assert parameters is not None
    assert parameters["STATEMENT_TIMEOUT_IN_SECONDS"] == STATEMENT_SECONDS
    assert parameters["STATEMENT_QUEUED_TIMEOUT_IN_SECONDS"] == QUEUED_SECONDS
    assert session.query("SELECT 1").rows == [(1,)]


def test_statements_carry_their_product_and_batch(
    session: SnowflakeSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    from snowflake.connector.cursor import SnowflakeCursor

    tags = []
    execute = SnowflakeCursor.execute

    def spying(self: object, *arguments: object, **options: object) -> object:
        tags.append((options.get("_statement_params") or {}).get("QUERY_TAG"))  # type: ignore[attr-defined]
        return execute(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(SnowflakeCursor, "execute", spying)
    with session.tagged(product="order/sales", batch="b1"):
        session.query("SELECT 1")
    session.query("SELECT 1")
    assert tags == ['{"application": "mesh", "product": "order/sales", "batch": "b1"}', None]


def test_no_secret_is_in_what_is_shown(session: SnowflakeSession) -> None:
    password = "stand-in-password"
    with pytest.raises(SnowflakeProblem) as problem:
        session.query("SELECT * FROM nope")
    assert password not in f"{problem.value!r} {session!r} {vars(session)!r}"


def test_values_are_taken_out_of_messages() -> None:
    said = "Numeric value 'it''s secret' is not recognized; failed to cast variant value \"x\""
    with pytest.raises(SnowflakeProblem) as problem, quoting_nothing("loading sales"):
        raise SnowflakeProblem(said)
    without = "Numeric value … is not recognized; failed to cast variant value …"
    assert str(problem.value) == f"loading sales: {without}"
    with pytest.raises(Missing, match="'sales' does not exist"), quoting_nothing("loading sales"):
        raise Missing("'sales' does not exist")
