"""Looking at the state answers what its engine would, whatever stands where the file should be."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from shared_resources.environment import Environment
from shared_resources.state.attempt import WHOLE, AttemptsOfAll, Outcome
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.state.looking import look
from shared_resources.wiring import LocalEnvironment, ProductionEnvironment, branch_of, current
from tests.stand_ins.postgres import Postgres
from tests.stand_ins.servers import environment
from tests.tiny_mesh import TinyMesh

KEY, DAY = "order/orders", "2024-01-01"
TABLE = "mesh_last_attempts"
ALL = f"SELECT product, partition FROM {TABLE} ORDER BY product, partition"


def attempted(asked: Environment) -> None:
    LastAttempts(asked.state, KEY).begin("a", [DAY], "lease")
    LastAttempts(asked.state, KEY).failed("b", {WHOLE: "it's ⚡ raised"})
    LastAttempts(asked.state, "order/others").refused("c", {DAY: "too low"}, {DAY: "entry"})


def agrees(asked: Environment) -> None:
    of_all = AttemptsOfAll(asked)
    for product in (KEY, "order/others", "order/none"):
        assert of_all.of(product) == LastAttempts(asked.state, product).all()
    assert [one.outcome for one in of_all.of(KEY)] == [Outcome.FAILED, Outcome.RUNNING]


def test_a_file_is_asked_as_its_engine_is(mesh: TinyMesh) -> None:
    attempted(mesh.environment)
    agrees(mesh.environment)


def test_a_branch_has_its_own(mesh: TinyMesh) -> None:
    attempted(mesh.environment)
    branch = branch_of(mesh.environment, "trial")
    assert look(branch, TABLE, ALL) == []
    LastAttempts(branch.state, KEY).begin("d", [DAY], "lease")
    assert look(branch, TABLE, ALL) == [(KEY, DAY)]
    assert branch.state_file != mesh.environment.state_file


def test_postgres_is_asked_through_its_engine(
    production: ProductionEnvironment, postgres: Postgres
) -> None:
    with environment({"MESH_DATABASE_URL": postgres.fresh()}):
        asked = current()
        assert asked.state_file is None
        assert look(asked, "mesh_of_nobody", "SELECT * FROM mesh_of_nobody") == []
        attempted(asked)
        agrees(asked)
        assert not list(asked.home.rglob("state.db"))


def test_a_state_that_was_never_made_holds_nothing_and_is_not_made(mesh: TinyMesh) -> None:
    asked = LocalEnvironment(mesh.root, mesh.root / "elsewhere")
    assert look(asked, TABLE, ALL) == []
    assert not asked.home.exists()
    assert asked.state.engine  # made, with the tables that are known by now
    with asked.state.begin() as connection:
        connection.execute(sa.text(f"DROP TABLE {TABLE}"))
    assert look(asked, TABLE, ALL) == []


def test_it_waits_for_nobody_who_writes(mesh: TinyMesh) -> None:
    attempted(mesh.environment)
    before = look(mesh.environment, TABLE, ALL)
    with mesh.environment.state.begin() as connection:
        connection.execute(sa.text(f"DELETE FROM {TABLE}"))
        assert look(mesh.environment, TABLE, ALL) == before
    assert look(mesh.environment, TABLE, ALL) == []


def test_a_broken_file_is_told_of_as_the_engine_tells(mesh: TinyMesh) -> None:
    asked = LocalEnvironment(mesh.root, mesh.root / "elsewhere")
    asked.home.mkdir()
    file = asked.home / "state.db"
    file.write_bytes(b"no database" * 1_000)
    with pytest.raises(sqlite3.Error), closing(sqlite3.connect(file)) as opened:
        opened.execute("SELECT * FROM sqlite_master")
    with pytest.raises(sa.exc.DatabaseError, match="not a database"):
        look(asked, TABLE, ALL)
