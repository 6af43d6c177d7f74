"""Compaction changes the files of a version and nothing else: on every store.

Belongs here: what readers and publishers see of `compact`, and what is checked before it is made.
Does not belong here: dying and competing processes (`test_killed.py`, `test_concurrency.py`).
A store whose files are its engine's own business (Snowflake) has nothing to compact: it keeps the
same promises, without a `Compaction`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.evidence import keys
from shared_resources.stores.embedded_warehouse import housekeeping as warehouse_housekeeping
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake import housekeeping as lake_housekeeping
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import (
    Compaction,
    Overtaken,
    ProductStore,
    PublishError,
    Version,
)
from shared_resources.stores.reading import same_rows
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.staging import compacting
from tests.stores.places import everywhere
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
)

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key
ALL = list(range(6))
LAST = "b5"


def append_many(store: ProductStore) -> Version:
    for number in ALL:
        last = publish(store, DAILY, f"b{number}", {day(0): [number]}, append=True)
    return last


def same_but_for_its_snapshot(one: Version, other: Version) -> bool:
    """And for its attestation, which says which files its rows lie in."""
    return _bare(one) == _bare(other)


def _bare(version: Version) -> Version:
    kept = {name: said for name, said in version.properties.items() if name != keys.ATTESTATION}
    return replace(version, snapshot="", properties=kept)


def test_many_small_files_become_few(store: ProductStore) -> None:
    before = append_many(store)
    done = store.compact(DAILY)
    assert done in (None, Compaction(files_before=6, files_after=1))
    assert store.compact(DAILY) is None
    after = store.open(KEY).version
    assert same_but_for_its_snapshot(before, after)
    assert store.versions(KEY)[-1] == after
    assert store.published_batch(KEY, LAST) == after
    assert len(store.versions(KEY)) == len(ALL)
    assert published(store, KEY) == ALL


@everywhere
def test_every_column_of_every_row_is_what_it_was(store: ProductStore) -> None:
    append_many(store)
    before = store.open(KEY).batches().read_all().sort_by("id")
    store.compact(DAILY)
    after = store.open(KEY)
    assert after.batches().read_all().sort_by("id") == before
    assert after.schema == before.schema
    assert after.partitions() == (day(0),)


def test_a_few_files_are_left_alone(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(0): [3]}, append=True)
    before = store.versions(KEY)
    assert store.compact(DAILY) is None
    assert store.versions(KEY) == before


def test_who_opened_the_version_before_reads_on(store: ProductStore) -> None:
    append_many(store)
    opened = store.open(KEY)
    store.compact(DAILY)
    store.remove_orphans(KEY)
    store.expire(DAILY, datetime.now(UTC))
    store.remove_orphans(KEY)
    assert sorted(opened.batches(["id"]).read_all()["id"].to_pylist()) == ALL


def test_what_a_compaction_left_over_goes_in_the_end(store: LakeStore | WarehouseStore) -> None:
    append_many(store)
    done = store.compact(DAILY)
    store.expire(DAILY, datetime.now(UTC))
    store.remove_orphans(KEY, timedelta(0))
    assert published(store, KEY) == ALL
    if done is not None:
        assert len(store.open(KEY).paths()) == 1
    assert store.remove_orphans(KEY, timedelta(0)) == []
    assert [version.number for version in store.versions(KEY)] == [6]


def test_earlier_versions_are_what_they_were(store: ProductStore) -> None:
    append_many(store)
    store.compact(DAILY)
    store.remove_orphans(KEY, timedelta(0))
    for number in ALL:
        assert published(store, KEY, number + 1) == ALL[: number + 1]


def test_publishing_goes_on_from_a_compacted_version(store: ProductStore) -> None:
    append_many(store)
    store.compact(DAILY)
    assert publish(store, DAILY, "more", {day(0): [6]}, append=True).number == 7
    assert publish(store, DAILY, "other", {day(1): [7]}).number == 8
    assert published(store, KEY) == list(range(8))
    assert publish(store, DAILY, "again", {day(0): [0]}).number == 9
    assert published(store, KEY) == [0, 7]
    back = store.rollback(DAILY, 6, WHY, batch_id="back")
    assert (back.number, back.rollback_of) == (10, 6)
    assert published(store, KEY) == ALL
    store.remove_orphans(KEY, timedelta(0))
    assert published(store, KEY) == ALL


def test_a_batch_of_a_compacted_version_is_published_once(store: ProductStore) -> None:
    append_many(store)
    store.compact(DAILY)
    again = publish(store, DAILY, LAST, {day(0): [5]}, append=True)
    assert again.number == 6
    store.discard(DAILY, LAST)
    assert published(store, KEY) == ALL


def test_each_partition_stays_by_itself(store: ProductStore) -> None:
    for number in range(6):
        publish(store, DAILY, f"b{number}", {day(0): [number], day(1): [100 + number]}, append=True)
    store.compact(DAILY)
    snapshot = store.open(KEY)
    assert snapshot.partitions() == (day(0), day(1))
    for partition, start in ((day(0), 0), (day(1), 100)):
        read = snapshot.batches(["id"], [partition]).read_all()["id"].to_pylist()
        assert sorted(read) == [start + number for number in range(6)]
    publish(store, DAILY, "again", {day(0): [9]})
    assert published(store, KEY) == [9, *range(100, 106)]


def test_files_of_several_schemas_become_one(store: ProductStore) -> None:
    """Rows that were published before a column was added have none, before and after."""
    narrow = contract(("id", LONG), ("label", TEXT))
    wide = contract(("id", LONG), ("label", TEXT), ("amount", FLOAT), version="1.1.0")
    for number in range(5):
        publish(store, narrow, f"n{number}", [number], append=True)
    for number in range(5, 8):
        publish(store, wide, f"w{number}", [number], append=True)
    before = store.open(KEY).batches().read_all().sort_by("id")
    assert before["amount"].to_pylist() == [None] * 5 + [5.5, 6.5, 7.5]
    store.compact(wide)
    assert store.open(KEY).batches().read_all().sort_by("id") == before
    # The contract moved on before the version did: its columns are what it was published with.
    wider = contract(
        ("id", LONG), ("label", TEXT), ("amount", FLOAT), ("more", TEXT), version="1.2.0"
    )
    for number in range(8, 13):
        publish(store, wide, f"w{number}", [number], append=True)
    store.compact(wider)
    assert store.open(KEY).schema.names == ["id", "label", "amount"]
    assert published(store, KEY) == list(range(13))


def test_an_emptied_product_has_nothing_to_compact(store: ProductStore) -> None:
    may_be_empty = contract(allow_empty=True)
    publish(store, may_be_empty, "b1", [1])
    publish(store, may_be_empty, "b2", [])
    assert store.compact(may_be_empty) is None
    assert published(store, KEY) == []


def test_other_rows_are_never_committed(
    store: LakeStore | WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A writer that loses a row: the checksums of old and new files differ, and nothing changes."""
    append_many(store)
    before = store.versions(KEY)

    def lossy(reader: pa.RecordBatchReader, *args: Any, **named: Any) -> Any:
        rest = reader.read_all().slice(1)
        return compacting.write_compacted(rest.to_reader(), *args, **named)

    def lossy_merge(folder: Any, target: Any, files: Any, *args: Any) -> Any:
        return warehouse_housekeeping_merge(folder, target, files[1:], *args)

    warehouse_housekeeping_merge = warehouse_housekeeping.merge
    monkeypatch.setattr(lake_housekeeping, "write_compacted", lossy)
    monkeypatch.setattr(warehouse_housekeeping, "merge", lossy_merge)
    try:
        done = store.compact(DAILY)
    except PublishError as problem:
        assert "other rows" in str(problem)
    else:
        assert done is None, "other rows were committed"
    assert store.versions(KEY) == before
    assert published(store, KEY) == ALL


def test_who_published_meanwhile_wins(
    store: LakeStore | WarehouseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_many(store)

    def publish_first(*args: Any) -> Any:
        if store.versions(KEY)[-1].number == 6:
            publish(store, DAILY, "meanwhile", {day(0): [6]}, append=True)
        return same_rows.checksums(*args)

    monkeypatch.setattr(lake_housekeeping, "checksums", publish_first)
    monkeypatch.setattr(warehouse_housekeeping, "checksums", publish_first)
    try:
        assert store.compact(DAILY) is None
    except Overtaken as overtaken:
        assert "someone published while version 6" in str(overtaken)
        assert store.compact(DAILY) == Compaction(7, 1)
    assert published(store, KEY, 6) == ALL
    store.remove_orphans(KEY, timedelta(0))
    assert published(store, KEY, 6) == ALL


def test_checksums_tell_rows_from_rows() -> None:
    """Whatever the order; but not when a value moves to another row, or becomes null."""
    table = rows(SALES, range(100))
    moved = table.set_column(1, "label", pa.chunked_array([table["label"].to_pylist()[::-1]]))
    holed = table.set_column(
        1, "label", pa.chunked_array([[None, *table["label"].to_pylist()[1:]]])
    )
    with in_memory() as connection:

        def of(data: pa.Table) -> dict[str, int]:
            connection.register("data", data)
            return dict(same_rows.checksums(connection, "SELECT * FROM data", table.column_names))

        same = of(table)
        assert same["rows"] == 100
        assert of(table.take(pa.array(range(99, -1, -1)))) == same
        assert of(moved)["label"] == same["label"]
        assert of(moved) != same
        assert of(holed) != same
        assert of(table.slice(1)) != same
        assert of(pa.concat_tables([table.slice(1), table.slice(1, 1)])) != same


def test_files_have_about_the_target_size(tmp_path: Any) -> None:
    table = rows(SALES, range(400_000))
    (whole,) = compacting.write_compacted(table.to_reader(50_000), tmp_path / "whole", "")
    target = whole.path.stat().st_size * 2 // 3
    written = compacting.write_compacted(table.to_reader(50_000), tmp_path, "", target=target)
    assert [file.path.stat().st_size >= target for file in written] == [True, False]
    assert sum(file.rows for file in written) == 400_000
    read = pa.concat_tables([pq.read_table(file.path) for file in written])
    assert read == table
