"""A store that lost what it knew of its versions, or got an older state back, destroys nothing.

Belongs here: what each store does then, and how it comes back.
Does not belong here: the commands (tests/cli), doing it to a store (`losing.py`).
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.lake import repair
from shared_resources.stores.lake.catalog.sqlite import LakeCatalog
from shared_resources.stores.protocol import OutOfStep, ProductStore
from tests.stores.conftest import Places
from tests.stores.losing import forget_marks, lose, lose_rows, remember
from tests.stores.places import LOCAL, REMOTE, STORES, Place
from tests.stores.products import WHY, contract, publish, published, stage

SALES = contract()
KEY = SALES.key
NOW = timedelta(0)

# A publish to a server takes half a second.
LOST = [
    pytest.param(store, behind, marks=[pytest.mark.slow] if store in REMOTE else [])
    for store in STORES
    for behind in (1, 2, 3)
]

TOUCHING: dict[str, Callable[[ProductStore], object]] = {
    "publish": lambda store: publish(store, SALES, "b9", [9]),
    "rollback": lambda store: store.rollback(SALES, 1, WHY, batch_id="r1"),
    "expire": lambda store: store.expire(SALES, datetime.now(UTC)),
    "orphans": lambda store: store.orphans(KEY),
    "remove orphans": lambda store: store.remove_orphans(KEY, NOW),
    "check": lambda store: store.check_in_step(KEY),
}


def three_versions(place: Place, behind: int) -> ProductStore:
    """Versions 1 to 3, of which the store knows the last `behind` no more; by a new process's look."""
    store = place.open()
    put_back: Callable[[], None] = lambda: lose(place)  # noqa: E731
    for number in (1, 2, 3):
        if number == 3 - behind + 1 and number > 1:
            put_back = remember(place)
        publish(store, SALES, f"b{number}", [number])
    put_back()
    return place.open()


def everything(place: Place) -> dict[str, bytes]:
    files = (path for path in (place.root / "order" / "sales").rglob("*") if path.is_file())
    return {
        str(path.relative_to(place.root)): path.read_bytes()
        for path in files
        if "/data/" in str(path) or "/metadata/" in str(path)
    }


@pytest.mark.parametrize(("name", "behind"), LOST)
def test_nothing_is_published_or_removed_before_it_is_repaired(
    name: str, behind: int, places: Places
) -> None:
    place = places(name)
    store = three_versions(place, behind)
    before = everything(place)
    if place.store in LOCAL:  # elsewhere what is staged here is never a version's
        for number in (1, 2, 3):
            store.discard(SALES, f"b{number}")
    for what, touch in TOUCHING.items():
        with pytest.raises(OutOfStep, match=f"mesh repair {KEY}"):
            touch(store)
            pytest.fail(f"{what} went on")
    store.discard(SALES, "b9")
    assert everything(place).items() >= before.items()


@pytest.mark.parametrize(("name", "behind"), LOST)
def test_repair_brings_every_version_back(name: str, behind: int, places: Places) -> None:
    place = places(name)
    store = three_versions(place, behind)
    told = store.repair(KEY, dry_run=True)
    assert told
    with pytest.raises(OutOfStep):
        store.check_in_step(KEY)
    assert store.repair(KEY) == told
    store.check_in_step(KEY)
    assert store.repair(KEY) is None
    store.remove_orphans(KEY, NOW)
    assert [version.number for version in store.versions(KEY)] == [1, 2, 3]
    assert [published(store, KEY, number) for number in (1, 2, 3)] == [[1], [2], [3]]
    assert publish(store, SALES, "b4", [4]).number == 4
    store.remove_orphans(KEY, NOW)
    assert [published(place.open(), KEY, number) for number in (3, 4)] == [[3], [4]]
    assert publish(store, SALES, "b2", [2]).number == 2, "a batch is published once"


@pytest.mark.parametrize(
    "name", ["lake", "warehouse", pytest.param("snowflake", marks=pytest.mark.slow)]
)
def test_a_number_is_not_given_again_where_its_version_is_lost_for_good(
    name: str, places: Places
) -> None:
    place = places(name)
    store = three_versions(place, 1)
    lose_rows(place, store)
    store = place.open()
    told = store.repair(KEY, dry_run=True)
    assert told and store.repair(KEY) == told
    store.check_in_step(KEY)
    assert store.repair(KEY) is None
    assert [published(store, KEY, number) for number in (1, 2)] == [[1], [2]]
    assert publish(store, SALES, "b3", [33]).number > 3, "whoever read version 3 read other rows"
    assert published(place.open(), KEY) == [33]
    store.remove_orphans(KEY, NOW)
    assert published(place.open(), KEY, 1) == [1]


def test_a_snowflake_domain_that_is_lost_whole_is_noticed(places: Places) -> None:
    place = places("snowflake")
    store = three_versions(place, 3)
    assert isinstance(store, SnowflakeStore)
    for schema in ("order__versions", "order"):
        store.session.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE')
    store = place.open()
    for touch in (
        lambda: publish(store, SALES, "b9", [9]),
        lambda: store.versions(KEY),
        lambda: store.check_in_step(KEY),
    ):
        with pytest.raises(OutOfStep, match=f"version 3.*mesh repair {KEY}"):
            touch()
    assert "versions 1 to 3 are lost" in str(store.repair(KEY))
    assert store.versions(KEY) == []
    assert publish(store, SALES, "b9", [9]).number == 4
    assert published(store, KEY) == [9]


@pytest.mark.parametrize("name", ["lake", "warehouse", "snowflake"])
def test_versions_of_before_there_were_marks_get_them(name: str, places: Places) -> None:
    place = places(name)
    store = place.open()
    publish(store, SALES, "b1", [1])
    put_back = remember(place)
    publish(store, SALES, "b2", [2])
    forget_marks(place)
    store = place.open()
    store.remove_orphans(KEY, NOW)
    put_back()
    with pytest.raises(OutOfStep):
        publish(place.open(), SALES, "b3", [3])
    assert store.repair(KEY)
    assert [published(place.open(), KEY, number) for number in (1, 2)] == [[1], [2]]


def test_a_product_that_was_never_published_is_in_step(store: ProductStore) -> None:
    store.check_in_step(KEY)
    assert store.repair(KEY) is None
    assert store.versions(KEY) == []
    stage(store, SALES, "b1", [1])
    assert store.orphans(KEY) == []


@pytest.mark.parametrize("behind", [1, 3])
def test_what_cannot_be_read_now_is_not_taken_for_broken(
    behind: int, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the catalog would be pointed at an older version while a disk is away."""
    place = places("lake")
    store = three_versions(place, behind)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EACCES, "not now")

    with monkeypatch.context() as away:
        away.setattr(LakeCatalog, "at", refuse)
        with pytest.raises(PermissionError):
            store.repair(KEY)
    with monkeypatch.context() as away:
        away.setattr(repair, "needed_files", refuse)
        with pytest.raises(PermissionError):
            store.repair(KEY)
    assert store.repair(KEY)
    assert [version.number for version in store.versions(KEY)] == [1, 2, 3]
