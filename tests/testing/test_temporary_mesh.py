"""A domain's tests: rows published, a product made of them, and nothing left afterwards."""

from __future__ import annotations

import os
from datetime import datetime

import pyarrow as pa
import pytest

from shared_resources import read
from shared_resources.environment import PROJECT_ROOT
from shared_resources.stores.protocol import NotPublished
from shared_resources.testing import NotPublishable, TemporaryMesh, temporary_mesh
from tests.tiny_mesh import TinyMesh, column, contract_text

pytest_plugins = ["shared_resources.testing.fixtures"]

AMOUNTS = [column("n", required=True), column("amount", "DOUBLE", required=True)]
TOTAL = """
    import polars as pl
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def total(lines: pl.LazyFrame) -> pl.LazyFrame:
        return lines.select(n=pl.len().cast(pl.Int64), amount=pl.col("amount").sum())
"""


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    landing = {"prefix": "order/lines", "format": "csv", "object": "*.csv"}
    lines = contract_text("order/lines", AMOUNTS, properties={"landing": landing})
    mesh.product("order/lines", lines)
    limited = [AMOUNTS[0], column("amount", "DOUBLE", logicalTypeOptions={"maximum": 100})]
    mesh.product("order/total", contract_text("order/total", limited), TOTAL)
    return mesh


def test_a_product_is_made_of_what_the_test_published(shop: TinyMesh) -> None:
    with temporary_mesh(shop.root) as mesh:
        mesh.publish("order/lines", pa.table({"n": [1, 2], "amount": [1.5, 2.0]}))
        made = mesh.make("order/total")
        assert made.passed and made.rows is not None
        assert made.rows.to_pylist() == [{"n": 2, "amount": 3.5}]
        assert read("order/total")["amount"].tolist() == [3.5]
    assert shop.versions("order/lines") == []


def test_what_the_audit_refuses_says_by_which_rule(shop: TinyMesh) -> None:
    with temporary_mesh(shop.root) as mesh:
        mesh.publish("order/lines", 3, amount=50.0)
        made = mesh.make("order/total")
        assert (made.passed, made.rows, made.failed) == (False, None, ("range_amount",))
        with pytest.raises(NotPublished):
            mesh.rows("order/total")
        with pytest.raises(NotPublishable, match="required_n"):
            mesh.publish("order/lines", pa.table({"n": [None], "amount": [1.0]}))


def test_the_environment_is_as_it_was_whatever_happens(shop: TinyMesh) -> None:
    before = dict(os.environ)
    with pytest.raises(ZeroDivisionError), temporary_mesh(shop.root) as mesh:
        home = mesh.environment.home
        assert os.environ["MESH_HOME"] == str(home) != before["MESH_HOME"]
        raise ZeroDivisionError
    assert dict(os.environ) == before and not home.exists()


def test_the_fixture_is_the_projects_own_mesh(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("MESH_ROOT", str(PROJECT_ROOT))
    mesh = request.getfixturevalue("temporary_mesh")
    assert isinstance(mesh, TemporaryMesh)
    lines = mesh.publish(
        "order/transactions",
        600,
        basket_id=[n // 6 + 1 for n in range(600)],
        product_id=[n % 6 + 1 for n in range(600)],
        household_id=1,
        store_id=1,
        quantity=1,
        sales_value=2.5,
        transaction_timestamp=datetime(2017, 3, 1, 10),
        week=10,
    )
    assert lines.num_rows == 600
    made = mesh.make("order/baskets", ["2017-03-01"])
    assert made.failed == () and made.rows is not None
    assert made.rows.num_rows == 100 and {*made.rows["line_count"].to_pylist()} == {6}
