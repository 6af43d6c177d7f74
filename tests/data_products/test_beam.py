"""Products made by Beam: what a pipeline is given and may give, and what is said when it fails."""

from __future__ import annotations

import logging
import re
import textwrap
from pathlib import Path

import pytest

from shared_resources.data_products.function import ProductProblem, data_product
from shared_resources.mesh import read_mesh
from tests.guarantees.orders import COLUMNS, KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

LARGE = "sales/large"
HEAD = """
    from typing import Any
    import apache_beam as beam
    import pyarrow as pa
    import pyarrow.compute as pc
    from apache_beam.metrics import Metrics
    from shared_resources import MakingContext, Produced, data_product, product_input

    @data_product(engine="beam", orders={given})
"""
TABLES = """
    def large(orders: beam.PCollection[pa.Table]):
        return orders | "the large ones" >> beam.Map(lambda t: t.filter(pc.field("amount") > 2))
"""
ROWS = """
    kept, dropped = Metrics.counter("sales", "kept"), Metrics.counter("sales", "dropped")

    def check(row):
        (kept if row["amount"] > 2 else dropped).inc()
        Metrics.distribution("sales", "amounts").update(int(row["amount"]))
        if row["amount"] > 2:
            yield row
"""


def code(body: str, given: str = f'"{KEY}"', before: str = "") -> str:
    head = textwrap.dedent(HEAD.format(given=given))
    imports, decorator = head.split("@data_product")
    parts = (imports, textwrap.dedent(before), f"@data_product{decorator.rstrip()}")
    return "\n".join((*parts, textwrap.dedent(body).lstrip()))


@pytest.fixture
def sales(mesh: TinyMesh) -> TinyMesh:
    orders_product(mesh)
    land_orders(mesh, [1.5, 2.5, 3.5])
    assert mesh.run(KEY).success
    return mesh


def write(mesh: TinyMesh, text: str, columns: list[dict[str, object]] | None = None) -> None:
    mesh.product(LARGE, contract_text(LARGE, columns or COLUMNS), text)


def amounts(mesh: TinyMesh) -> list[float]:
    return sorted(row["amount"] for row in mesh.rows(LARGE))


def refused(mesh: TinyMesh, text: str) -> str:
    write(mesh, text)
    result = mesh.run(LARGE)
    assert not result.success and mesh.versions(LARGE) == []
    said = failures(result)
    assert "apache_beam/" not in said and "Traceback" not in said
    return said


def test_a_pipeline_of_tables_is_audited_and_published_and_leaves_nothing(sales: TinyMesh) -> None:
    write(sales, code(TABLES))
    folder = read_mesh(sales.environment.root).product(LARGE)
    assert folder is not None and [one.key for one in folder.inputs] == [KEY]
    result = sales.run(LARGE)
    assert result.success, failures(result)
    assert amounts(sales) == [2.5, 3.5]
    (version,) = sales.versions(LARGE)
    assert KEY in str(dict(version.properties))
    assert not list(sales.environment.home.rglob("*.arrows"))
    (event,) = result.asset_materializations_for_node("sales__large")
    assert event.metadata["beam runner"].value == "FnApiRunner"


def test_rows_counters_and_distributions(sales: TinyMesh) -> None:
    body = """
    def large(orders: beam.PCollection[dict[str, Any]], context: MakingContext):
        assert context.product == "sales/large"
        made = orders | "check" >> beam.FlatMap(check)
        return Produced(made, {"shown": 7})
    """
    write(sales, code(body, before=ROWS))
    result = sales.run(LARGE)
    assert result.success, failures(result)
    assert amounts(sales) == [2.5, 3.5]
    (event,) = result.asset_materializations_for_node("sales__large")
    shown = {name: value.value for name, value in event.metadata.items()}
    assert (shown["beam kept"], shown["beam dropped"], shown["shown"]) == (2, 1, 7)
    assert shown["beam amounts"] == {"count": 3, "sum": 6, "min": 1, "max": 3}


def test_batches_named_tuples_and_an_empty_pipeline(sales: TinyMesh) -> None:
    body = """
    def large(orders: beam.PCollection[pa.RecordBatch]):
        return orders | beam.FlatMap(lambda batch: [beam.Row(**one) for one in batch.to_pylist()])
    """
    write(sales, code(body))
    assert sales.run(LARGE).success
    assert amounts(sales) == [1.5, 2.5, 3.5]
    write(sales, code(TABLES.replace("> 2", "> 200")))
    assert "the batch is empty" in failures(sales.run(LARGE))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            """
    def large(orders):
        return orders | "look closely" >> beam.Map(lambda table: 1 / 0)
    """,
            r"failed in the transform 'look closely': ZeroDivisionError \(.*product\.py:\d+\)",
        ),
        (
            """
    def large(orders: beam.PCollection[dict]):
        return orders | beam.Map(lambda row: {**row, "amount": 1 if row["amount"] > 2 else "x"})
    """,
            r"column 'amount'",
        ),
        (
            """
    def large(orders: beam.PCollection[dict]):
        return orders | beam.Map(lambda row: row if row["amount"] > 2 else {"amount": 1.0})
    """,
            r"some rows have the column '\w+' and others lack it",
        ),
        (
            """
    def large(orders):
        return orders | beam.Map(lambda table: table.num_rows)
    """,
            r"the pipeline gives a int; give Arrow tables",
        ),
        ("def large(orders):\n    return None\n", r"returned None; with engine='beam' it returns"),
        (
            "def large(orders):\n    return beam.Pipeline() | beam.Create([1])\n",
            r"returned a PCollection; with engine",
        ),
        ("def large(orders: int):\n    return orders\n", r"orders is annotated with .*int"),
        ("def large(orders):\n    return orders | beam.Mapp(1)\n", r"Mapp"),
    ],
    ids=["raises", "mixed", "lacking", "numbers", "none", "foreign", "annotation", "construction"],
)
def test_what_fails_is_one_message_with_the_authors_line(
    sales: TinyMesh, body: str, said: str
) -> None:
    assert re.search(said, refused(sales, code(body)))


def test_a_column_of_another_type_breaks_the_rule_of_columns(sales: TinyMesh) -> None:
    body = """
    def large(orders: beam.PCollection[dict]):
        return orders | beam.Map(lambda row: {**row, "amount": f"about {row['amount']}"})
    """
    write(sales, code(body))
    result = sales.run(LARGE)
    assert not result.success and sales.versions(LARGE) == []
    assert "amount" in failures(result)


def test_classified_values_of_a_failed_transform_are_withheld(
    sales: TinyMesh, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    columns = [dict(one) for one in COLUMNS]
    columns[-1]["classification"] = "restricted"
    look = """
    def look(row):
        raise ValueError("bad " + str(int(row["amount"] * 31000)))
    """
    body = """
    def large(orders: beam.PCollection[dict]):
        return orders | "look closely" >> beam.Map(look)
    """
    write(sales, code(body, before=look), columns)
    with caplog.at_level(logging.DEBUG):
        said = failures(sales.run(LARGE))
    assert "'look closely'" in said and "ValueError" in said and "product.py:" in said
    everything = said + caplog.text + "".join(capfd.readouterr())
    assert not re.search("46500|77500|108500", everything)


def test_only_what_is_granted_is_written_for_the_workers(sales: TinyMesh) -> None:
    """A granted input's files hold its columns alone; an input that is seen whole is read in place."""
    from shared_resources.data_products.beam.input_files import input_files
    from shared_resources.stores.opening import open_product

    snapshot = open_product(sales.environment, KEY)
    scratch = sales.environment.home / "scratch"
    own = input_files(snapshot, None, None, scratch)
    assert {Path(path) for path, _, _ in own.pieces} == {*snapshot.paths()} and not scratch.exists()
    copied = input_files(snapshot, ["amount"], None, scratch, copied=True)
    assert copied.schema.names == ["amount"] and len(list(scratch.iterdir())) == 1
    with pytest.raises(KeyError, match="has no column nothing"):
        input_files(snapshot, ["nothing"], None, scratch)


def test_an_engine_that_there_is_not_is_refused_when_it_is_read_and_when_it_is_loaded(
    sales: TinyMesh,
) -> None:
    with pytest.raises(ProductProblem, match="engine says what carries the function out, 'beam'"):
        data_product(engine="spark", a="order/orders")
    write(sales, code(TABLES).replace('engine="beam"', 'engine="spark"'))
    folder = read_mesh(sales.environment.root).product(LARGE)
    assert folder is not None
    assert "names the engine 'spark'" in failures(sales.run(LARGE))


def test_a_domain_without_beam_is_told_how_to_install_it(
    sales: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    from shared_resources.data_products.beam import importing

    monkeypatch.setattr(importing, "MODULE", "apache_beam_that_is_not_there")
    text = code(TABLES, before="# apache_beam_that_is_not_there")
    assert "pip install 'dagster-data-mesh[beam]'" in refused(sales, text)


def test_columns_that_are_asked_for_are_those_that_are_read(sales: TinyMesh) -> None:
    given = f'product_input("{KEY}", columns=["amount"])'
    body = """
    def large(orders: beam.PCollection[pa.Table]):
        return orders
    """
    mesh = sales
    mesh.product(LARGE, contract_text(LARGE, [column("amount", "DOUBLE")]), code(body, given))
    result = mesh.run(LARGE)
    assert result.success, failures(result)
    assert [set(row) for row in mesh.rows(LARGE)] == [{"amount"}] * 3
