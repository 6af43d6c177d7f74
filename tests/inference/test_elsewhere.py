"""Data that lies elsewhere: objects on S3 and tables of databases, over their own protocols."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from shared_resources.contracts.model import Classification
from shared_resources.inference.infer import infer_objects, infer_table
from shared_resources.inference.inferred import Inferred, NotInferable
from shared_resources.wiring import ProductionEnvironment
from tests.stand_ins.postgres import Postgres

TABLE = """
create table {place}orders (
    store integer not null, receipt integer not null, email varchar(50), placed_at timestamp,
    amount numeric(10, 2) not null, ok boolean, raw {bytes}, primary key (store, receipt)
)
"""
ROWS = [
    (n % 3, n, f"u{n}@example.com", "2024-01-31 10:00:00", f"{n}.25", bool(n % 2), b"x")
    for n in range(50)
]


def told(found: Inferred) -> dict[str, tuple[str, bool]]:
    return {one.name: (str(one.type), one.required) for one in found.columns}


WANTED = {
    "store": ("BIGINT", True),
    "receipt": ("BIGINT", True),
    "email": ("VARCHAR", False),
    "placed_at": ("TIMESTAMP", False),
    "amount": ("DECIMAL(10,2)", True),
    "ok": ("BOOLEAN", False),
}


def as_the_database_says(found: Inferred) -> None:
    assert found.rows == 50 and found.key == ("store", "receipt")
    assert told(found) == WANTED
    assert found.columns[2].classification is Classification.CONFIDENTIAL
    assert found.landing is not None and found.landing["format"] == "parquet"
    assert any("'raw' holds" in said and "left out" in said for said in found.to_confirm)
    assert not any("primary key" in said for said in found.to_confirm)
    assert any("its primary key in the database is (store, receipt)" in e for e in found.evidence)


@pytest.fixture
def sqlite(tmp_path: Path) -> Path:
    file = tmp_path / "shop.db"
    with sqlite3.connect(file) as connection:
        connection.execute(TABLE.format(place="", bytes="blob"))
        connection.executemany("insert into orders values (?, ?, ?, ?, ?, ?, ?)", ROWS)
        connection.execute("create table crooked (day date, n integer)")
        connection.execute("insert into crooked values ('2024-01-31', 'many')")
        connection.execute("create table empty (n integer)")
    return file


def test_a_table_of_sqlite(sqlite: Path) -> None:
    as_the_database_says(infer_table(f"sqlite:///{sqlite}#orders"))


def test_a_table_of_postgres_in_its_schema(postgres: Postgres) -> None:
    address = postgres.fresh()
    engine = sa.create_engine(address.replace("postgresql://", "postgresql+psycopg2://"))
    with engine.begin() as connection:
        connection.execute(sa.text("create schema shop"))
        connection.execute(sa.text(TABLE.format(place="shop.", bytes="bytea")))
        names = ("store", "receipt", "email", "placed_at", "amount", "ok", "raw")
        listed = ", ".join(f":{name}" for name in names)
        rows = [dict(zip(names, row, strict=True)) for row in ROWS]
        connection.execute(sa.text(f"insert into shop.orders values ({listed})"), rows)
    engine.dispose()
    as_the_database_says(infer_table(f"{address}#shop.orders"))


def test_a_table_whose_columns_are_called_as_no_column_can_be(sqlite: Path) -> None:
    with sqlite3.connect(sqlite) as connection:
        connection.execute('create table crates ("Order No" integer primary key, "Größe" real)')
        connection.execute("insert into crates values (1, 0.5), (2, null)")
    found = infer_table(f"sqlite:///{sqlite}#crates")
    assert [(one.name, one.landed_as) for one in found.columns] == [
        ("order_no", "Order No"),
        ("grosse", "Größe"),
    ]
    assert found.key == ("order_no",)


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("sqlite:///{file}", "is written DIALECT"),
        ("sqlite:///{file}#nothing", "there is no such table"),
        ("sqlite:///{file}#empty", "holds no rows"),
        ("sqlite:///{file}#crooked", "column 'n': holds what is no int64"),
        ("nonsense://host/x#t", "cannot be used"),
        ("postgresql://me:hush@127.0.0.1:1/shop#t", "table t of postgresql shop: cannot be read"),
    ],
)
def test_what_cannot_be_read_says_why_and_shows_no_login(
    sqlite: Path, place: str, why: str
) -> None:
    with pytest.raises(NotInferable, match=why) as refused:
        infer_table(place.format(file=sqlite))
    assert "hush" not in str(refused.value)


def test_an_object_and_what_lies_below_a_prefix(
    production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, bucket = production.settings.s3(), production.settings.landing.bucket
    for day in ("2024-01-31", "2024-02-01"):
        text = f"id,day\n1,{day}\n2,{day}\n"
        client.put_object(Bucket=bucket, Key=f"extracts/{day}.csv", Body=text.encode())
    client.put_object(Bucket=bucket, Key="extracts/old/2023-01-01.csv", Body=b"x\n1\n")
    one = infer_objects(f"s3://{bucket}/extracts/2024-01-31.csv")
    assert one.rows == 2 and one.source == f"s3://{bucket}/extracts/2024-01-31.csv"
    both = infer_objects(f"s3://{bucket}/extracts")
    assert both.rows == 4 and both.key == ("id", "day")
    assert both.landing is not None and both.landing["object"] == "{partition}.csv"
    with pytest.raises(NotInferable, match="no such object"):
        infer_objects(f"s3://{bucket}/extracts/2025-01-01.csv")
