"""A mesh with lines that land and a function of them, in both stores, for the tests of branches.

Belongs here: making and working in it. Does not belong here: what must hold (the tests).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from shared_resources.environment import Environment
from shared_resources.stores.opening import open_product
from shared_resources.wiring import BranchEnvironment, current, existing_branch
from tests.tiny_mesh import TinyMesh, column, contract_text

LINES, DOUBLED = "order/lines", "order/doubled"
SERVERS = ("lake", "warehouse")
COLUMNS = [
    column("line_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount", "DOUBLE", logicalTypeOptions={"minimum": 0}),
]
LANDING = {"prefix": LINES, "format": "csv", "mode": "replace", "object": "*.csv"}
_CODE = """
    import polars as pl
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def doubled(lines: pl.LazyFrame) -> pl.LazyFrame:
        return lines.with_columns(amount=pl.col("amount") * {factor})
"""


def open_shop(mesh: TinyMesh, servers: Sequence[str] = SERVERS) -> None:
    """Lines 1 to 3 are published, and doubled."""
    properties = {"landing": LANDING, "lossBudgetPercent": 50}
    mesh.product(LINES, contract_text(LINES, COLUMNS, servers=servers, properties=properties))
    multiply(mesh, 2, servers)
    mesh.land(f"{LINES}/1.csv", "line_id,amount\n1,10\n2,20\n3,30\n")
    assert mesh.run(LINES).success and mesh.run(DOUBLED).success


def multiply(mesh: TinyMesh, factor: int, servers: Sequence[str] = SERVERS) -> None:
    """What makes `order/doubled` from now on."""
    text = contract_text(DOUBLED, COLUMNS, servers=servers)
    mesh.product(DOUBLED, text, _CODE.format(factor=factor))


@contextmanager
def working_in(mesh: TinyMesh, name: str) -> Iterator[TinyMesh]:
    """The mesh as a process of the branch has it."""
    os.environ["MESH_BRANCH"] = name
    try:
        yield replace(mesh, environment=current())
    finally:
        os.environ.pop("MESH_BRANCH")


def branch(mesh: TinyMesh, name: str) -> BranchEnvironment:
    """The branch, opened anew."""
    return existing_branch(current(), name)


def amounts(environment: Environment, key: str) -> dict[str, list[float]]:
    """What readers of each store see."""
    return {
        store.name: sorted(store.open(key).batches().read_all()["amount"].to_pylist())
        for store in environment.stores.values()
    }


def read(environment: Environment, key: str) -> list[float]:
    return sorted(open_product(environment, key).batches().read_all()["amount"].to_pylist())
