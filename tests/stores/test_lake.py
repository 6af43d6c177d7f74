"""The lake's own promises: files adopted as they are, tables that other engines read.

Belongs here: what is seen through Iceberg. Does not belong here: the protocol
(`test_conformance.py`).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date

import pyarrow as pa
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import GreaterThanOrEqual
from pyiceberg.table import Table, TableProperties

from shared_resources.stores.lake.catalog.sqlite import LakeCatalog
from shared_resources.stores.lake.committing.commit import MERGE_MANIFESTS_FROM
from shared_resources.stores.lake.store import LakeStore
from tests.contract_factory import let_through
from tests.stores.products import (
    FLOAT,
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


def table_of(lake: LakeStore) -> Table:
    """The table as another engine finds it."""
    catalog = SqlCatalog("lake", uri=f"sqlite:///{lake.root}/catalog.db", warehouse=str(lake.root))
    return catalog.load_table("order.sales")


def test_the_audited_files_themselves_are_published(lake: LakeStore) -> None:
    cleared = let_through(DAILY, stage(lake, DAILY, "b1", {day(0): [1, 2], day(1): [3]}))
    paths = [file.path for file in cleared.staged.files]
    before = {path: (path.stat().st_ino, path.read_bytes()) for path in paths}
    lake.publish(DAILY, cleared)
    assert set(lake.open(KEY).paths()) == set(before)
    for path, (inode, content) in before.items():
        assert (path.stat().st_ino, path.read_bytes()) == (inode, content)


def test_files_lie_below_the_tables_own_location(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    assert table_of(lake).location() == str(lake.root / "order" / "sales")
    for path in lake.open(KEY).paths():
        assert path.is_relative_to(lake.root / "order" / "sales" / "data" / "b1")


def test_another_engine_reads_the_same_rows(lake: LakeStore) -> None:
    publish(lake, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    wider = contract(*((c.name, c.type) for c in DAILY.columns), ("extra", TEXT), partitioned=True)
    publish(lake, wider, "b2", {day(1): [4]})
    scan = table_of(lake).scan(row_filter=GreaterThanOrEqual("at", f"{day(1)}T00:00:00"))
    assert len(list(scan.plan_files())) == 1
    found = table_of(lake).scan().to_arrow().sort_by("id")
    assert found["id"].to_pylist() == [1, 2, 4]
    assert found["extra"].to_pylist() == [None, None, "row 4"]
    assert (
        found["at"].to_pylist()
        == lake.open(KEY).batches().read_all().sort_by("id")["at"].to_pylist()
    )


def test_the_table_says_what_the_contract_says(lake: LakeStore) -> None:
    publish(lake, DAILY, "b1", {day(0): [1]})
    schema = table_of(lake).schema()
    described = {field.name: (str(field.field_type), field.doc) for field in schema.fields}
    documented = {column.name: column.description for column in DAILY.columns}
    assert {name: doc for name, (_, doc) in described.items()} == documented
    assert described["at"][0] == "timestamp"
    assert [str(field.transform) for field in table_of(lake).spec().fields] == ["day"]


def test_partitions_are_where_iceberg_says(lake: LakeStore) -> None:
    publish(lake, DAILY, "b1", {day(0): [1], day(400): [2]})
    listed = table_of(lake).inspect.partitions().to_pylist()
    assert {entry["partition"]["at_day"] for entry in listed} == {
        date(2017, 1, 1),
        date(2018, 2, 5),
    }


def test_every_version_is_tagged_and_the_tags_keep_it(lake: LakeStore) -> None:
    for number in range(1, 5):
        publish(lake, SALES, f"b{number}", [number])
    lake.rollback(SALES, 2, WHY, batch_id="r1")
    refs = table_of(lake).refs()
    assert {name for name in refs if name != "main"} == {"v1", "v2", "v3", "v4", "v5"}
    assert refs["v2"].snapshot_id == int(lake.versions(KEY)[1].snapshot)
    by_tag = table_of(lake).scan(snapshot_id=refs["v2"].snapshot_id).to_arrow()
    assert by_tag["id"].to_pylist() == [2]
    table_of(lake).maintenance.expire_snapshots().older_than(
        lake.versions(KEY)[-1].published_at.replace(tzinfo=None)
    ).commit()
    assert [published(lake, KEY, number) for number in range(1, 6)] == [[1], [2], [3], [4], [2]]


def test_a_removed_tag_is_put_back_by_the_next_publish(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    publish(lake, SALES, "b2", [2])
    table_of(lake).manage_snapshots().remove_tag("v1").commit()
    assert published(lake, KEY, 1) == [1]
    publish(lake, SALES, "b3", [3])
    refs = table_of(lake).refs()
    assert refs["v1"].snapshot_id == int(lake.versions(KEY)[0].snapshot)


def test_what_another_tool_appends_reaches_no_reader(lake: LakeStore) -> None:
    """It was never audited; and the next publish drops it from main."""
    publish(lake, SALES, "b1", [1, 2])
    table_of(lake).append(rows(SALES, [666]))
    assert sorted(table_of(lake).scan().to_arrow()["id"].to_pylist()) == [1, 2, 666]
    assert published(lake, KEY) == [1, 2]
    assert len(lake.versions(KEY)) == 1
    publish(lake, SALES, "b2", [3], append=True)
    assert published(lake, KEY) == [1, 2, 3]
    assert sorted(table_of(lake).scan().to_arrow()["id"].to_pylist()) == [1, 2, 3]


def test_a_rollback_of_mains_pointer_by_another_tool_loses_no_version(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    publish(lake, SALES, "b2", [2])
    first = int(lake.versions(KEY)[0].snapshot)
    table_of(lake).manage_snapshots().rollback_to_snapshot(first).commit()
    assert published(lake, KEY) == [2]
    assert publish(lake, SALES, "b3", [3], append=True).number == 3
    assert published(lake, KEY) == [2, 3]


def test_a_column_of_another_type_is_another_column_to_every_engine(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    broken = contract(("id", TEXT), ("label", TEXT), ("amount", FLOAT), version="2.0.0")
    publish(lake, broken, "b2", [2])
    assert table_of(lake).scan().to_arrow()["id"].to_pylist() == ["row 2"]
    refs = table_of(lake).refs()
    old = table_of(lake).scan(snapshot_id=refs["v1"].snapshot_id).to_arrow()
    assert old.schema.field("amount").type == pa.float64()
    ids = {
        schema.schema_id: schema.find_field("id").field_id
        for schema in table_of(lake).schemas().values()
    }
    assert len(set(ids.values())) == 2


def test_manifests_and_metadata_files_stay_few(lake: LakeStore) -> None:
    count = 3 * MERGE_MANIFESTS_FROM
    for number in range(count):
        publish(lake, DAILY, f"b{number}", {day(number % 20): [number]})
    table = table_of(lake)
    current = table.current_snapshot()
    assert current is not None
    assert len(current.manifests(table.io)) <= MERGE_MANIFESTS_FROM
    assert len(list((lake.root / "order" / "sales" / "metadata").glob("*.metadata.json"))) <= 52
    live = [
        entry for m in current.manifests(table.io) for entry in m.fetch_manifest_entry(table.io)
    ]
    assert len(live) == len(lake.open(KEY).paths()) == 20
    assert published(lake, KEY) == list(range(count - 20, count))


def test_the_snapshots_own_totals_are_right(lake: LakeStore) -> None:
    publish(lake, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    publish(lake, DAILY, "b2", {day(1): [4, 5, 6]})
    lake.rollback(DAILY, 1, WHY, batch_id="r1")
    snapshots = table_of(lake).metadata.snapshots
    totals = [s.summary["total-records"] for s in snapshots if s.summary]
    assert totals == ["3", "5", "3"]
    assert [s.summary.operation.value for s in snapshots if s.summary] == [
        "append",
        "overwrite",
        "overwrite",
    ]


def test_a_year_of_partitions_is_one_commit_of_one_manifest(lake: LakeStore) -> None:
    staged = stage(lake, DAILY, "b1", {day(number): [number] for number in range(365)})
    assert lake.publish(DAILY, let_through(DAILY, staged)).number == 1
    table = table_of(lake)
    (snapshot,) = table.metadata.snapshots
    assert len(snapshot.manifests(table.io)) == 1
    assert len(lake.open(KEY).paths()) == 365


def test_the_catalog_can_be_shared_by_many_processes(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    with closing(sqlite3.connect(lake.root / "catalog.db")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_pyiceberg_never_retries_a_commit_by_itself(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    assert table_of(lake).properties[TableProperties.COMMIT_NUM_RETRIES] == "0"


@pytest.mark.parametrize("load", [LakeCatalog.load, LakeCatalog.described])
def test_metadata_that_vanished_between_two_reads_is_looked_up_again(
    lake: LakeStore, monkeypatch: pytest.MonkeyPatch, load: Callable[..., object]
) -> None:
    publish(lake, SALES, "b1", [1])
    original, cleaned_up = LakeCatalog._metadata_of, iter([".gone"])

    def flaky(self: LakeCatalog, product: str) -> str:
        return f"{original(self, product)}{next(cleaned_up, '')}"

    monkeypatch.setattr(LakeCatalog, "_metadata_of", flaky)
    assert load(LakeCatalog(lake.root), KEY) is not None
    assert next(cleaned_up, None) is None


def test_a_product_whose_names_need_quoting(lake: LakeStore) -> None:
    odd = contract(("id", LONG), ('a "b" c', TEXT), ("select", LONG), ("ü", TEXT))
    publish(lake, odd, "b1", [1])
    assert lake.open(KEY).batches().read_all() == rows(odd, [1])
