"""A new product is sound, and publishes, before anybody has changed a letter of it."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from shared_resources.contracts.file_formats import all_formats
from shared_resources.governance.catalogue import check_domain
from shared_resources.mesh import ProductKind, read_mesh
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_files import NotMade
from shared_resources.scaffolding.new_product import NewProduct, make_product
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

ROOT = Path(__file__).resolve().parents[2]
EVERY_TYPE = [
    column("day", "DATE", required=True, primaryKey=True, primaryKeyPosition=2),
    column("number", "BIGINT", required=True, primaryKey=True, primaryKeyPosition=1),
    column("small", "INTEGER"),
    column("price", "DOUBLE"),
    column("word", "VARCHAR", classification="restricted"),
    column("at", "TIMESTAMP", unique=True),
    column("is_open", "BOOLEAN"),
    {**column("amount", "DOUBLE"), "physicalType": "DECIMAL(12,2)"},
    {**column("moment", "TIMESTAMP"), "physicalType": "TIMESTAMPTZ"},
    {**column("ratio", "DOUBLE"), "physicalType": "FLOAT"},
]
CODE = """
    import polars as pl
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def all_types(lines: pl.LazyFrame) -> pl.LazyFrame:
        return lines.select(
            day=pl.date(2024, 1, 1), number=pl.col("row_id"), small=pl.lit(1, pl.Int32),
            price=pl.lit(1.5), word=pl.lit("a"), at=pl.datetime(2024, 1, 1) + pl.duration(days="row_id"),
            is_open=pl.lit(True), amount=pl.lit("1.25").cast(pl.Decimal(12, 2)),
            moment=pl.datetime(2024, 1, 1, time_zone="UTC"), ratio=pl.lit(0.5, pl.Float32),
        )
"""


def new(key: str, kind: Beginning, *reads: str, format_: str = "csv") -> NewProduct:
    return NewProduct(key, kind, "One row of whatever.", reads, format_)


def findings(mesh: TinyMesh) -> list[str]:
    read = read_mesh(mesh.root)
    return [str(one) for domain in read.domains for one in check_domain(domain, read).findings]


@pytest.fixture
def order(mesh: TinyMesh) -> TinyMesh:
    mesh.domain("order")
    make_product(mesh.root, new("order/lines", Beginning.INGEST))
    return mesh


def landed(mesh: TinyMesh) -> None:
    mesh.land("order/lines/lines.csv", "row_id,remark\n1,a\n2,\n")
    assert mesh.run("order/lines").success


def test_a_product_of_landed_files_publishes_what_lands(order: TinyMesh) -> None:
    assert findings(order) == []
    landed(order)
    assert order.rows("order/lines") == [
        {"row_id": 1, "remark": "a"},
        {"row_id": 2, "remark": None},
    ]


@pytest.mark.parametrize("format_", list(all_formats()))
def test_files_of_every_format_can_land(mesh: TinyMesh, format_: str) -> None:
    mesh.domain("order")
    make_product(mesh.root, new("order/lines", Beginning.INGEST, format_=format_))
    assert findings(mesh) == []
    contract = read_mesh(mesh.root).product("order/lines").contract
    assert contract is not None and contract.landing is not None
    assert contract.landing.format is all_formats()[format_]


def test_a_function_begins_as_the_copy_of_what_it_reads_whatever_its_types(
    order: TinyMesh,
) -> None:
    landed(order)
    order.product("order/all_types", contract_text("order/all_types", EVERY_TYPE), CODE)
    assert order.run("order/all_types").success
    make_product(order.root, new("order/copy", Beginning.FUNCTION, "order/all_types"))
    assert findings(order) == []
    done = order.run("order/copy")
    assert done.success, failures(done)
    assert order.rows("order/copy") == order.rows("order/all_types")
    made, of = (read_mesh(order.root).product(f"order/{n}").contract for n in ("copy", "all_types"))
    assert made is not None and of is not None
    assert made.primary_key == of.primary_key == ("number", "day")
    assert [(c.name, c.type, c.classification, c.required, c.unique) for c in made.columns] == [
        (c.name, c.type, c.classification, c.required, c.unique) for c in of.columns
    ]


def test_inputs_of_one_name_are_told_apart(order: TinyMesh) -> None:
    landed(order)
    order.domain("sales")
    make_product(order.root, new("sales/lines", Beginning.FUNCTION, "order/lines"))
    done = order.run("sales/lines")
    assert done.success, failures(done)
    make_product(order.root, new("sales/both", Beginning.FUNCTION, "order/lines", "sales/lines"))
    assert findings(order) == []
    done = order.run("sales/both")
    assert done.success, failures(done)
    assert pl.DataFrame(order.rows("sales/both")).height == 2


def test_a_dbt_model_stands_where_the_project_looks_for_it(order: TinyMesh) -> None:
    made = make_product(order.root, new("order/marts", Beginning.DBT, "order/lines"))
    assert made[-1] == order.root / "dbt_project/models/order/marts.sql"
    assert findings(order) == []
    product = read_mesh(order.root).product("order/marts")
    assert (product.kind, product.reads) == (ProductKind.DBT, ("order/lines",))
    assert "row_id,\n    remark\nfrom {{ source('order', 'lines') }}" in made[-1].read_text()


@pytest.mark.parametrize(
    ("product", "why"),
    [
        (new("order", Beginning.INGEST), "is no product"),
        (new("order/Lines", Beginning.INGEST), "is no product"),
        (new("../x/lines", Beginning.INGEST), "is no product"),
        (new("order/class", Beginning.INGEST), "Python cannot import"),
        (new("order/two__words", Beginning.INGEST), "snake_case"),
        (new("shop/lines", Beginning.INGEST), "mesh new domain shop"),
        (new("order/lines", Beginning.INGEST), "there already"),
        (new("order/more", Beginning.INGEST, "order/lines"), "take --reads out"),
        (new("order/more", Beginning.FUNCTION), "--reads"),
        (new("order/more", Beginning.SOURCE, "order/lines"), "take --reads out"),
        (new("order/more", Beginning.MACHINE_LEARNING), "--reads"),
        (new("order/more", Beginning.MACHINE_LEARNING, "order/lines"), "lacks a number beside"),
        (new("order/more", Beginning.FUNCTION, "order/gone"), "no product 'order/gone'"),
        (new("order/more", Beginning.INGEST, format_="xls"), "no format"),
        (new("order/old", Beginning.DBT, "order/lines"), "is there already"),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing(
    order: TinyMesh, product: NewProduct, why: str
) -> None:
    model = order.root / "dbt_project/models/order/old.sql"
    model.parent.mkdir(parents=True)
    model.write_text("select 1")
    before = sorted(order.root.rglob("*"))
    with pytest.raises(NotMade, match=why):
        make_product(order.root, product)
    assert sorted(order.root.rglob("*")) == before


def test_what_is_wrong_with_other_products_keeps_none_from_being_made(order: TinyMesh) -> None:
    broken = order.root / "domains/order/products/lines/contract.odcs.yaml"
    broken.write_text(broken.read_text().replace("classification: internal", "", 1))
    before = findings(order)
    assert before
    make_product(order.root, new("order/more", Beginning.INGEST))
    assert findings(order) == before
