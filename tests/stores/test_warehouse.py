"""The warehouse's own promises: immutable files, an atomic pointer, a SQL door for people.

Belongs here: what is seen on disk and through SQL. Does not belong here: the protocol
(`test_conformance.py`).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from shared_resources.stores.embedded_warehouse import store as warehouse_module
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import NotPublished
from shared_resources.stores.sql_door import connect
from tests.contract_factory import let_through
from tests.stores.products import (
    LONG,
    TEXT,
    WHY,
    contract,
    day,
    publish,
    published,
    rows,
    stage,
)

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


def digests(folder: Path) -> dict[Path, str]:
    files = (path for path in folder.rglob("*") if path.suffix in (".duckdb", ".json"))
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_nothing_published_ever_changes(warehouse: WarehouseStore) -> None:
    publish(warehouse, DAILY, "b1", {day(0): [1], day(1): [2]})
    versions = warehouse.root / "order" / "sales"
    before = {
        path: digest for path, digest in digests(versions).items() if "_owner" not in path.name
    }
    publish(warehouse, DAILY, "b2", {day(1): [3]})
    warehouse.rollback(DAILY, 1, WHY, batch_id="r1")
    published(warehouse, KEY)
    after = digests(versions)
    assert before.items() <= after.items()


def test_only_the_database_of_a_batch_is_kept(warehouse: WarehouseStore) -> None:
    publish(warehouse, SALES, "b1", [1])
    kept = [p.name for p in (warehouse.root / "order/sales/data").rglob("*") if p.is_file()]
    assert sorted(kept) == ["_owner.json", "data.duckdb"]


def test_the_lakes_files_are_left_to_the_lake(lake: LakeStore, warehouse: WarehouseStore) -> None:
    cleared = let_through(SALES, stage(lake, SALES, "b1", [1]))
    lake.publish(SALES, cleared)
    warehouse.publish(SALES, cleared)
    assert all(file.path.exists() for file in cleared.staged.files)
    assert published(lake, KEY) == [1]


def test_a_version_is_linked_and_never_overwritten(warehouse: WarehouseStore) -> None:
    publish(warehouse, SALES, "b1", [1])
    manifests = warehouse.manifests(KEY)
    manifest = manifests.get(1)
    assert manifests.publish(manifest) is False
    assert list((warehouse.root / "order/sales/versions").iterdir()) == [
        warehouse.root / "order/sales/versions/v00000001.json"
    ]


def test_a_replaced_partition_is_skipped_in_the_file_that_still_holds_it(
    warehouse: WarehouseStore,
) -> None:
    publish(warehouse, DAILY, "b1", {day(n): [n] for n in range(10)})
    publish(warehouse, DAILY, "b2", {day(n): [100 + n] for n in (0, 4, 5, 9)})
    assert published(warehouse, KEY) == [1, 2, 3, 6, 7, 8, 100, 104, 105, 109]
    assert len(warehouse.open(KEY).paths()) == 2
    publish(warehouse, DAILY, "b3", {day(n): [200 + n] for n in (1, 2, 3, 6, 7, 8)})
    # Nothing of the first file is part of the version any more.
    assert len(warehouse.open(KEY).paths()) == 2
    assert [version.rows for version in warehouse.versions(KEY)] == [10, 10, 10]


def test_many_small_files_are_merged_into_one(
    warehouse: WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warehouse_module, "MERGE_FILES_FROM", 4)
    wider = contract(*((c.name, c.type) for c in DAILY.columns), ("extra", TEXT), partitioned=True)
    publish(warehouse, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(warehouse, wider, "b2", {day(1): [3]})
    for number in range(3, 15):
        publish(warehouse, wider, f"b{number}", {day(number): [number]}, append=number % 2 == 0)
    snapshot = warehouse.open(KEY)
    assert len(snapshot.paths()) <= 5
    found = snapshot.batches(["id", "extra"]).read_all().sort_by("id").to_pydict()
    assert found["id"] == [1, 3, *range(3, 15)]
    assert found["extra"][0] is None
    for version in warehouse.versions(KEY):
        read = warehouse.open(KEY, version.number).batches().read_all()
        assert read.num_rows == version.rows
    publish(warehouse, wider, "last", {day(7): [700]})
    assert 7 not in published(warehouse, KEY)
    assert warehouse.remove_orphans(KEY) == []


def test_a_small_version_is_a_small_file(warehouse: WarehouseStore) -> None:
    publish(warehouse, SALES, "b1", range(10))
    (path,) = warehouse.open(KEY).paths()
    assert path.stat().st_size < 100_000


def test_the_door_shows_every_product_and_changes_none(warehouse: WarehouseStore) -> None:
    other = contract(("id", LONG), ("select", TEXT), name="returns", domain="customer")
    publish(warehouse, SALES, "b1", [1, 2])
    publish(warehouse, other, "b1", [2, 3])
    with warehouse.connect() as connection:
        joined = 'SELECT r."select" FROM "order".sales JOIN customer.returns r USING (id)'
        assert connection.sql(joined).fetchall() == [("row 2",)]
        publish(warehouse, SALES, "b2", [9])
        assert connection.sql('SELECT count(*) FROM "order".sales').fetchall() == [(2,)]
        for statement in (
            'DELETE FROM "order".sales',
            'INSERT INTO "order".sales SELECT * FROM "order".sales',
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)
        alias = connection.sql(
            "SELECT database_name FROM duckdb_databases() WHERE starts_with(database_name, 'mesh_')"
        ).fetchall()[0][0]
        with pytest.raises(duckdb.Error, match="read-only"):
            connection.execute(f"DROP TABLE {alias}.data")
    assert published(warehouse, KEY) == [9]


def test_the_door_opens_the_lake_too(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1, 2])
    with connect(lake, [KEY]) as connection:
        assert connection.sql('SELECT sum(id) FROM "order".sales').fetchall() == [(3,)]
    with pytest.raises(NotPublished):
        connect(lake, ["order/nothing"])


def test_a_read_does_not_stop_a_write_nor_a_write_a_read(warehouse: WarehouseStore) -> None:
    publish(warehouse, SALES, "b1", [1])
    with duckdb.connect() as reader:
        warehouse.open(KEY).register(reader, "sales")
        for number in range(2, 5):
            publish(warehouse, SALES, f"b{number}", [number], append=True)
            assert reader.sql("SELECT count(*) FROM sales").fetchall() == [(1,)]
    assert published(warehouse, KEY) == [1, 2, 3, 4]


def test_names_that_need_quoting(warehouse: WarehouseStore) -> None:
    odd = contract(("id", LONG), ('a "b" c', TEXT), ("select", LONG), ("ü", TEXT))
    publish(warehouse, odd, "b1", [1])
    assert warehouse.open(KEY).batches().read_all() == rows(odd, [1])
