"""What lists a version's files is broken: that is said, and there is a way on from it.

Belongs here: Iceberg's manifests and manifest lists, the warehouse's manifests, byte by byte.
Does not belong here: data files (`test_intact.py`), lost catalogs (`test_lost_catalogs.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlparse

import boto3
import pytest
from pyiceberg.table import Table

from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import Damaged, Unreadable
from tests.stores.conftest import Places
from tests.stores.products import WHY, contract, day, publish, published

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


def gone(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES = [gone, empty, half, a_folder, zeros]


def table_of(lake: LakeStore) -> Table:
    table = lake._catalog.load(KEY)
    assert table is not None
    return table


def list_of(lake: LakeStore) -> Path:
    snapshot = table_of(lake).current_snapshot()
    assert snapshot is not None
    return Path(snapshot.manifest_list)


def manifest_of(lake: LakeStore) -> Path:
    table = table_of(lake)
    snapshot = table.current_snapshot()
    assert snapshot is not None
    return Path(snapshot.manifests(table.io)[0].manifest_path)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("of", [list_of, manifest_of])
def test_a_broken_list_of_files_is_said_and_can_be_gone_back_from(
    lake: LakeStore, of: Callable[[LakeStore], Path], damage: Callable[[Path], None]
) -> None:
    publish(lake, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(lake, DAILY, "b2", {day(0): [3]})
    broken = of(lake)
    damage(broken)
    for touch in (
        lambda: lake.open(KEY),
        lambda: publish(lake, DAILY, "b3", {day(1): [4]}),
        lambda: lake.compact(DAILY),
    ):
        with pytest.raises(Damaged, match=rf"{KEY}: .*{broken.name} .*mesh rollback {KEY}"):
            touch()
    assert published(lake, KEY, 1) == [1, 2]
    assert lake.rollback(DAILY, 1, WHY, batch_id="r1").number == 3
    assert published(lake, KEY) == [1, 2]
    assert publish(lake, DAILY, "b4", {day(1): [4]}).number == 4
    assert published(lake, KEY) == [1, 4]
    summary = table_of(lake).current_snapshot().summary  # type: ignore[union-attr]
    assert summary is not None and summary["total-records"] == "2", "what other engines are told"


@pytest.mark.parametrize("of", [list_of, manifest_of])
def test_a_product_that_is_made_whole_is_simply_made_again(
    lake: LakeStore, of: Callable[[LakeStore], Path]
) -> None:
    publish(lake, SALES, "b1", [1])
    publish(lake, SALES, "b2", [2])
    empty(of(lake))
    assert publish(lake, SALES, "b3", [3]).number == 3
    assert (published(lake, KEY), published(lake, KEY, 1)) == ([3], [1])


def test_a_version_whose_lists_are_broken_expires(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1])
    empty(list_of(lake))
    publish(lake, SALES, "b2", [2])
    publish(lake, SALES, "b3", [3])
    with pytest.raises(Damaged):
        lake.orphans(KEY)
    assert [version.number for version in lake.expire(SALES, datetime.now(UTC))] == [1, 2]
    lake.orphans(KEY)
    assert published(lake, KEY) == [3]


def test_a_manifest_that_lists_fewer_files_is_not_believed(lake: LakeStore) -> None:
    """Of the same name, whole, and another version's."""
    publish(lake, DAILY, "b1", {day(0): [1]})
    one = manifest_of(lake)
    publish(lake, DAILY, "b2", {day(0): [2], day(1): [3, 4]})
    manifest_of(lake).write_bytes(one.read_bytes())
    with pytest.raises(Damaged, match="instead of"):
        lake.open(KEY)


def test_a_list_of_another_version_is_not_believed(lake: LakeStore) -> None:
    publish(lake, DAILY, "b1", {day(0): [1]})
    one = list_of(lake)
    publish(lake, DAILY, "b2", {day(1): [3, 4]})
    list_of(lake).write_bytes(one.read_bytes())
    with pytest.raises(Damaged, match="1 rows instead of 3"):
        lake.open(KEY)


def test_a_broken_list_on_s3_is_said_too(places: Places) -> None:
    place = places("lake-s3")
    lake = place.open()
    assert isinstance(lake, LakeStore)
    publish(lake, SALES, "b1", [1])
    publish(lake, SALES, "b2", [2])
    snapshot = table_of(lake).current_snapshot()
    assert snapshot is not None
    where = urlparse(snapshot.manifest_list)
    boto3.client("s3").delete_object(Bucket=where.netloc, Key=where.path.lstrip("/"))
    for copies in place.root.rglob("copies"):
        for copy in copies.rglob("*.avro"):
            copy.unlink()
    lake = place.open()
    assert isinstance(lake, LakeStore)
    with pytest.raises(Damaged, match=f"is not there.*mesh rollback {KEY}"):
        lake.open(KEY).paths()
    assert lake.rollback(SALES, 1, WHY, batch_id="r1").number == 3
    assert published(lake, KEY) == [1]


def test_no_changed_byte_of_a_manifest_is_believed(warehouse: WarehouseStore) -> None:
    publish(warehouse, DAILY, "b1", {day(0): [1], day(1): [2]})
    path = warehouse.root / "order/sales/versions/v00000001.json"
    whole = path.read_bytes()
    for at in [*range(0, len(whole), 97), len(whole) - 2]:
        changed = bytearray(whole)
        changed[at] ^= 1
        path.write_bytes(changed)
        with pytest.raises(Unreadable, match=f"mesh repair {KEY}"):
            WarehouseStore(warehouse.root).open(KEY)
    assert warehouse.repair(KEY)
    assert path.read_bytes() == whole
    assert published(WarehouseStore(warehouse.root), KEY) == [1, 2]


def test_a_manifest_under_another_number_is_not_believed(warehouse: WarehouseStore) -> None:
    publish(warehouse, SALES, "b1", [1])
    publish(warehouse, SALES, "b2", [2])
    versions = warehouse.root / "order/sales/versions"
    (versions / "v00000002.json").write_bytes((versions / "v00000001.json").read_bytes())
    with pytest.raises(Unreadable, match="v00000001"):
        WarehouseStore(warehouse.root).open(KEY)


def test_a_broken_old_manifest_keeps_nobody_from_the_current_version(
    warehouse: WarehouseStore,
) -> None:
    publish(warehouse, SALES, "b1", [1])
    publish(warehouse, SALES, "b2", [2])
    (warehouse.root / "order/sales/versions/v00000001.json").write_bytes(b"{}")
    again = WarehouseStore(warehouse.root)
    assert published(again, KEY) == [2]
    with pytest.raises(Unreadable, match=f"mesh repair {KEY}"):
        again.open(KEY, 1)
