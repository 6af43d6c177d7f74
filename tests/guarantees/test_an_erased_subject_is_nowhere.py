"""An erased subject is nowhere: a thousand of them, in every place, looked for byte by byte and value by
value; and everybody else is still there, and still proven."""

from __future__ import annotations

import json
import shutil
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import boto3
import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.branching.branches import create
from shared_resources.wiring import existing_branch
from tests.branching.shop import working_in
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh, column, contract_text, custom

PEOPLE, ORDERS, TOTALS, NOTES = "shop/people", "shop/orders", "shop/totals", "shop/notes"
ERASED = [f"Q{number:05d}zx" for number in range(1_000)]
KEPT = [f"K{number:05d}zx" for number in range(200)]
KEY = column("person", "VARCHAR", required=True, customProperties=custom(subject="customer"))


def landing(key: str, format_: str, object_: str) -> dict[str, str]:
    return {"prefix": key, "format": format_, "object": object_}


def people_file(who: list[str], more: str = "") -> str:
    lines = [f'{one},"said ""{one}"", twice\n{one}",{n}' for n, one in enumerate(who)]
    return "\n".join(["person,remark,age", *lines, more]).rstrip("\n") + "\n"


def orders_file(who: list[str]) -> str:
    return "".join(json.dumps({"person": one, "amount": n}) + "\n" for n, one in enumerate(who))


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    mesh.central(lossBudgetPercent=90)
    age = column("age", logicalTypeOptions={"minimum": 0, "maximum": 100_000})
    stores = ("lake", "warehouse")
    mesh.product(
        PEOPLE,
        contract_text(
            PEOPLE,
            [KEY, column("remark", "VARCHAR"), age],
            servers=stores,
            properties={"landing": landing(PEOPLE, "csv", "*.csv"), "lossBudgetPercent": 90},
        ),
    )
    mesh.product(
        ORDERS,
        contract_text(
            ORDERS,
            [KEY, column("amount")],
            servers=("warehouse",),
            properties={"landing": landing(ORDERS, "jsonl", "*.jsonl")},
        ),
    )
    mesh.product(
        NOTES,
        contract_text(
            NOTES,
            [KEY, column("note", "VARCHAR")],
            properties={"landing": landing(NOTES, "parquet", "*.parquet")},
        ),
    )
    mesh.product(
        TOTALS,
        contract_text(TOTALS, [column("orders")]),
        """
        import pandas as pd
        from shared_resources import data_product

        @data_product(orders="shop/orders")
        def totals(orders: pd.DataFrame) -> pd.DataFrame:
            return pd.DataFrame({"orders": [len(orders)]})
        """,
    )
    publish_twice(mesh)
    return mesh


def publish_twice(mesh: TinyMesh) -> None:
    """Versions that hold them and versions that do not, rejected rows, a refused object, logs."""
    mesh.land(f"{PEOPLE}/2024-01-01.csv", people_file([*ERASED, *KEPT], f"{ERASED[0]},x,old"))
    made(mesh, PEOPLE)
    mesh.land(f"{PEOPLE}/2024-01-02.csv", people_file([*KEPT, *ERASED[:500]], f"{ERASED[1]},,-5"))
    made(mesh, PEOPLE)
    mesh.land(f"{ORDERS}/a.jsonl", orders_file([*ERASED[200:900], *KEPT]))
    made(mesh, ORDERS)
    mesh.land(f"{ORDERS}/b.jsonl", orders_file(KEPT))
    made(mesh, ORDERS)
    mesh.land(f"{ORDERS}/broken.jsonl", f'{{"person": "{ERASED[3]}", \n' + orders_file(KEPT[:1]))
    mesh.run(ORDERS)
    table = pa.table(
        {"person": [*ERASED, *KEPT], "note": [f"of {one}" for one in (*ERASED, *KEPT)]}
    )
    mesh.land(f"{NOTES}/n.parquet", table)
    made(mesh, NOTES)
    made(mesh, TOTALS)
    home = mesh.environment.home
    log = home / "access" / "log" / "2024-01-01"
    log.mkdir(parents=True)
    (log / "1.jsonl").write_text(json.dumps({"id": "1", "purpose": f"about {ERASED[5]}"}) + "\n")
    with closing(sqlite3.connect(home / "events.db")) as events, events:
        events.execute("CREATE TABLE event (body TEXT)")
        events.executemany("INSERT INTO event VALUES (?)", [(f"printed {one}",) for one in ERASED])
        events.execute("DELETE FROM event WHERE rowid % 2 = 0")
    create(mesh.environment, "try", "tests")
    with working_in(mesh, "try") as branch:
        made(branch, NOTES)


def made(mesh: TinyMesh, key: str) -> None:
    result = mesh.run(key)
    assert result.success or key == ORDERS, [str(e) for e in result.all_events if e.is_failure]


@pytest.mark.slow
def test_a_thousand_are_nowhere_and_everybody_else_is_proven(
    shop: TinyMesh, tmp_path: Path
) -> None:
    home = shop.environment.home
    assert len(found_below(home)) > 10
    before = {n: rows_of(shop, ORDERS, n) for n in (1, 2)}
    names = tmp_path / "them"
    names.write_text("\n".join(ERASED))
    planned = call("erase", "--subjects", names, "--dry-run", "--json")
    assert planned.code == 0 and len(found_below(home)) > 10
    erased = call("erase", "--subjects", names, "--reason", "request 88", "--json")
    assert erased.code == 0, erased
    (certificate,) = erased.json
    assert certificate["left"] == [] and certificate["derived"] == [TOTALS]
    assert found_below(home) == {}

    assert {n: rows_of(shop, ORDERS, n) for n in (1, 2)} == dict.fromkeys(before, KEPT)
    assert rows_of(shop, PEOPLE, 1) == KEPT and rows_of(shop, PEOPLE, 2) == KEPT
    assert rows_of(shop, NOTES) == KEPT
    with working_in(shop, "try") as branch:
        assert rows_of(branch, NOTES) == KEPT
    for key in (PEOPLE, ORDERS, NOTES, TOTALS):
        verified = call("evidence", key, "--verify")
        assert verified.code == 0, verified
        assert ("REDACTED" in verified.out) is (key != TOTALS)
    assert existing_branch(shop.environment, "try")


def rows_of(mesh: TinyMesh, key: str, number: int | None = None) -> list[str]:
    return sorted(row["person"] for row in mesh.rows(key, number))


# -- looking everywhere --------------------------------------------------------------------------


def found_below(folder: Path) -> dict[str, str]:
    """The first of them in each file that has any: in its bytes, or in a value that it holds."""
    found = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        for content in contents(path):
            hits = [one for one in ERASED if one.encode() in content] if b"zx" in content else []
            if hits:
                found[str(path)] = hits[0]
    return found


def contents(path: Path) -> Iterator[bytes]:
    yield path.read_bytes()
    match path.suffix:
        case ".parquet":
            yield from values(pq.read_table(path).to_pylist())
        case ".avro":
            yield from blocks(path.read_bytes())
        case ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                yield from values(connection.sql("SELECT * FROM data").fetchall())
    if path.read_bytes()[:15] == b"SQLite format 3":
        with closing(sqlite3.connect(path)) as connection:
            yield from values(list(connection.iterdump()))


def blocks(avro: bytes) -> Iterator[bytes]:
    """What the blocks of an Avro file hold: its sync marker ends each, a count and a size begin it."""
    for block in avro.split(avro[-16:])[1:-1]:
        for start in range(2, 12):
            with suppress(zlib.error):
                yield zlib.decompress(block[start:], -15)
                break
        else:
            raise AssertionError("a block of an Avro file is not understood")


def values(rows: list[object]) -> Iterator[bytes]:
    return (repr(row).encode() for row in rows)


@pytest.mark.slow
def test_nor_in_any_object_or_table_of_production(
    production_mesh: TinyMesh, tmp_path: Path
) -> None:
    """The stand-ins of S3, Glue and Snowflake: every object of every bucket, every table."""
    mesh, gone = production_mesh, ERASED[:20]
    mesh.central(lossBudgetPercent=90)
    age = column("age", logicalTypeOptions={"minimum": 0, "maximum": 100_000})
    properties = {"landing": landing(PEOPLE, "csv", "*.csv"), "lossBudgetPercent": 90}
    columns = [KEY, column("remark", "VARCHAR"), age]
    contract = contract_text(PEOPLE, columns, servers=("lake", "warehouse"), properties=properties)
    mesh.product(PEOPLE, contract)
    mesh.land(f"{PEOPLE}/2024-01-01.csv", people_file([*gone, *KEPT[:5]], f"{gone[0]},x,-5"))
    made(mesh, PEOPLE)
    mesh.land(f"{PEOPLE}/2024-01-02.csv", people_file(KEPT[:5]))
    made(mesh, PEOPLE)
    shutil.rmtree(mesh.environment.home / "sent")
    fetched = tmp_path / "fetched"
    assert found_below(everything(fetched / "before"))
    names = tmp_path / "them"
    names.write_text("\n".join(gone))
    erased = call("erase", "--subjects", names, "--json")
    (certificate,) = erased.json
    assert {one["place"] for one in certificate["places"]} >= {
        "landing",
        "quarantine",
        "lake",
        "warehouse",
    }
    assert found_below(everything(fetched / "after")) == {}
    assert found_below(mesh.environment.home) == {}
    for store in mesh.environment.stores.values():
        left = store.open(PEOPLE, 1).batches(["person"]).read_all()["person"].to_pylist()
        assert sorted(left) == KEPT[:5]
    assert call("evidence", PEOPLE, "--verify").code == 0


def everything(folder: Path) -> Path:
    """Every object of every bucket, below the folder."""
    client = boto3.client("s3")
    for bucket in client.list_buckets()["Buckets"]:
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"])
        for one in (one for page in pages for one in page.get("Contents", ())):
            file = folder / bucket["Name"] / one["Key"]
            file.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(bucket["Name"], one["Key"], str(file))
    return folder
