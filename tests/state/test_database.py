"""The state database: the same promises on SQLite and on Postgres, from many processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import sqlalchemy as sa
from filelock import FileLock, Timeout

from shared_resources.state import database as state_module
from shared_resources.state.database import TABLES, LockKept, StateDatabase, StateUnreachable
from shared_resources.stores import pins
from shared_resources.stores.pins import Pin, Pins
from tests.forkserver import forkserver
from tests.stand_ins.postgres import PASSWORD, Postgres

COUNTER = sa.Table(
    "mesh_test_counter",
    TABLES,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("n", sa.Integer),
)
WORKERS, TURNS = 6, 15
# What a process may take to start and to import; the machine is shared.
PATIENCE = 60


def in_processes(
    target: Callable[..., None], *arguments: tuple[object, ...], may_fork: bool = False
) -> list[object]:
    """What each process sent, in the order of `arguments`; they start at about the same time."""
    context = forkserver()
    ends, started = [], []
    for each in arguments:
        here, there = context.Pipe()
        # A daemon may have no children.
        process = context.Process(target=target, args=(there, *each), daemon=not may_fork)
        process.start()
        ends.append(here)
        started.append(process)
    answers = [end.recv() if end.poll(PATIENCE) else "no answer" for end in ends]
    for process in started:
        process.join(PATIENCE)
    return answers


def _count_up(out: Connection, state: StateDatabase, name: str) -> None:
    for _ in range(TURNS):
        with state.lock("counter"):
            with state.begin() as connection:
                n = connection.scalar(sa.select(COUNTER.c.n).where(COUNTER.c.name == name))
            time.sleep(0.001)
            with state.begin() as connection:
                connection.execute(sa.update(COUNTER).values(n=n + 1))
    out.send("done")


def test_a_named_lock_holds_across_processes(state: StateDatabase) -> None:
    with state.begin() as connection:
        connection.execute(sa.insert(COUNTER).values(name="one", n=0))
    answers = in_processes(_count_up, *[(state, "one")] * WORKERS)
    assert answers == ["done"] * WORKERS
    with state.begin() as connection:
        assert connection.scalar(sa.select(COUNTER.c.n)) == WORKERS * TURNS


def _open_first(out: Connection, state: StateDatabase) -> None:
    with state.begin() as connection:
        out.send(connection.scalar(sa.select(sa.func.count()).select_from(COUNTER)))


def test_processes_that_open_a_new_database_together_make_its_tables_once(
    state: StateDatabase,
) -> None:
    assert in_processes(_open_first, *[(state,)] * WORKERS) == [0] * WORKERS


def _use_in_a_fork_too(out: Connection, state: StateDatabase) -> None:
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    with state.begin() as connection:
        connection.execute(sa.insert(COUNTER).values(name="parent", n=1))
    child = context.Process(target=_open_first, args=(there, state))
    child.start()
    seen = here.recv() if here.poll(PATIENCE) else "no answer"
    child.join(PATIENCE)
    with state.begin() as connection:  # its own connection is not the one that the child closed
        out.send((seen, connection.scalar(sa.select(COUNTER.c.n))))


def test_a_forked_process_opens_its_own(state: StateDatabase) -> None:
    assert in_processes(_use_in_a_fork_too, (state,), may_fork=True) == [(1, 1)]


def _hold_and_wait(out: Connection, state: StateDatabase) -> None:
    with state.lock("held"):
        out.send(os.getpid())
        time.sleep(PATIENCE)


def test_a_killed_holder_frees_its_lock(state: StateDatabase) -> None:
    context = forkserver()
    here, there = context.Pipe()
    holder = context.Process(target=_hold_and_wait, args=(there, state))
    holder.start()
    assert here.poll(PATIENCE)
    os.kill(here.recv(), signal.SIGKILL)
    holder.join()
    taken = threading.Event()

    def take() -> None:
        with state.lock("held"):
            taken.set()

    threading.Thread(target=take, daemon=True).start()
    assert taken.wait(10)


def test_a_lock_that_another_keeps_is_given_up_and_free_again_after_its_death(
    state: StateDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = forkserver()
    here, there = context.Pipe()
    holder = context.Process(target=_hold_and_wait, args=(there, state))
    holder.start()
    assert here.poll(PATIENCE)
    number = here.recv()
    on_postgres = state.engine.dialect.name == "postgresql"
    with monkeypatch.context() as shorter:
        shorter.setattr(state_module, "LOCK_SECONDS", 0.3)
        kept = pytest.raises(LockKept, match="the lock 'held' was not free")
        with kept as raised, state.lock("held"):
            pass
    whose = f"mesh process {number} on " if on_postgres else "held.lock` names it"
    assert whose in str(raised.value)
    assert PASSWORD not in str(raised.value)
    if on_postgres:  # and what the message says is true
        freeing = re.search(r"SELECT pg_terminate_backend\(\d+\)", str(raised.value))
        assert freeing
        with state.begin() as connection:
            assert connection.scalar(sa.text(freeing[0])) is True
    else:
        os.kill(number, signal.SIGKILL)
    with state.lock("held"):
        pass
    holder.kill()
    holder.join()


def test_what_a_block_raises_is_not_taken_for_a_lock_that_is_kept(state: StateDatabase) -> None:
    with pytest.raises(Timeout), state.lock("one"):
        raise Timeout("another file's")


def test_making_the_tables_waits_no_longer_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = StateDatabase(f"sqlite:///{tmp_path / 'state.db'}", tmp_path)
    monkeypatch.setattr(state_module, "LOCK_SECONDS", 0.1)
    with FileLock(tmp_path / ".state.lock"), pytest.raises(LockKept, match="'tables'"):
        _ = state.engine


def test_both_ends_of_a_connection_notice_that_the_other_is_gone(
    postgres: Postgres, tmp_path: Path
) -> None:
    options = "-c%20tcp_keepalives_count%3D7%20-c%20work_mem%3D1234"
    url = f"{postgres.fresh()}&keepalives_idle=77&options={options}"
    state = StateDatabase(url, tmp_path)
    names = "'tcp_keepalives_idle', 'tcp_keepalives_count', 'work_mem'"
    with state.begin() as connection:
        driver = connection.connection.dbapi_connection
        assert driver is not None
        client = driver.info.dsn_parameters
        found = connection.execute(
            sa.text(f"SELECT name, setting, source FROM pg_settings WHERE name IN ({names})")
        )
        server = {name: (setting, source) for name, setting, source in found}
    # What the URL says stays.
    assert (client["keepalives"], client["keepalives_idle"]) == ("1", "77")
    assert client["tcp_user_timeout"] == "60000"
    # Over a Unix socket the server takes them, and shows 0.
    assert server["tcp_keepalives_idle"][1] == "session"
    assert server["tcp_keepalives_count"][1] == "client"
    assert server["work_mem"] == ("1234", "client")


def test_locks_of_other_names_do_not_wait(state: StateDatabase) -> None:
    with (
        state.lock("publish/order/a"),
        state.lock("publish/order.a"),
        state.lock("publish%2Forder/a"),
    ):
        pass


def test_a_lock_is_free_again_after_an_exception(state: StateDatabase) -> None:
    with pytest.raises(KeyError), state.lock("one"):
        raise KeyError
    with state.lock("one"):
        pass


def test_a_table_declared_later_is_made_too(state: StateDatabase) -> None:
    with state.begin():
        pass
    late = sa.Table("mesh_test_late", TABLES, sa.Column("n", sa.Integer))
    try:
        with state.begin() as connection:
            connection.execute(sa.insert(late).values(n=1))
    finally:
        TABLES.remove(late)


def test_an_aborted_transaction_leaves_nothing(state: StateDatabase) -> None:
    with pytest.raises(RuntimeError), state.begin() as connection:
        connection.execute(sa.insert(COUNTER).values(name="one", n=0))
        raise RuntimeError
    with state.begin() as connection:
        assert connection.scalar(sa.select(sa.func.count()).select_from(COUNTER)) == 0


def test_a_lock_whose_connection_is_cut_does_not_undo_what_was_done(
    postgres: Postgres, tmp_path: Path
) -> None:
    state = StateDatabase(postgres.fresh(), tmp_path / "locks")
    with state.lock("cut"), state.begin() as connection:
        cut = sa.text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory'"
        )
        assert connection.scalar(cut) == 1
    with state.lock("cut"):
        pass


def test_a_pickled_state_opens_its_own_connections(state: StateDatabase) -> None:
    with state.begin() as connection:
        connection.execute(sa.insert(COUNTER).values(name="one", n=1))
    again = pickle.loads(pickle.dumps(state))
    with again.begin() as connection:
        assert connection.scalar(sa.select(COUNTER.c.n)) == 1


def test_an_unreachable_database_is_one_message_without_its_password(tmp_path: Path) -> None:
    url = f"postgresql://mesh:{PASSWORD}@127.0.0.1:1/mesh"
    state = StateDatabase(url, tmp_path)
    with pytest.raises(StateUnreachable, match="see that it runs") as raised, state.begin():
        pass
    assert PASSWORD not in str(raised.value)
    assert PASSWORD not in repr(state)


PIN = Pin("order/lines", "lake", 3, "s3")


def test_the_first_pin_holds_and_a_publication_replaces_it(state: StateDatabase) -> None:
    kept = Pins(state)
    assert kept.get("run", "order/lines") is None
    assert kept.keep_first("run", PIN) == PIN
    later = Pin("order/lines", "lake", 4, "s4")
    assert kept.keep_first("run", later) == PIN
    assert kept.keep_first("another", later) == later
    kept.replace("run", later)
    kept.replace("new", later)
    assert kept.get("run", "order/lines") == kept.get("new", "order/lines") == later


def _pin(out: Connection, state: StateDatabase, number: int) -> None:
    pin = Pin("order/lines", "lake", number, f"s{number}")
    out.send([Pins(state).keep_first(f"run-{run}", pin).number for run in range(TURNS)])


def test_every_process_of_a_run_reads_what_the_first_pinned(state: StateDatabase) -> None:
    answers = in_processes(_pin, *[(state, number) for number in range(WORKERS)])
    assert all(answer == answers[0] for answer in answers), answers


def test_old_pins_are_forgotten(state: StateDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Pins(state)
    kept.keep_first("old", PIN)
    monkeypatch.setattr(pins, "KEPT", timedelta(seconds=-1))
    kept.keep_first("new", PIN)
    assert kept.get("old", "order/lines") is None


def test_no_password_is_shown_wherever_it_stands() -> None:
    for url in (
        "postgresql://u:geheim@h/d",
        "postgresql://u@h/d?password=geheim&sslmode=require",
        "postgresql://u@h/d?sslpassword=geheim",
        "postgresql://u@h/d?options=-c%20geheim&options=geheim",
    ):
        shown = repr(StateDatabase(url, Path("locks")))
        assert "geheim" not in shown
        assert "@h/d" in shown


def test_an_unreachable_database_is_said_without_what_its_url_asks_for(tmp_path: Path) -> None:
    state = StateDatabase("postgresql://u@127.0.0.1:1/d?sslpassword=geheim", tmp_path)
    with pytest.raises(StateUnreachable, match=r"127\.0\.0\.1:1/d") as raised:
        _ = state.engine
    assert "geheim" not in str(raised.value)
