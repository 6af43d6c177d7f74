"""`mesh test`: a product is made and audited as a run would, and nothing of it stays."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text

DAYS = ("2024-01-01", "2024-01-02")
PARTITIONS = {"cadence": "daily", "column": "day", "start": "2024-01-01"}
LINES = [
    column("line_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount", "DOUBLE", logicalTypeOptions={"minimum": 0}),
]
DOUBLED = """
    import polars as pl
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def doubled(lines: pl.LazyFrame) -> pl.LazyFrame:
        return lines.with_columns(amount=pl.col("amount") * {factor})
"""


def land(prefix: str, mode: str = "replace", object_: str = "*.csv") -> dict[str, object]:
    return {"prefix": prefix, "format": "csv", "mode": mode, "object": object_}


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    """Lines that landed and are published, and a function of them that is."""
    landing = {"landing": land("order/lines")}
    mesh.product("order/lines", contract_text("order/lines", LINES, properties=landing))
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n2,20\n3,30\n")
    mesh.product("order/doubled", contract_text("order/doubled", LINES), DOUBLED.format(factor=2))
    assert mesh.run("order/lines").success and mesh.run("order/doubled").success
    return mesh


def everything(mesh: TinyMesh) -> dict[str, bytes]:
    """All state of the mesh but what only spares work, who read what, and SQLite's own."""
    left_out = ("access", "compiled", "dbt", "locks", "scratch")
    files = (file for file in mesh.environment.home.rglob("*") if file.is_file())
    return {
        str(file): file.read_bytes()
        for file in files
        if file.relative_to(mesh.environment.home).parts[0] not in left_out
        and not file.name.endswith(("-wal", "-shm"))
    }


def test_what_would_change_is_shown_by_column_and_nothing_does(shop: TinyMesh) -> None:
    before = everything(shop)
    shop.product("order/doubled", contract_text("order/doubled", LINES), DOUBLED.format(factor=3))
    told = call("test", "order/doubled", "--json")
    assert told.code == 0, told.err
    assert told.json["changes"] == {
        "version": 1,
        "added": 0,
        "gone": 0,
        "changed": 3,
        "columns": {"amount": 3},
        "new_columns": [],
        "gone_columns": [],
        "retyped_columns": [],
    }
    assert told.json["publishable"] == 3
    assert everything(shop) == before
    assert shop.rows("order/doubled")[0]["amount"] == 20


def test_an_ingest_reads_what_landed_and_takes_note_of_nothing(shop: TinyMesh) -> None:
    shop.land("order/lines/2.csv", "line_id,amount\n1,10\n2,25\n4,40\n")
    before = everything(shop)
    told = call("test", "order/lines")
    assert told.code == 0, told.err
    assert "against version 1: 1 rows added, 1 gone, 1 changed" in told.out
    assert "amount: 1 rows have another value" in told.out
    assert "3 rows would be published; nothing was" in told.out
    assert everything(shop) == before
    assert shop.run("order/lines").success
    assert [row["line_id"] for row in shop.rows("order/lines")] == [1, 2, 4]


def test_what_would_be_refused_ends_with_1_and_leaves_no_quarantine(shop: TinyMesh) -> None:
    shop.product("order/doubled", contract_text("order/doubled", LINES), DOUBLED.format(factor=-1))
    before = everything(shop)
    told = call("test", "order/doubled")
    assert told.code == 1
    assert "range_amount" in told.out and "FAILED" in told.out
    assert "order/doubled: would be refused; nothing was" in told.out
    assert everything(shop) == before


def test_a_sample_is_read_in_the_place_of_whole_inputs(shop: TinyMesh) -> None:
    told = call("test", "order/doubled", "--sample", 2)
    assert told.code == 0, told.err
    assert "2 rows would be published" in told.out
    assert "0 rows added, 1 gone, 0 changed (of a sample)" in told.out


def test_a_sample_has_the_columns_that_are_published(shop: TinyMesh) -> None:
    more = [*LINES, column("extra", "VARCHAR")]
    landing = {"landing": land("order/lines")}
    shop.product("order/lines", contract_text("order/lines", more, properties=landing))
    told = call("test", "order/doubled", "--sample", 2)
    assert told.code == 0 and "2 rows would be published" in told.out, told.err


def test_a_product_that_becomes_daily_is_compared_as_a_whole(shop: TinyMesh) -> None:
    daily = [*LINES, column("day", "DATE", required=True)]
    text = contract_text("order/doubled", daily, properties={"partitions": PARTITIONS})
    code = DOUBLED.format(factor=2).replace("* 2)", "* 2, day=pl.date(2024, 1, 1))")
    shop.product("order/doubled", text, code)
    told = call("test", "order/doubled", "--day", DAYS[0], "--day", DAYS[0], "--json")
    assert told.code == 0, told.err
    assert told.json["partitions"] == [DAYS[0]]
    assert told.json["changes"]["new_columns"] == ["day"]
    assert told.json["changes"]["changed"] == 0


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_a_file_stands_in_the_place_of_an_input(
    shop: TinyMesh, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / f"mine.{ending}"
    if ending == "parquet":
        pq.write_table(pa.table({"line_id": [7], "amount": [1.5]}), file)
    else:
        texts = {"csv": "line_id,amount\n7,1.5\n", "jsonl": '{"line_id": 7, "amount": 1.5}\n'}
        file.write_text(texts[ending])
    told = call("test", "order/doubled", "--input", f"order/lines={file}", "--json")
    assert told.code == 0, told.err
    assert told.json["changes"]["added"] == 1 and told.json["changes"]["gone"] == 3


def test_without_a_key_a_changed_row_is_one_gone_and_one_added(shop: TinyMesh) -> None:
    plain = [column("line_id"), column("amount", "DOUBLE")]
    shop.product("order/plain", contract_text("order/plain", plain), DOUBLED.format(factor=1))
    assert shop.run("order/plain").success
    shop.product("order/plain", contract_text("order/plain", plain), DOUBLED.format(factor=2))
    told = call("test", "order/plain", "--json")
    assert (told.json["changes"]["added"], told.json["changes"]["gone"]) == (3, 3)


def test_a_column_that_is_new_is_named(shop: TinyMesh) -> None:
    more = [*LINES, column("currency", "VARCHAR")]
    code = DOUBLED.format(factor=2).replace("* 2)", '* 2, currency=pl.lit("EUR"))')
    shop.product("order/doubled", contract_text("order/doubled", more, version="1.1.0"), code)
    told = call("test", "order/doubled")
    assert told.code == 0, told.err
    assert "0 rows added, 0 gone, 0 changed" in told.out and "new columns: currency" in told.out


def test_columns_of_another_type_are_named_and_not_compared(shop: TinyMesh) -> None:
    other = [LINES[0], column("amount", "VARCHAR")]
    code = DOUBLED.format(factor=2).replace("* 2)", '.cast(pl.String) + "x")').replace(") * 2", ")")
    code = code.replace('pl.col("amount") .cast', 'pl.col("amount").cast')
    shop.product("order/doubled", contract_text("order/doubled", other, version="2.0.0"), code)
    told = call("test", "order/doubled")
    assert told.code == 0, told.err
    assert "0 rows added, 0 gone, 0 changed" in told.out
    assert "columns of another type: amount" in told.out


def test_of_a_daily_product_the_newest_day_is_made_or_the_one_that_is_asked_for(
    mesh: TinyMesh,
) -> None:
    columns = [column("line_id", required=True), column("day", "DATE", required=True)]
    landing = land("order/daily", "partition", "{partition}.csv")
    text = contract_text(
        "order/daily", columns, properties={"landing": landing, "partitions": PARTITIONS}
    )
    mesh.product("order/daily", text)
    for number, day in enumerate(DAYS):
        mesh.land(f"order/daily/{day}.csv", f"line_id,day\n{number},{day}\n")
    told = call("test", "order/daily", "--json")
    assert told.code == 0, told.err
    assert told.json["partitions"] == [DAYS[1]] and told.json["changes"] is None
    assert mesh.run("order/daily", partitions=DAYS).success
    mesh.land(f"order/daily/{DAYS[0]}.csv", f"line_id,day\n5,{DAYS[0]}\n6,{DAYS[0]}\n")
    told = call("test", "order/daily", "--day", DAYS[0])
    assert "against version" in told.out and "2 rows added, 1 gone" in told.out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("order/line",), "did you mean order/lines"),
        (("order/doubled", "--input", "order/lines"), "write PRODUCT=FILE"),
        (("order/doubled", "--input", "order/lines=nowhere.csv"), "of a file that is there"),
        (("order/doubled", "--input", "order/other={file}"), "the product reads order/lines"),
        (("order/doubled", "--input", "order/lines={file}"), "line 2, column 'amount'"),
        (("order/doubled", "--day", "2024-01-01"), "has no days"),
        (("order/doubled", "--day", "yesterday"), "is no day"),
        (("order/doubled", "--sample", "0"), "x>=1"),
        (("order/lines", "--sample", "5"), "of which no sample is read"),
        (("order/unmade",), "order/lines2"),
    ],
)
def test_wrong_use_ends_with_2_and_says_what_to_do(
    shop: TinyMesh, tmp_path: Path, words: tuple[str, ...], why: str
) -> None:
    file = tmp_path / "bad.csv"
    file.write_text("line_id,amount\n1,much\n")
    code = DOUBLED.format(factor=1).replace("order/lines", "order/lines2")
    landing = {"landing": land("order/lines2")}
    shop.product("order/lines2", contract_text("order/lines2", LINES, properties=landing))
    shop.product("order/unmade", contract_text("order/unmade", LINES), code)
    told = call("test", *(word.format(file=file) for word in words))
    assert told.code in (1, 2) and why in told.err
    assert "Traceback" not in told.err


def test_a_stopped_product_says_what_stops_it(shop: TinyMesh) -> None:
    text = contract_text("order/doubled", LINES).replace("order@example.com", "nobody@example.com")
    shop.product("order/doubled", text, DOUBLED.format(factor=1))
    told = call("test", "order/doubled")
    assert told.code != 0 and "nobody@example.com" in told.err


def test_in_production_published_inputs_are_read_and_nothing_is_written(
    production_mesh: TinyMesh,
) -> None:
    mesh = production_mesh
    landing = {"landing": land("order/lines")}
    mesh.product("order/lines", contract_text("order/lines", LINES, properties=landing))
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n2,20\n")
    text = contract_text("order/doubled", LINES, servers=("lake", "warehouse"))
    mesh.product("order/doubled", text, DOUBLED.format(factor=2))
    assert mesh.run("order/lines").success and mesh.run("order/doubled").success
    mesh.product("order/doubled", text, DOUBLED.format(factor=-2))
    told = call("test", "order/doubled", "--json")
    assert told.code == 1 and told.json["refused"], told.err
    mesh.land("order/lines/2.csv", "line_id,amount\n1,11\n")
    told = call("test", "order/lines")
    assert told.code == 0 and "0 rows added, 1 gone, 1 changed" in told.out, told.err
    stores = mesh.environment.stores.values()
    assert [len(store.versions("order/doubled")) for store in stores] == [1, 1]
    assert mesh.environment.quarantine.list("order/doubled") == []
