"""What lies in a store is what was published, or it is not read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import boto3
import duckdb
import pyarrow.parquet as pq
import pytest

from shared_resources.production.settings import S3Location
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import Damaged, ProductStore
from tests.stores.conftest import Places
from tests.stores.products import contract, day, publish, published, rows

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


def fewer_rows(path: Path) -> None:
    """Another file of the same size, as far as a stranger can make one."""
    size = path.stat().st_size
    pq.write_table(rows(SALES, [1]), path, compression="zstd")
    body = path.read_bytes()
    assert len(body) <= size
    path.write_bytes(body[:4] + bytes(size - len(body)) + body[4:])  # the footer stays the last


def shorter(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


def flipped(path: Path) -> None:
    """One bit of its values; of a Parquet file, which may be footer for the most part, of a page."""
    body = bytearray(path.read_bytes())
    body[8 if path.suffix == ".parquet" else len(body) // 3] ^= 1
    path.write_bytes(body)


def test_a_damaged_footer_is_refused_when_the_version_is_opened(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", [1, 2])
    publish(lake, SALES, "b2", [3])
    (path,) = lake.open(KEY).paths()
    path.chmod(0o644)
    whole = path.read_bytes()
    length = int.from_bytes(whole[-8:-4], "little")
    for place in range(len(whole) - 8 - length, len(whole) - 8, 7):
        body = bytearray(whole)
        body[place] ^= 0x55
        path.write_bytes(body)
        try:
            lake.open(KEY)  # of a footer's words many say nothing of rows
        except Damaged as refused:
            assert path.name in str(refused)
    assert published(lake, KEY, 1) == [1, 2]


@pytest.mark.parametrize("damage", [shorter, longer, Path.unlink])
@pytest.mark.parametrize("name", ["lake", "warehouse"])
def test_a_file_of_another_size_is_refused_when_a_version_is_opened(
    lake: LakeStore, warehouse: WarehouseStore, name: str, damage: Callable[[Path], None]
) -> None:
    store: ProductStore = {"lake": lake, "warehouse": warehouse}[name]
    publish(store, SALES, "b1", [1, 2])
    publish(store, SALES, "b2", [3])
    (path,) = store.open(KEY).paths()
    path.chmod(0o644)
    damage(path)
    with pytest.raises(
        Damaged, match=rf"order/sales: .*{path.name}.*version 2.*mesh rollback order/sales"
    ):
        store.open(KEY)
    assert published(store, KEY, 1) == [1, 2]


def test_a_lake_file_of_other_rows_in_the_same_size_is_refused(lake: LakeStore) -> None:
    publish(lake, SALES, "b1", list(range(2000)))
    (path,) = lake.open(KEY).paths()
    fewer_rows(path)
    with pytest.raises(Damaged, match=r"has 1 rows instead of 2,000"):
        lake.open(KEY)


def test_a_warehouse_file_of_other_rows_in_the_same_size_is_refused(
    warehouse: WarehouseStore,
) -> None:
    publish(warehouse, SALES, "b1", [1, 2])
    snapshot = warehouse.open(KEY)
    (path,) = snapshot.paths()
    size = path.stat().st_size
    with duckdb.connect(str(path)) as connection:
        connection.execute("DELETE FROM data WHERE id = 1")
    if path.stat().st_size == size:
        with pytest.raises(Damaged, match="has 1 rows instead of 2"):
            warehouse.open(KEY).batches().read_all()
    else:
        with pytest.raises(Damaged, match="bytes"):
            warehouse.open(KEY)


def test_a_table_of_other_rows_is_refused(places: Places) -> None:
    store = places("snowflake").open()
    assert isinstance(store, SnowflakeStore)
    publish(store, SALES, "b1", [1, 2])
    store.session.execute(f'DELETE FROM {store.relation(KEY)} WHERE "id" = 1')
    with pytest.raises(Damaged, match="has 1 rows instead of 2"):
        store.open(KEY)


@pytest.mark.parametrize("name", ["lake", "warehouse"])
def test_a_flipped_bit_is_found_when_every_byte_is_compared(
    lake: LakeStore, warehouse: WarehouseStore, name: str
) -> None:
    store: ProductStore = {"lake": lake, "warehouse": warehouse}[name]
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(1): [3]})
    snapshot = store.open(KEY)
    assert snapshot.verify().problems == () and snapshot.verify().unknown == 0
    path = snapshot.paths()[0]
    path.chmod(0o644)
    flipped(path)
    verified = store.open(KEY).verify()
    assert verified.compared == 2
    assert len(verified.problems) == 1 and str(path) in verified.problems[0]


def test_a_compacted_version_is_compared_like_any_other(
    lake: LakeStore, warehouse: WarehouseStore
) -> None:
    for store in (lake, warehouse):
        for number in range(5):
            publish(store, DAILY, f"b{number}", {day(0): [number]}, append=True)
        assert store.compact(DAILY) is not None
        verified = store.open(KEY).verify()
        assert (verified.compared, verified.unknown, verified.problems) == (1, 0, ())
        flipped(store.open(KEY).paths()[0])
        assert len(store.open(KEY).verify().problems) == 1


def test_objects_are_compared_on_s3_and_not_their_copies(places: Places) -> None:
    place = places("lake-s3")
    store = place.open()
    publish(store, SALES, "b1", [1, 2])
    verified = store.open(KEY).verify()
    assert (verified.compared, verified.unknown, verified.problems) == (1, 0, ())
    client, bucket = boto3.client("s3"), S3Location.parse(place.variables["MESH_LAKE"]).bucket
    found = client.list_objects_v2(Bucket=bucket)["Contents"]
    (key,) = (one["Key"] for one in found if one["Key"].endswith(".parquet"))
    body = bytearray(client.get_object(Bucket=bucket, Key=key)["Body"].read())
    body[len(body) // 3] ^= 1
    client.put_object(Bucket=bucket, Key=key, Body=bytes(body))
    assert published(store, KEY) == [1, 2]  # of this machine's copy, which is whole
    assert len(store.open(KEY).verify().problems) == 1
