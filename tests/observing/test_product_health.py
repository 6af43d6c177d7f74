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


def test_what_lands_is_not_behind_what_it_was_related_to(mesh: TinyMesh) -> None:
    """`mesh run` would make nothing of it: the rows that were related to others are the same."""
    made(mesh)
    to = "shop/products/first/contract.odcs.yaml#/schema/first/properties/number"
    landing = {"prefix": "shop/second", "format": "csv", "object": "*.csv"}
    columns = [column("number", required=True, relationships=[{"to": to}])]
    text = contract_text("shop/second", columns, properties={"landing": landing})
    mesh.product("shop/second", text)
    mesh.land("shop/first/1.csv", "number\n1\n2\n")
    mesh.land("shop/second/1.csv", "number\n1\n")
    assert mesh.run("shop/first").success and mesh.run("shop/second").success
    mesh.land("shop/first/2.csv", "number\n1\n2\n3\n")
    assert mesh.run("shop/first").success
    observed = Observer(mesh.environment).observe(read_mesh(mesh.root).product("shop/second"))
    assert observed.evidence is not None
    assert observed.evidence.input_versions == {"shop/first": ("lake", 1)}
    assert observed.health.reasons == ()
