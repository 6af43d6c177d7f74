"""What makes a product: which files count, and which code may look at more than its inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.mesh import ProductFolder, read_product
from shared_resources.mesh.code.maker_code import MakerCode, maker_code
from tests.guarantees.orders import COLUMNS, KEY, LANDING
from tests.tiny_mesh import TinyMesh, contract_text

SUMS = "sales/sums"
CODE = """
    import polars as pl
    from shared_resources import data_product


    @data_product(orders="order/orders")
    def sums(orders: pl.LazyFrame) -> pl.LazyFrame:
        return orders.{body}
"""


def function(mesh: TinyMesh, body: str = 'with_columns(pl.col("amount") * 2)') -> Path:
    return mesh.product(SUMS, contract_text(SUMS, COLUMNS), CODE.format(body=body))


def code_of(mesh: TinyMesh, key: str = SUMS) -> MakerCode:
    product = read_product(mesh.environment, key)
    assert isinstance(product, ProductFolder)
    return maker_code(mesh.root, product)


def test_a_digest_is_of_the_code_and_of_its_helpers(mesh: TinyMesh) -> None:
    folder = function(mesh)
    first = code_of(mesh)
    assert first.digest and not first.elsewhere
    assert code_of(mesh) == first
    (folder / "README.md").write_text("For people.")
    (folder / "test_sums.py").write_text("import os\n")
    (folder / "contract.odcs.yaml").write_text((folder / "contract.odcs.yaml").read_text() + "\n")
    assert code_of(mesh) == first
    (folder / "prices.csv").write_text("1,2\n")
    second = code_of(mesh)
    assert second.digest != first.digest
    (folder / "helper.py").write_text("FACTOR = 2\n")
    assert code_of(mesh).digest != second.digest


def test_code_from_elsewhere_in_the_domain_counts_where_it_is_used(mesh: TinyMesh) -> None:
    folder = function(mesh)
    helper = mesh.root / "domains/sales/rates.py"
    helper.write_text("FACTOR = 2\n")
    alone = code_of(mesh)
    helper.write_text("FACTOR = 3\n")
    assert code_of(mesh) == alone
    code = folder / "product.py"
    code.write_text("from domains.sales.rates import FACTOR\n" + code.read_text())
    before = code_of(mesh)
    helper.write_text("import random\n\nFACTOR = random.random()\n")
    after = code_of(mesh)
    assert after.digest != before.digest
    assert "imports random" in after.elsewhere


def test_an_ingest_without_code_has_no_digest(mesh: TinyMesh) -> None:
    folder = mesh.product(KEY, contract_text(KEY, COLUMNS, properties={"landing": LANDING}))
    assert code_of(mesh, KEY) == MakerCode("")
    (folder / "rules.py").write_text("def fine(batch):\n    return True\n")
    assert code_of(mesh, KEY).digest


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("with_columns(pl.lit(datetime.now()))", "uses `now`"),
        ("collect().sample(3)", "uses `sample`"),
        ('join(pl.scan_csv("x.csv"), on="order_id")', "uses `scan_csv`"),
        ('filter(pl.lit(open("flag").read() == "1"))', "uses `open`"),
        ('with_columns(pl.lit("now").str.to_datetime())', "says 'now'"),
        ("with_columns(pl.lit(hash(str(1))))", "uses `hash`"),
    ],
)
def test_what_may_look_elsewhere_is_told(mesh: TinyMesh, body: str, says: str) -> None:
    function(mesh, body)
    assert says in code_of(mesh).elsewhere


@pytest.mark.parametrize("imported", ["os", "requests", "numpy.random", "sklearn.svm", "time"])
def test_an_unknown_module_may_look_elsewhere(mesh: TinyMesh, imported: str) -> None:
    code = function(mesh) / "product.py"
    code.write_text(f"import {imported}\n" + code.read_text())
    assert f"imports {imported.split('.sv')[0]}" in code_of(mesh).elsewhere


def test_a_function_without_inputs_has_nothing_to_be_told_by(mesh: TinyMesh) -> None:
    made = "import polars as pl\nfrom shared_resources import data_product\n\n\n@data_product\n"
    mesh.product(SUMS, contract_text(SUMS, COLUMNS), made + "def sums(): return pl.DataFrame()\n")
    assert "reads no product" in code_of(mesh).elsewhere


def model(mesh: TinyMesh, name: str, sql: str) -> Path:
    file = mesh.root / f"dbt_project/models/sales/{name}.sql"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(sql)
    return file


def test_a_model_is_its_sql_its_steps_tests_and_macros(mesh: TinyMesh) -> None:
    mesh.product(SUMS, contract_text(SUMS, COLUMNS))
    mesh.product("sales/other", contract_text("sales/other", COLUMNS))
    model(mesh, "sums", "select * from {{ source('order', 'orders') }} -- not now()")
    model(mesh, "other", "select 1")
    digests = {code_of(mesh).digest}
    assert not code_of(mesh).elsewhere
    model(mesh, "other", "select 2 as another_products")
    assert code_of(mesh).digest in digests
    macros = mesh.root / "dbt_project/macros"
    macros.mkdir()
    for change in (
        lambda: model(mesh, "step", "select 1"),
        lambda: model(mesh, "sums", "select 3"),
        lambda: (macros / "cents.sql").write_text("{% macro cents() %}{% endmacro %}"),
        lambda: (mesh.root / "dbt_project/models/sales/schema.yml").write_text("version: 2\n"),
        lambda: (mesh.root / "dbt_project/package-lock.yml").write_text("packages: []\n"),
    ):
        change()
        assert code_of(mesh).digest not in digests
        digests.add(code_of(mesh).digest)


@pytest.mark.parametrize(
    "sql",
    ["select now()", "select CURRENT_DATE", "select * from t using sample 3", "{{ env_var('X') }}",
     "select random()", "select uuid()", "{{ run_started_at }}"],
)  # fmt: skip
def test_a_model_that_asks_the_clock_or_chance_is_told(mesh: TinyMesh, sql: str) -> None:
    mesh.product(SUMS, contract_text(SUMS, COLUMNS))
    model(mesh, "sums", sql)
    assert "may look elsewhere" in code_of(mesh).elsewhere


def test_a_rule_that_asks_the_clock_is_told(mesh: TinyMesh) -> None:
    query = "SELECT count(*) FROM ${object} WHERE amount > day(current_date)"
    rule = {"name": "late", "type": "sql", "query": query, "mustBe": 0, "description": "Late."}
    text = contract_text(KEY, COLUMNS, quality=[rule], properties={"landing": LANDING})
    mesh.product(KEY, text)
    assert "current_date" in code_of(mesh, KEY).elsewhere
