"""Promise: an empty batch does not replace what is published, unless the contract allows it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.guarantees.orders import COLUMNS, KEY, amounts, land_orders, orders_product
from tests.guarantees.stock_dagster import orders_with_blocking_check, run_stock, stock_reader
from tests.tiny_mesh import TinyMesh, contract_text, evaluations

CODE = """
    import pandas as pd

    from shared_resources import data_product


    @data_product
    def orders() -> pd.DataFrame:
        return pd.DataFrame({"order_id": pd.Series(IDS, dtype="int64"), "amount": [1.0] * len(IDS)})
"""


def test_stock_dagster_replaces_the_data_by_nothing_and_reports_success(tmp_path: Path) -> None:
    assert run_stock(orders_with_blocking_check(pd.DataFrame({"amount": [1.0]}), tmp_path)).success
    empty = orders_with_blocking_check(pd.DataFrame({"amount": []}), tmp_path)
    assert run_stock(empty).success
    assert len(stock_reader(empty)) == 0


def test_an_empty_frame_wipes_nothing(mesh: TinyMesh) -> None:
    contract = contract_text(KEY, COLUMNS, servers=("lake", "warehouse"))
    mesh.product(KEY, contract, CODE.replace("IDS", "[1, 2]"))
    assert mesh.run(KEY).success
    mesh.product(KEY, contract, CODE.replace("IDS", "[]"))

    refused = mesh.run(KEY)

    assert not refused.success
    assert evaluations(refused)["not_empty"] is False
    assert amounts(mesh) == [1.0, 1.0]


def test_an_empty_extract_wipes_nothing(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [])
    assert not mesh.run(KEY).success
    assert amounts(mesh) == [1.0]


def test_an_empty_extract_is_published_where_the_contract_allows_it(mesh: TinyMesh) -> None:
    orders_product(mesh, allowEmpty=True)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [])
    assert mesh.run(KEY).success
    assert amounts(mesh) == []
