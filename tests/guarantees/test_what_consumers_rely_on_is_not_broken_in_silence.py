"""A contract that no longer keeps what is published under it is found, and refused, with who it hits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

from shared_resources.cli.check import check
from tests.guarantees.orders import KEY, land_orders
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

LANDING = {"prefix": KEY, "format": "parquet", "object": "*.parquet"}
READER = """
    import pandas as pd
    from shared_resources import data_product, product_input

    @data_product(orders=product_input("order/orders", columns=["amount"]))
    def reader(orders):
        return pd.DataFrame({"id": [1]})
"""
Columns = list[dict[str, Any]]


def columns() -> Columns:
    return [
        column("order_id", required=True, primaryKey=True, primaryKeyPosition=1),
        column("amount", "DOUBLE", required=True),
    ]


def renamed(c: Columns) -> None:
    c[1]["name"] = "total"


def dropped(c: Columns) -> None:
    del c[1]


def another_type(c: Columns) -> None:
    c[1] |= {"logicalType": "integer", "physicalType": "BIGINT"}


def nullable(c: Columns) -> None:
    c[1]["required"] = False


def without_key(c: Columns) -> None:
    del c[0]["primaryKey"], c[0]["primaryKeyPosition"]


def another_key(c: Columns) -> None:
    c[1] |= {"primaryKey": True, "primaryKeyPosition": 2}


def contract(mesh: TinyMesh, of: Columns, version: str = "1.1.0") -> None:
    properties = {"landing": LANDING}
    mesh.product(KEY, contract_text(KEY, of, properties=properties, version=version))


@pytest.fixture
def published(mesh: TinyMesh) -> TinyMesh:
    contract(mesh, columns())
    mesh.product("sales/reader", contract_text("sales/reader", [column("id")]), READER)
    land_orders(mesh, [1.5, 2.5])
    assert mesh.run(KEY).success and mesh.run("sales/reader").success
    assert checked() == []
    return mesh


def checked(*options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(check, ["--json", *options])
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    assert result.exit_code == bool(found)
    return [one for one in found if one["rule"] == "breaking_change"]


BREAKS: list[tuple[Callable[[Columns], None], str, str]] = [
    (renamed, "column amount is gone", "sales/reader (amount)"),
    (dropped, "column amount is gone", "sales/reader (amount)"),
    (another_type, "amount from DOUBLE to BIGINT", "sales/reader (amount)"),
    (nullable, "amount may now be null", "sales/reader (amount)"),
    (without_key, "the primary key was (order_id) and is none", "nothing in this mesh"),
    (another_key, "was (order_id) and is (order_id, amount)", "nothing in this mesh"),
]


def test_a_break_is_found_with_its_consumers_unless_the_major_version_is_new(
    published: TinyMesh,
) -> None:
    for change, said, hit in BREAKS:
        changed = columns()
        change(changed)
        for version in ("1.1.0", "1.0.0", "1.2.0", "0.9.0"):
            contract(published, changed, version)
            (found,) = checked()
            assert said in found["message"] and hit in found["message"], (change, version)
            assert (
                "under which version 1 of order/orders in the lake is published"
                in (found["message"])
            )
            assert found["line"] > 0 and "new major version" in found["remedy"]
        assert checked("--static") == []
        contract(published, changed, "2.0.0")
        assert checked() == [], change


def test_publication_refuses_what_is_found(published: TinyMesh) -> None:
    rows = published_rows(published)
    for number, change in enumerate((dropped, nullable, without_key), start=1):
        changed = columns()
        change(changed)
        contract(published, changed)
        landed = rows.select(["order_id"]) if change is dropped else rows
        published.land(f"{KEY}/{number}.parquet", landed)
        refused = published.run(KEY)
        assert not refused.success, change
        assert "the contract no longer fits what is published" in failures(refused)
        assert len(published.versions(KEY)) == 1
    contract(published, changed, "2.0.0")
    assert published.run(KEY).success


def test_what_only_adds_to_the_promise_is_no_break(published: TinyMesh) -> None:
    wider = [*columns(), column("note", "VARCHAR")]
    contract(published, wider, "1.1.0")
    assert checked() == []


def test_a_promise_is_read_back_as_it_was_written(published: TinyMesh) -> None:
    from shared_resources.contracts.odcs import read_contract
    from shared_resources.contracts.promise import Promise
    from shared_resources.evidence.record import Evidence

    file = published.root / "domains" / "order" / "products" / "orders" / "contract.odcs.yaml"
    evidence = Evidence.read(published.versions(KEY)[-1].properties)
    assert evidence.promise == Promise.of(read_contract(file))


def published_rows(mesh: TinyMesh) -> Any:
    return mesh.environment.open_product(KEY).batches().read_all()
