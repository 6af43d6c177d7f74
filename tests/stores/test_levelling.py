"""A product in two stores: the second can always be brought to what the first has."""

from __future__ import annotations

from dataclasses import replace

from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.levelling import follow
from shared_resources.stores.protocol import Version
from tests.stores.products import (
    FLOAT,
    INT,
    LONG,
    TEXT,
    WHY,
    contract,
    day,
    publish,
    published,
)

DAILY = contract(partitioned=True)
KEY = DAILY.key


def last(lake: LakeStore) -> Version:
    return lake.versions(KEY)[-1]


def same(lake: LakeStore, warehouse: WarehouseStore) -> bool:
    rows = [store.open(KEY).batches().read_all().sort_by("id") for store in (lake, warehouse)]
    return bool(rows[0] == rows[1])


def test_a_version_is_followed_once(lake: LakeStore, warehouse: WarehouseStore) -> None:
    publish(lake, DAILY, "b1", {day(0): [1], day(1): [2]})
    first = follow(DAILY, lake, warehouse, last(lake))
    assert first.batch_id == "b1"
    assert first.evidence.run_id == last(lake).evidence.run_id == "b1"
    assert follow(DAILY, lake, warehouse, last(lake)) == first
    publish(lake, DAILY, "b2", {day(1): [3]})
    follow(DAILY, lake, warehouse, last(lake))
    assert published(warehouse, KEY) == [1, 3]
    assert same(lake, warehouse)


def test_what_was_published_under_an_older_contract_is_followed(
    lake: LakeStore, warehouse: WarehouseStore
) -> None:
    old = contract(("id", INT), partitioned=True)
    publish(lake, old, "b1", {day(0): [1]})
    today = contract(("id", LONG), ("extra", TEXT), partitioned=True)
    follow(today, lake, warehouse, last(lake))
    assert same(lake, warehouse)
    publish(warehouse, today, "b2", {day(1): [2]})
    assert published(warehouse, KEY) == [1, 2]


def test_a_rollback_to_an_older_schema_is_followed(
    lake: LakeStore, warehouse: WarehouseStore
) -> None:
    wider = contract(("id", LONG), ("amount", FLOAT), ("extra", TEXT), name="sales")
    plain = contract(("id", LONG), ("amount", FLOAT), name="sales")
    for store in (lake, warehouse):
        publish(store, plain, "b1", [1])
        publish(store, wider, "b2", [2])
    lake.rollback(wider, 1, WHY, batch_id="r1")
    followed = follow(wider, lake, warehouse, last(lake))
    assert followed.rollback_of == 1
    assert same(lake, warehouse)
    lake.rollback(wider, 3, WHY, batch_id="r2")
    assert follow(wider, lake, warehouse, last(lake)).rollback_of == 3


def test_an_empty_version_is_followed(lake: LakeStore, warehouse: WarehouseStore) -> None:
    emptyable = replace(DAILY, allow_empty=True)
    publish(lake, emptyable, "b1", {day(0): [1]})
    publish(lake, emptyable, "b2", {day(0): []})
    publish(warehouse, emptyable, "b1", {day(0): [1]})
    assert follow(DAILY, lake, warehouse, last(lake)).rows == 0
    assert published(warehouse, KEY) == []
