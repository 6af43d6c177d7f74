"""The products of a changed domain are made without being published, and what changes is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import Called, call, processes_of
from tests.rehearsing.test_rehearsal import everything
from tests.reviewing.repositories import LINES, READER, cases, lines, reviewed, shop
from tests.tiny_mesh import TinyMesh, column, contract_text

# Each makes products in a process of its own, which first imports what makes them.
pytestmark = pytest.mark.slow

ONLY_DATA = ("--no-tests",)
NAME, SALARY = "Qxzyname", 918273645
CRASHING = """
    import os
    import pandas as pd
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def {name}(lines: pd.DataFrame) -> pd.DataFrame:
        print("::error::printed by a product")
        {body}
        return pd.DataFrame({{"total": [1.0]}})
"""


@pytest.fixture
def published(mesh: TinyMesh) -> TinyMesh:
    """The shop with three lines that landed, both of its products published."""
    shop(mesh)
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n2,20\n3,30\n")
    assert mesh.run("order/lines").success and mesh.run("sales/daily").success
    return mesh


def kept(mesh: TinyMesh) -> dict[str, bytes]:
    """The state but SQLite's files, which another process that reads them tidies up."""
    return {name: data for name, data in everything(mesh).items() if not name.endswith(".db")}


def product(mesh: TinyMesh, name: str, body: str) -> None:
    text = contract_text(f"sales/{name}", [column("total", "DOUBLE", required=True)])
    mesh.product(f"sales/{name}", text, CRASHING.format(name=name, body=body))


def test_every_product_of_the_domain_is_tried_whatever_becomes_of_another(
    published: TinyMesh,
) -> None:
    text = contract_text("sales/daily", [column("total", "DOUBLE")])
    published.product("sales/daily", text, READER.format(factor=3))
    product(published, "crashes", "os._exit(9)")
    product(published, "fails", "raise ValueError('no such line')")
    product(published, "nulls", "return pd.DataFrame({'total': [None]})")
    product(published, "unread", "pass")
    file = published.root / "domains" / "sales" / "products" / "unread" / "product.py"
    file.write_text(file.read_text().replace("order/lines", "sales/nulls"))
    before = kept(published)
    told = reviewed("sales", *ONLY_DATA, code=1)
    found = {case["name"]: case for case in cases(told, "data")}
    made = found["sales/daily"]
    assert made["outcome"] == "passed" and made["facts"]["sampled"] is False
    changes = made["facts"]["changes"]
    assert (changes["version"], changes["added"], changes["gone"]) == (1, 1, 1)
    assert "ended with 9" in found["sales/crashes"]["said"]
    assert "no such line" in found["sales/fails"]["said"]
    assert found["sales/nulls"]["facts"]["broken"][0]["rule"] == "required_total"
    assert found["sales/nulls"]["findings"][0]["line"] > 0
    assert {name for name, case in found.items() if case["outcome"] == "failed"} == {
        *("sales/crashes", "sales/fails", "sales/nulls")
    }
    assert found["sales/unread"]["outcome"] == "skipped" and found["sales/unread"]["said"]
    assert kept(published) == before
    assert processes_of(published.environment.home) == []


def test_a_sample_that_is_refused_is_made_again_from_everything(published: TinyMesh) -> None:
    whole = [{"metric": "rowCount", "mustBe": 3, "name": "all_lines"}]
    text = contract_text("sales/copied", LINES, quality=whole)
    code = """
        import polars as pl
        from shared_resources import data_product

        @data_product(lines="order/lines")
        def copied(lines: pl.LazyFrame) -> pl.LazyFrame:
            return lines
    """
    published.product("sales/copied", text, code)
    told = reviewed("sales", *ONLY_DATA, "--sample", 2, code=0)
    found = {case["name"]: case["facts"] for case in cases(told, "data")}
    assert found["sales/copied"]["sampled"] is False
    assert found["sales/copied"]["publishable"] == 3
    assert found["sales/daily"]["sampled"] is True


def test_a_product_that_hangs_is_ended_and_the_next_one_is_made(published: TinyMesh) -> None:
    product(published, "hangs", "import time; time.sleep(900)")
    told = reviewed("sales", *ONLY_DATA, "--patience", 45, code=1)
    found = {case["name"]: case for case in cases(told, "data")}
    assert "was ended after its time was over" in found["sales/hangs"]["said"]
    assert found["sales/daily"]["outcome"] == "passed"
    assert processes_of(published.environment.home) == []


def test_where_nothing_is_published_products_are_left_out(mesh: TinyMesh) -> None:
    shop(mesh)
    told = reviewed(*ONLY_DATA, code=0)
    assert {case["outcome"] for case in cases(told, "data")} == {"skipped"}


def test_no_form_holds_a_classified_value(mesh: TinyMesh, tmp_path: Path) -> None:
    classified = [
        column("line_id", required=True),
        column("name", "VARCHAR", classification="restricted"),
        column("salary", classification="confidential"),
    ]
    lines(mesh, classified)
    mesh.land("order/lines/1.csv", f"line_id,name,salary\n1,{NAME},{SALARY}\n")
    assert mesh.run("order/lines").success
    bodies = {
        "raises": "raise ValueError(f\"{lines['name'][0]} earns {lines['salary'][0]}\")",
        "exits": "raise SystemExit(f\"{lines['name'][0]} {lines['salary'][0]}\")",
        "converts": "int(lines['name'][0])",
        "prints": "print(lines)",
    }
    for name, body in bodies.items():
        product(mesh, name, body)
    classified[2] = {**classified[2], "logicalTypeOptions": {"maximum": 10}}
    lines(mesh, classified)
    page, xml = tmp_path / "page.md", tmp_path / "report.xml"
    files = ("--no-tests", "--summary", page, "--junit", xml)
    told: list[Called] = [call("ci", *files, "--annotations", "github")]
    told += [call("ci", *files, "--annotations", "gitlab"), call("ci", "--no-tests", "--json")]
    assert [one.code for one in told] == [1, 1, 1]
    said = page.read_text() + xml.read_text() + "".join(one.out + one.err for one in told)
    for value in (NAME, str(SALARY), "918,273,645"):
        assert value not in said
    failed = {case["name"] for case in cases(told[2].json, "data", "failed")}
    assert failed == {"order/lines", "sales/raises", "sales/exits", "sales/converts"}
    assert "printed by a product" not in said


def test_what_lands_is_compared_with_what_is_published(published: TinyMesh) -> None:
    published.land("order/lines/2.csv", "line_id,amount\n1,10\n2,25\n")
    told = reviewed("order", *ONLY_DATA, code=0)
    (case,) = cases(told, "data")
    changes = case["facts"]["changes"]
    assert (changes["added"], changes["gone"], changes["changed"]) == (0, 1, 1)
    assert changes["columns"] == {"amount": 1}
