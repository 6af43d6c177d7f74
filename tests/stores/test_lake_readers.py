"""Engines that know nothing of this project read the tables on S3: pyiceberg alone, and DuckDB.

Belongs here: what Glue and the bucket show to others. Nothing here reads through the store, and
S3 is read by the readers' own client. Does not belong here: the protocol (`test_conformance.py`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import boto3
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.glue import GlueCatalog
from pyiceberg.expressions import GreaterThanOrEqual
from pyiceberg.table import Table

from shared_resources.stores.protocol import ProductStore
from tests.stores.conftest import Places
from tests.stores.places import Place
from tests.stores.products import FLOAT, INT, LONG, TEXT, WHY, contract, day, publish, rows

SALES = contract()
DAILY = contract(partitioned=True)


@pytest.fixture
def place(places: Places) -> Place:
    return places("lake-s3")


@pytest.fixture
def store(place: Place) -> ProductStore:
    return place.open()


def read(place: Place, name: str = "sales") -> Table:
    """The table as pyiceberg finds it with nothing but the endpoint and the credentials."""
    variables = place.variables
    catalog = load_catalog(
        "anybody",
        **{
            "type": "glue",
            "glue.endpoint": variables["AWS_ENDPOINT_URL"],
            "s3.endpoint": variables["AWS_ENDPOINT_URL"],
            "client.region": variables["AWS_DEFAULT_REGION"],
            "client.access-key-id": variables["AWS_ACCESS_KEY_ID"],
            "client.secret-access-key": variables["AWS_SECRET_ACCESS_KEY"],
        },
    )
    assert type(catalog) is GlueCatalog
    table = catalog.load_table((f"{variables['MESH_GLUE_PREFIX']}order", name))
    assert type(table.io).__module__.startswith("pyiceberg.")
    return table


def in_glue(place: Place) -> Any:
    return boto3.client("glue").get_table(
        DatabaseName=f"{place.variables['MESH_GLUE_PREFIX']}order", Name="sales"
    )["Table"]


def test_the_current_rows_and_an_older_versions(place: Place, store: ProductStore) -> None:
    publish(store, SALES, "b1", [1, 2])
    publish(store, SALES, "b2", [3])
    table = read(place)
    assert table.scan().to_arrow() == rows(SALES, [3])
    tagged = table.refs()["v1"].snapshot_id
    assert table.scan(snapshot_id=tagged).to_arrow().sort_by("id") == rows(SALES, [1, 2])
    store.rollback(SALES, 1, WHY, batch_id="r1")
    assert read(place).scan().to_arrow().sort_by("id") == rows(SALES, [1, 2])


def test_a_filter_prunes_partitions(place: Place, store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(number): [number] for number in range(5)})
    publish(store, DAILY, "b2", {day(4): [40]})
    scan = read(place).scan(row_filter=GreaterThanOrEqual("at", f"{day(3)}T00:00:00"))
    assert len(list(scan.plan_files())) == 2
    assert sorted(scan.to_arrow()["id"].to_pylist()) == [3, 40]


def test_files_of_older_schemas_are_read_with_todays(place: Place, store: ProductStore) -> None:
    narrow = contract(("id", INT), ("amount", FLOAT), partitioned=True)
    publish(store, narrow, "b1", {day(0): [1], day(1): [2]})
    wider = contract(("id", LONG), ("extra", TEXT), ("amount", FLOAT), partitioned=True)
    publish(store, wider, "b2", {day(1): [3]})
    found = read(place).scan().to_arrow().sort_by("id")
    assert found["id"].to_pylist() == [1, 3]
    assert found.schema.field("id").type == pa.int64()
    assert found["extra"].to_pylist() == [None, "row 3"]
    first = read(place).scan(snapshot_id=read(place).refs()["v1"].snapshot_id).to_arrow()
    assert first.schema.names == ["id", "amount", "at"]


def test_a_column_that_changed_its_type_is_never_read_from_old_files(
    place: Place, store: ProductStore
) -> None:
    publish(store, SALES, "b1", [1])
    publish(store, contract(("id", TEXT), ("amount", FLOAT), version="2.0.0"), "b2", [2])
    table = read(place)
    assert table.scan().to_arrow()["id"].to_pylist() == ["row 2"]
    old = table.scan(snapshot_id=table.refs()["v1"].snapshot_id).to_arrow()
    assert old["id"].to_pylist() == [1]


def test_every_file_carries_the_tables_field_ids(place: Place, store: ProductStore) -> None:
    """So that every engine finds its columns, also those of older schemas."""
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    wider = contract(("extra", TEXT), *((c.name, c.type) for c in DAILY.columns), partitioned=True)
    publish(store, wider, "b2", {day(1): [2]})
    table = read(place)
    wanted = {field.name: field.field_id for field in table.schema().fields}
    assert wanted["extra"] == 5
    for task in table.scan().plan_files():
        with table.io.new_input(task.file.file_path).open() as file:
            held = pq.ParquetFile(pa.PythonFile(file)).schema_arrow
        ids = {field.name: int(field.metadata[b"PARQUET:field_id"]) for field in held}
        assert ids.items() <= wanted.items()
    mapping = json.loads(table.properties["schema.name-mapping.default"])
    assert {name: e["field-id"] for e in mapping for name in e["names"]} == wanted


def test_duckdb_joins_two_products_without_the_store(place: Place, store: ProductStore) -> None:
    """From the files that Iceberg's metadata names, as Arrow streams."""
    publish(store, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    other = contract(name="stores")
    publish(store, other, "b1", [2, 3, 4])
    with duckdb.connect() as connection:
        connection.register("sales", read(place).scan().to_arrow_batch_reader())
        connection.register("stores", read(place, "stores").scan().to_arrow_batch_reader())
        joined = connection.sql('SELECT id, "at" FROM sales JOIN stores USING (id) ORDER BY id')
        assert joined.fetchall() == [
            (2, datetime.fromisoformat(day(0)).replace(second=2)),
            (3, datetime.fromisoformat(day(1)).replace(second=3)),
        ]


def test_glue_says_what_athena_looks_for(place: Place, store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1]})
    publish(store, DAILY, "b2", {day(0): [2]})
    found, table = in_glue(place), read(place)
    assert found["TableType"] == "EXTERNAL_TABLE"
    assert found["Parameters"]["table_type"] == "ICEBERG"
    assert found["Parameters"]["metadata_location"] == table.metadata_location
    assert found["Parameters"]["previous_metadata_location"].endswith(".metadata.json")
    assert found["StorageDescriptor"]["Location"] == table.location()
    columns = found["StorageDescriptor"]["Columns"]
    assert [(column["Name"], column["Type"]) for column in columns] == [
        ("id", "bigint"),
        ("label", "string"),
        ("amount", "double"),
        ("at", "timestamp"),
    ]
    assert [column["Comment"] for column in columns] == [c.description for c in DAILY.columns]


def test_long_descriptions_are_shortened_for_glue_alone(place: Place, store: ProductStore) -> None:
    """Glue refuses more than 255 characters, and several lines, in a column's comment."""
    text = "first line\n" + "word " * 100
    first, *others = SALES.columns
    described = replace(SALES, columns=(replace(first, description=text), *others))
    publish(store, described, "b1", [1])
    comment = in_glue(place)["StorageDescriptor"]["Columns"][0]["Comment"]
    assert len(comment) <= 255
    assert comment.startswith("first line word word")
    assert read(place).schema().find_field("id").doc == text


def test_a_writer_that_knows_nothing_of_us_loses_nothing_of_ours(
    place: Place, store: ProductStore
) -> None:
    """What it appends reaches no reader of the mesh, and the next publish goes on."""
    publish(store, SALES, "b1", [1])
    read(place).append(rows(SALES, [666]))
    assert store.open(SALES.key).batches(["id"]).read_all()["id"].to_pylist() == [1]
    publish(store, SALES, "b2", [2], append=True)
    assert sorted(read(place).scan().to_arrow()["id"].to_pylist()) == [1, 2]
