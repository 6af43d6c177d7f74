"""Versions expire and nothing else does: the protocol's `expire`, on every store.

Belongs here: what readers and publishers see of it. Does not belong here: how long versions are kept
(`test_retention.py`), dying and competing processes (`test_killed.py`, `test_concurrency.py`).
"""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared_resources.contracts.model import Contract
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.embedded_warehouse.manifests import Manifests
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.committing.commit import LakeTransaction
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.levelling import follow
from shared_resources.stores.protocol import NotPublished, ProductStore
from tests.stores.places import Place, everywhere
from tests.stores.products import WHY, contract, day, publish, published, stage

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key
NONE_LEFT = timedelta(0)


def numbers(store: ProductStore) -> list[int]:
    return [version.number for version in store.versions(KEY)]


def expire_all(store: ProductStore, of: Contract = SALES) -> list[int]:
    """Expire whatever may, and remove what nobody needs then, without waiting for readers."""
    gone = store.expire(of, datetime.now(UTC))
    store.remove_orphans(of.key, NONE_LEFT)
    return [version.number for version in gone]


@everywhere
def test_versions_published_before_go_and_the_others_stay(store: ProductStore) -> None:
    for number in range(1, 6):
        publish(store, SALES, f"b{number}", [number])
    before = store.versions(KEY)[2].published_at
    assert [version.number for version in store.expire(SALES, before)] == [1, 2]
    assert numbers(store) == [3, 4, 5]
    assert store.expire(SALES, before) == []
    store.remove_orphans(KEY, NONE_LEFT)
    assert [published(store, KEY, number) for number in (3, 4, 5)] == [[3], [4], [5]]
    assert published(store, KEY) == [5]


def test_nothing_goes_at_the_very_moment_of_its_publication(store: ProductStore) -> None:
    first = publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    assert store.expire(SALES, first.published_at) == []
    assert len(store.expire(SALES, first.published_at + timedelta(microseconds=1))) == 1


def test_the_current_version_never_goes(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    assert expire_all(store) == [1]
    assert expire_all(store) == []
    assert published(store, KEY) == [2]
    assert store.expire(SALES, datetime.now(UTC) + timedelta(days=36_500)) == []


def test_a_product_that_was_never_published_has_nothing_to_expire(store: ProductStore) -> None:
    assert store.expire(SALES, datetime.now(UTC)) == []
    assert store.compact(SALES) is None
    assert store.remove_orphans(KEY) == []


def test_numbers_go_on_after_expiry(store: ProductStore) -> None:
    for number in range(1, 4):
        publish(store, SALES, f"b{number}", [number])
    expire_all(store)
    assert publish(store, SALES, "b4", [4]).number == 4
    assert numbers(store) == [3, 4]


def test_an_expired_version_says_what_is_kept(store: ProductStore) -> None:
    for number in range(1, 5):
        publish(store, SALES, f"b{number}", [number])
    store.expire(SALES, store.versions(KEY)[2].published_at)
    with pytest.raises(NotPublished, match=r"no version 1 .*keeps 3 to 4: the others have expired"):
        store.open(KEY, 1)
    with pytest.raises(NotPublished, match="no version 2"):
        store.rollback(SALES, 2, WHY, batch_id="back")
    assert numbers(store) == [3, 4]


# What makes a store's version current, and so a rollback.
COMMITS = {
    LakeStore: (LakeTransaction, "commit_transaction"),
    WarehouseStore: (Manifests, "publish"),
    SnowflakeStore: (Versions, "claim"),
}


def test_a_version_that_expires_while_it_is_restored_leaves_every_version_whole(
    store: ProductStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On another machine, which no lock holds off, just before the rollback is committed."""
    for number in range(1, 4):
        publish(store, SALES, f"b{number}", [number])
    owner, step = COMMITS[type(store)]
    commit, expired = getattr(owner, step), list[int]()

    def late(*arguments: Any) -> Any:
        monkeypatch.setattr(owner, step, commit)
        with monkeypatch.context() as unlocked:
            unlocked.setattr("filelock.FileLock.acquire", lambda *_, **__: nullcontext())
            expired.extend(version.number for version in store.expire(SALES, datetime.now(UTC)))
            store.remove_orphans(KEY)
        return commit(*arguments)

    monkeypatch.setattr(owner, step, late)
    with suppress(NotPublished):
        store.rollback(SALES, 1, WHY, batch_id="back-to-1")
    assert expired == [1, 2]
    store.remove_orphans(KEY, NONE_LEFT)
    for version in store.versions(KEY):
        assert len(published(store, KEY, version.number)) == version.rows
    # The embedded warehouse keeps the files of what expired for a while, so it can be restored.
    assert published(store, KEY) == ([1] if isinstance(store, WarehouseStore) else [3])
    assert publish(store, SALES, "b5", [5]).number == store.versions(KEY)[-1].number


def test_what_a_kept_version_restored_stays(store: ProductStore) -> None:
    for number in range(1, 4):
        publish(store, SALES, f"b{number}", [number])
    store.rollback(SALES, 1, WHY, batch_id="back-to-1")
    publish(store, SALES, "b5", [5])
    store.rollback(SALES, 4, WHY, batch_id="back-to-4")
    assert expire_all(store) == [2, 3, 5]
    assert numbers(store) == [1, 4, 6]
    assert published(store, KEY, 1) == published(store, KEY, 4) == published(store, KEY) == [1]


def test_rows_outlive_the_version_that_brought_them(store: ProductStore) -> None:
    """Version 2 took over day 0 from version 1, whose files are not version 1's alone."""
    publish(store, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    publish(store, DAILY, "b2", {day(1): [4]})
    publish(store, DAILY, "b3", {day(2): [5]}, append=True)
    assert expire_all(store, DAILY) == [1, 2]
    for batch in ("b1", "b2", "b3"):
        store.discard(DAILY, batch)
    store.remove_orphans(KEY, NONE_LEFT)
    assert published(store, KEY) == [1, 2, 4, 5]
    publish(store, DAILY, "b4", {day(0): [6]})
    assert published(store, KEY) == [4, 5, 6]


def test_a_batch_that_is_staged_again_after_its_version_expired(store: ProductStore) -> None:
    """The store has forgotten it: it is published as any other, and discarding it harms nobody."""
    publish(store, DAILY, "b1", {day(0): [1]})
    publish(store, DAILY, "b2", {day(1): [2]})
    expire_all(store, DAILY)
    assert store.published_batch(KEY, "b1") is None
    again = stage(store, DAILY, "b1", {day(0): [9]})
    store.discard(DAILY, "b1")
    assert not again.folder.exists()
    assert published(store, KEY) == [1, 2]


def test_a_version_is_read_to_its_end_by_who_opened_it(store: ProductStore) -> None:
    """The grace for readers: `housekeeping/retention.py` keeps what was current within a day."""
    publish(store, SALES, "b1", [1])
    opened = store.open(KEY)
    publish(store, SALES, "b2", [2])
    assert store.expire(SALES, opened.version.published_at) == []
    store.remove_orphans(KEY)
    assert opened.batches(["id"]).read_all()["id"].to_pylist() == [1]


def test_a_store_follows_another_whose_versions_expired(store: ProductStore, place: Place) -> None:
    """What the follower lacks is copied; a rollback to what it no longer has is copied too."""
    follower = Place("warehouse", place.root.parent / "follower").open()
    for number in range(1, 4):
        publish(store, SALES, f"b{number}", [number])
        publish(follower, SALES, f"b{number}", [number])
    follower.expire(SALES, datetime.now(UTC))
    truth = store.rollback(SALES, 1, WHY, batch_id="back")
    copied = follow(SALES, store, follower, truth)
    assert (copied.number, copied.rollback_of) == (4, None)
    assert published(follower, KEY) == [1]
    assert follow(SALES, store, follower, truth) == copied
