"""What all products have in common is asked for once, and says of each what asking for it alone would."""

from __future__ import annotations

import sqlalchemy as sa

from shared_resources.mesh import read_mesh
from shared_resources.observing.product_health import Observer
from shared_resources.state.attempt import WHOLE
from shared_resources.state.database import TABLES
from shared_resources.state.last_attempts import LastAttempts
from tests.tiny_mesh import TinyMesh, column, contract_text

COLUMNS = [column("number", required=True)]


def made(mesh: TinyMesh) -> tuple[Observer, Observer]:
    for name in ("first", "second"):
        landing = {"prefix": f"shop/{name}", "format": "csv", "object": "*.csv"}
        text = contract_text(f"shop/{name}", COLUMNS, properties={"landing": landing})
        mesh.product(f"shop/{name}", text)
    return Observer(mesh.environment, of_all=True), Observer(mesh.environment)


def failing(mesh: TinyMesh, observer: Observer, key: str) -> bool:
    return observer.observe(read_mesh(mesh.root).product(key)).health.failing


def test_a_row_that_cannot_be_read_is_the_trouble_of_its_own_product(mesh: TinyMesh) -> None:
    of_all, alone = made(mesh)
    LastAttempts(mesh.environment.state, "shop/first").failed("a run", {WHOLE: "why"})
    attempts = TABLES.tables["mesh_last_attempts"]
    with mesh.environment.state.begin() as connection:
        row = attempts.c.product == "shop/first"
        connection.execute(sa.update(attempts).where(row).values(outcome="of another release"))
    for observer in (of_all, alone):
        assert failing(mesh, observer, "shop/first")
        assert not failing(mesh, observer, "shop/second")


def test_a_run_that_ends_while_all_are_looked_at_has_not_died(mesh: TinyMesh) -> None:
    of_all, _ = made(mesh)
    second = LastAttempts(mesh.environment.state, "shop/second")
    second.begin("a run", [WHOLE], lease="of a process that is gone")
    assert failing(mesh, Observer(mesh.environment, of_all=True), "shop/second")
    assert not failing(mesh, of_all, "shop/first")
    second.settle([WHOLE], "nothing is to come of it")
    assert not failing(mesh, of_all, "shop/second")
