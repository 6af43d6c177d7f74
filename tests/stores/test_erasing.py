"""Erasing rows from every kept version, in each store.

Belongs here: what `ProductStore.erase` promises. Does not belong here: which products hold a subject
(`tests/erasing/`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared_resources.evidence import keys
from shared_resources.stores.embedded_warehouse.erasing import _Erasing
from shared_resources.stores.erased import Rewritten, Without, erasures_of
from shared_resources.stores.lake.files.local import LocalFiles
from shared_resources.stores.protocol import ProductStore
from tests.stores.places import Place
from tests.stores.products import contract, day, publish, published

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


def without(*numbers: int, erasure: str = "e-1") -> Without:
    return Without(erasure, ("id",), frozenset(map(str, numbers)))


def test_every_kept_version_loses_the_rows_and_stays_what_it_was(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1, 2, 3])
    publish(store, SALES, "b2", [2, 4])
    publish(store, SALES, "b3", [5, 6])
    before = store.versions(KEY)
    assert store.would_erase(SALES, without(2)) == [Rewritten(1, 1), Rewritten(2, 1)]
    assert published(store, KEY, 1) == [1, 2, 3]
    assert store.erase(SALES, without(2)) == [Rewritten(1, 1), Rewritten(2, 1)]
    assert [published(store, KEY, number) for number in (1, 2, 3)] == [[1, 3], [4], [5, 6]]
    after = store.versions(KEY)
    assert [v.number for v in after] == [1, 2, 3]
    assert [v.batch_id for v in after] == [v.batch_id for v in before]
    assert [v.rows for v in after] == [2, 1, 2]
    assert erasures_of(after[0].properties) == [("e-1", 1)]
    assert after[2].properties == before[2].properties
    for number in (1, 2, 3):
        assert not store.open(KEY, number).verify().problems
    assert store.erase(SALES, without(2, erasure="e-2")) == []
    publish(store, SALES, "b4", [7])
    assert published(store, KEY) == [7]


def test_a_version_may_lose_all_of_its_rows(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    assert store.erase(SALES, without(1)) == [Rewritten(1, 1)]
    assert published(store, KEY) == []
    assert store.versions(KEY)[0].rows == 0
    publish(store, SALES, "b2", [2])
    assert published(store, KEY) == [2]


def test_days_that_stay_are_not_touched(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(1): [1, 2]})
    publish(store, DAILY, "b2", {day(2): [3, 4]})
    publish(store, DAILY, "b3", {day(1): [5]})
    assert sum(one.rows for one in store.erase(DAILY, without(2, 4))) == 4
    assert published(store, KEY, 1) == [1]
    assert published(store, KEY, 2) == [1, 3]
    assert published(store, KEY, 3) == [3, 5]
    assert store.open(KEY).partitions() == (day(1), day(2))
    publish(store, DAILY, "b4", {day(2): [8]})
    assert published(store, KEY) == [5, 8]


def test_a_version_that_was_compacted_or_restored_loses_them_too(store: ProductStore) -> None:
    from tests.stores.products import WHY

    for number in range(1, 7):
        publish(store, SALES, f"b{number}", [number], append=True)
    store.compact(SALES)
    store.rollback(SALES, 2, WHY, batch_id="back")
    store.erase(SALES, without(2))
    assert published(store, KEY) == [1]
    assert published(store, KEY, 6) == [1, 3, 4, 5, 6]
    assert keys.ERASED in store.versions(KEY)[-1].properties


@pytest.mark.parametrize("place", ["lake", "warehouse"], indirect=True)
def test_no_file_holds_them_any_more(place: Place, store: ProductStore) -> None:
    names = {"1": 7_001_001, "2": 7_002_002}
    publish(store, SALES, "b1", [*names.values(), 3])
    publish(store, SALES, "b2", [names["2"], 4])
    kept = set(files(place.root))
    store.erase(SALES, without(*names.values()))
    left = set(files(place.root))
    assert not {path for path in kept & left if path.suffix in (".parquet", ".duckdb", ".avro")}


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize("place", ["lake", "warehouse"], indirect=True)
def test_who_died_after_the_commit_is_followed_by_one_who_removes_the_rest(
    place: Place, store: ProductStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, SALES, "b1", [1, 2])
    publish(store, SALES, "b2", [2, 3])
    held = {path for number in (1, 2) for path in store.open(KEY, number).paths()}
    with monkeypatch.context() as dying:
        dying.setattr(LocalFiles, "delete", _die)
        dying.setattr(_Erasing, "clear_up", _die)
        with pytest.raises(KeyboardInterrupt):
            store.erase(SALES, without(2))
    assert [published(store, KEY, number) for number in (1, 2)] == [[1], [3]]
    assert all(path.exists() for path in held)
    assert store.erase(SALES, without(2)) == []
    assert not any(path.exists() for path in held)
    assert [published(store, KEY, number) for number in (1, 2)] == [[1], [3]]


def _die(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("place", ["lake", "warehouse"], indirect=True)
def test_publishers_beside_it_lose_nothing(place: Place, store: ProductStore) -> None:
    publish(store, SALES, "b0", [1, 2])

    def publishing(worker: int) -> None:
        own = place.open()
        for number in range(4):
            publish(own, SALES, f"w{worker}-{number}", [100 * worker + number], append=True)

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(publishing, worker) for worker in (1, 2)]
        store.erase(SALES, without(2))
        for one in done:
            one.result()
    assert store.erase(SALES, without(2)) == []
    wanted = [1, *range(100, 104), *range(200, 204)]
    assert published(store, KEY) == wanted
    assert all(2 not in published(store, KEY, v.number) for v in store.versions(KEY))
    assert not any(store.open(KEY, v.number).verify().problems for v in store.versions(KEY))
