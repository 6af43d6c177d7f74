"""A new product of machine learning: it learns, publishes as it is, and does the same twice."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import domains
from shared_resources.contracts.model import Classification
from shared_resources.governance.catalogue import check_domain
from shared_resources.mesh import read_mesh
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_product import NewProduct, make_product
from tests.scaffolding.formatted import as_formatted
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

SALES = [
    column("day", "DATE", required=True, primaryKey=True, primaryKeyPosition=2),
    column("shop", "BIGINT", required=True, primaryKey=True, primaryKeyPosition=1),
    column("visitors", "BIGINT", classification="confidential"),
    column("is_open", "BOOLEAN"),
    column("word", "VARCHAR"),
    {**column("turnover", "DOUBLE"), "physicalType": "DECIMAL(12,2)"},
]
CODE = """
    import polars as pl
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def sales(lines: pl.LazyFrame) -> pl.LazyFrame:
        n = pl.col("row_id")
        return lines.select(
            day=pl.date(2024, 1, 1), shop=n,
            visitors=pl.when(n % 7 != 0).then(n * 3), is_open=(n % 2 == 0), word=pl.lit("a"),
            turnover=pl.when(n != 3).then(n * 6 + 1).cast(pl.Decimal(12, 2)),
        )
"""


@pytest.fixture
def order(mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch) -> TinyMesh:
    # The model is imported by its name, as in a mesh of its own; here `domains` is this repository's.
    monkeypatch.setattr(domains, "__path__", [*domains.__path__, str(mesh.root / "domains")])
    for name in [one for one in sys.modules if one.startswith("domains.order")]:
        monkeypatch.delitem(sys.modules, name)
    mesh.domain("order")
    make_product(mesh.root, NewProduct("order/lines", Beginning.INGEST, "A line."))
    mesh.product("order/sales", contract_text("order/sales", SALES), CODE)
    return mesh


def published(mesh: TinyMesh, rows: int) -> None:
    lines = "".join(f"{n},a\n" for n in range(1, rows + 1))
    mesh.land(f"order/lines/{rows}.csv", f"row_id,remark\n{lines}")
    for key in ("order/lines", "order/sales"):
        done = mesh.run(key)
        assert done.success, failures(done)


def model(mesh: TinyMesh, *reads: str) -> list[Path]:
    new = NewProduct("order/forecast", Beginning.MACHINE_LEARNING, "A forecast.", reads)
    made = make_product(mesh.root, new)
    read = read_mesh(mesh.root)
    assert list(check_domain(read.domain("order"), read).findings) == []
    return [file for file in made if file.suffix == ".py"]


def test_it_predicts_the_last_number_from_the_others(order: TinyMesh) -> None:
    code = model(order, "order/sales", "order/lines")
    as_formatted(code)
    product = read_mesh(order.root).product("order/forecast")
    contract = product.contract
    assert contract is not None and contract.primary_key == ("shop", "day")
    prediction = next(one for one in contract.columns if one.name == "prediction")
    assert prediction.classification is Classification.CONFIDENTIAL  # as what it is made of
    published(order, 100)
    done = order.run("order/forecast")
    assert done.success, failures(done)
    rows = order.rows("order/forecast")
    assert len(rows) == 100 and sum(row["held_out"] for row in rows) == 19
    assert rows[2]["actual"] is None and rows[2]["prediction"] is not None
    good = [abs(row["prediction"] - row["actual"]) for row in rows if row["actual"] is not None]
    assert sorted(good)[len(good) // 2] < 20  # the turnovers are up to 601
    assert order.run("order/forecast").success
    assert order.rows("order/forecast") == rows


@pytest.mark.parametrize("rows", [1, 2])
def test_it_publishes_of_few_rows_and_says_when_there_is_nothing_to_learn(
    order: TinyMesh, rows: int
) -> None:
    model(order, "order/sales")
    published(order, rows)
    done = order.run("order/forecast")
    assert done.success, failures(done)
    assert len(order.rows("order/forecast")) == rows
