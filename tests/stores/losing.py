"""Losing what a store knows of its versions, or putting back what it knew earlier.

Belongs here: doing so to each kind of store, as an operator's accident would.
Does not belong here: what must follow from it (`test_lost_catalogs.py`).
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from shared_resources.production.checks import read_settings
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.protocol import ProductStore
from tests.stores.places import Place

Restore = Callable[[], None]
DOMAIN, NAME = "order", "sales"
KEY = f"{DOMAIN}/{NAME}"


def lose(place: Place) -> None:
    """What the store knows of order/sales is gone; what it published lies there."""
    match place.store:
        case "lake":
            for file in place.root.glob("catalog.db*"):
                file.unlink()
        case "warehouse":
            shutil.rmtree(place.root / DOMAIN / NAME / "versions")
        case "lake-s3":
            client, database = _glue(place)
            client.delete_table(DatabaseName=database, Name=NAME)
        case "snowflake":
            for table in ("heads", "versions"):
                _snowflake(place).session.execute(f'DROP TABLE "order__versions"."{table}"')


def lose_rows(place: Place, store: ProductStore) -> None:
    """And the rows of the version that the store does not know any more, its newest."""
    known = {path for version in store.versions(KEY) for path in _paths(store, version.number)}
    match place.store:
        case "lake" | "warehouse":
            for path in (place.root / DOMAIN / NAME / "data").rglob("*.*"):
                if path.suffix in (".parquet", ".duckdb") and path not in known:
                    path.unlink()
        case _:
            session, kept = _snowflake(place).session, {v.snapshot for v in store.versions(KEY)}
            found = session.query('SHOW TERSE TABLES IN SCHEMA "order__versions"')
            column = [name.lower() for name in found.columns].index("name")
            for row in found.rows:
                if row[column].startswith(f"{NAME}__") and row[column] not in kept:
                    session.execute(f'DROP TABLE "order__versions"."{row[column]}"')


def _paths(store: ProductStore, number: int) -> set[Path]:
    remote = isinstance(store, SnowflakeStore)
    return set() if remote else set(store.open(KEY, number).paths())


def forget_marks(place: Place) -> None:
    """As if the versions were of a release that left no mark and no spare copy of them."""
    match place.store:
        case "lake":
            for mark in (place.root / DOMAIN / NAME / "metadata").glob("*.committed"):
                mark.unlink()
        case "warehouse":
            shutil.rmtree(place.root / DOMAIN / NAME / "spare")
        case _:
            _snowflake(place).session.execute('DROP TABLE "mesh"."spares"')


def remember(place: Place) -> Restore:
    """Copy what the store knows now; the answer puts the copy back."""
    match place.store:
        case "lake":
            return _remember_catalog(place.root)
        case "warehouse":
            versions, copy = place.root / DOMAIN / NAME / "versions", place.root / "copy"
            shutil.copytree(versions, copy)

            def put_back() -> None:
                shutil.rmtree(versions)
                shutil.copytree(copy, versions)

            return put_back
        case "lake-s3":
            client, database = _glue(place)
            then = _table_input(client, database)
            return lambda: client.update_table(DatabaseName=database, TableInput=then)
        case _:
            return _remember_heads(_snowflake(place))


def _remember_catalog(root: Path) -> Restore:
    copy = root / "catalog.copy"
    with (
        closing(sqlite3.connect(root / "catalog.db")) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)

    def put_back() -> None:
        for file in root.glob("catalog.db*"):
            file.unlink()
        shutil.copy(copy, root / "catalog.db")

    return put_back


def _remember_heads(store: SnowflakeStore) -> Restore:
    execute = store.session.execute
    for table in ("heads", "versions"):
        name = f'"order__versions"."{table}'
        execute(f'CREATE TABLE {name}_then" AS SELECT * FROM {name}"')

    def put_back() -> None:
        for table in ("heads", "versions"):
            name = f'"order__versions"."{table}'
            execute(f'DELETE FROM {name}"')
            execute(f'INSERT INTO {name}" SELECT * FROM {name}_then"')

    return put_back


def _glue(place: Place) -> tuple[Any, str]:
    settings = read_settings(place.variables)
    return settings.glue(), f"{settings.glue_prefix}{DOMAIN}"


def _table_input(client: Any, database: str) -> dict[str, Any]:
    table = client.get_table(DatabaseName=database, Name=NAME)["Table"]
    kept = ("Name", "Description", "Parameters", "StorageDescriptor", "TableType", "Owner")
    return {key: table[key] for key in kept if key in table}


def _snowflake(place: Place) -> SnowflakeStore:
    store = place.open()
    assert isinstance(store, SnowflakeStore)
    return store
