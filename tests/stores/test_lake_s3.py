"""The lake on S3 and Glue: uploads, local copies, lost answers, and what is cleared up.

Belongs here: what is particular to that store. Does not belong here: the protocol
(`test_conformance.py`), other engines (`test_lake_readers.py`), faults at every request
(tests/faults).
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pytest

from shared_resources.object_store import s3_objects
from shared_resources.object_store.s3_objects import BrokenBody, S3Objects
from shared_resources.object_store.stored_file import StoredFile
from shared_resources.production.checks import read_settings
from shared_resources.production.settings import S3Location
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake import leftovers
from shared_resources.stores.lake.catalog.glue import GlueTables
from shared_resources.stores.lake.catalog.owner import OWNER, Owner, claim
from shared_resources.stores.lake.on_s3 import s3_lake
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.levelling import follow
from shared_resources.stores.protocol import PublishError, StagedBatch
from shared_resources.stores.reading.frames import as_frame
from shared_resources.stores.sql_door import connect
from shared_resources.stores.staging.fingerprints import digest_in
from shared_resources.stores.staging.staging import write_staged
from tests.contract_factory import let_through
from tests.faults.impatience import impatient_clients
from tests.faults.kinds import Kind
from tests.faults.plans import NthRequest
from tests.faults.proxy import Proxy, running_proxy
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment
from tests.stores.conftest import Places
from tests.stores.places import Place
from tests.stores.products import TEXT, WHY, contract, day, publish, published, stage

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


@pytest.fixture
def place(places: Places) -> Place:
    return places("lake-s3")


@pytest.fixture
def store(place: Place) -> LakeStore:
    return another_machine(place, "here")


def another_machine(place: Place, name: str, **settings: Any) -> LakeStore:
    read = replace(read_settings(place.variables), **settings)
    return s3_lake(read, place.root / name)


def bucket_of(place: Place) -> str:
    return S3Location.parse(place.variables["MESH_LAKE"]).bucket


def keys(place: Place, below: str = "") -> list[str]:
    found = boto3.client("s3").list_objects_v2(Bucket=bucket_of(place), Prefix=f"lake/{below}")
    return [entry["Key"] for entry in found.get("Contents", ())]


def copies(place: Place, machine: str) -> list[Path]:
    return list((place.root / machine / "copies").glob("??/*.parquet"))


# -- uploading -----------------------------------------------------------------------------------


def test_keys_say_whose_a_file_is(place: Place, store: LakeStore) -> None:
    staged = stage(store, DAILY, "b1", {day(0): [1]})
    assert keys(place) == []
    store.publish(DAILY, let_through(DAILY, staged))
    attempt = f"lake/order/sales/data/b1/{staged.folder.name}/"
    (key,) = keys(place, "order/sales/data/")
    assert key.startswith(f"{attempt}partition={day(0)}/part-00000-")
    body = boto3.client("s3").get_object(Bucket=bucket_of(place), Key=key)["Body"].read()
    assert digest_in(key) == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize("key", [None, "alias/lake"])
def test_every_object_is_encrypted(place: Place, key: str | None) -> None:
    publish(another_machine(place, "here", kms_key=key), SALES, "b1", [1])
    assert len(keys(place)) == 6  # rows, three of metadata, its mark, whose lake it is
    for name in keys(place):
        head = boto3.client("s3").head_object(Bucket=bucket_of(place), Key=name)
        assert head["ServerSideEncryption"] == ("aws:kms" if key else "AES256")
        assert head.get("SSEKMSKeyId") == key


@pytest.mark.slow
def test_large_files_are_sent_in_parts_and_read_whole(
    place: Place, store: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "PART_BYTES", 5 << 20)
    numbers = range(400_000)
    labels = [os.urandom(32).hex() for _ in numbers]  # nothing makes them smaller than 32 bytes
    table = pa.table({"id": pa.array(numbers, pa.int64()), "label": labels})
    made_for = contract(*((c.name, c.type) for c in SALES.columns[:2]))
    folder = store.staging_folder(made_for, "b1")
    files = write_staged(table.to_reader(), folder, made_for, ("",))
    store.publish(made_for, let_through(made_for, StagedBatch(KEY, "b1", folder, files)))
    (first, *_) = keys(place, "order/sales/data/")
    assert "-" in boto3.client("s3").head_object(Bucket=bucket_of(place), Key=first)["ETag"]
    read = another_machine(place, "there").open(KEY).batches().read_all()
    assert read.sort_by("id") == table


def test_what_did_not_arrive_whole_is_not_published(
    place: Place, store: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = S3Objects.upload

    def overwritten(self: S3Objects, files: Any) -> None:
        original(self, files)
        for location in files.values():
            self.put(location, b"short")

    monkeypatch.setattr(S3Objects, "upload", overwritten)
    with pytest.raises(PublishError, match="arrived with 5 of"):
        publish(store, SALES, "b1", [1])
    assert store.versions(KEY) == []


def test_a_refused_batch_is_not_uploaded(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    before = keys(place, "order/sales/data/")
    with pytest.raises(PublishError, match="major version"):
        publish(store, contract(("id", TEXT)), "b2", [2])
    assert keys(place, "order/sales/data/") == before


# -- reading -------------------------------------------------------------------------------------


def test_another_machine_copies_only_the_partitions_that_are_asked_for(
    place: Place, store: LakeStore
) -> None:
    publish(store, DAILY, "b1", {day(number): [number] for number in range(5)})
    there = another_machine(place, "there")
    snapshot = there.open(KEY)
    assert snapshot.partitions() == tuple(day(number) for number in range(5))
    assert copies(place, "there") == []
    assert snapshot.batches(["id"], [day(3)]).read_all()["id"].to_pylist() == [3]
    assert len(copies(place, "there")) == 1
    assert published(there, KEY) == [0, 1, 2, 3, 4]
    assert len(copies(place, "there")) == 5


def test_who_published_reads_without_asking_s3_for_the_rows(
    place: Place, store: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, SALES, "b1", [1])
    asked: list[str] = []
    original = S3Objects.download

    def download(self: S3Objects, location: str, *given: Any, **more: Any) -> None:
        asked.append(location)
        original(self, location, *given, **more)

    monkeypatch.setattr(S3Objects, "download", download)
    assert published(store, KEY) == published(store, KEY) == [1]
    assert not [location for location in asked if location.endswith(".parquet")]
    assert len(asked) == len(set(asked)) == 3  # the table, its manifest list, its manifest: once


def test_copies_may_go_at_any_time(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    for copy in (place.root / "here" / "copies").glob("??/*"):
        copy.unlink()
    assert published(store, KEY) == [1]


def test_an_object_that_somebody_overwrote_is_refused(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    (key,) = keys(place, "order/sales/data/")
    boto3.client("s3").put_object(Bucket=bucket_of(place), Key=key, Body=b"other rows")
    with pytest.raises(BrokenBody, match="10 bytes"):
        published(another_machine(place, "there"), KEY)


def test_snapshots_become_frames_views_and_other_stores_versions(
    place: Place, store: LakeStore, tmp_path: Path
) -> None:
    import polars as pl

    publish(store, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    there = another_machine(place, "there")
    snapshot = there.open(KEY)
    assert as_frame(snapshot, None).shape == (3, 4)
    assert as_frame(snapshot, pl.LazyFrame).select("id").collect().height == 3
    assert as_frame(snapshot, pl.DataFrame, partitions=[day(1)])["id"].to_list() == [3]
    with connect(there, [KEY]) as door:
        assert door.sql('SELECT sum(id) FROM "order".sales').fetchall() == [(6,)]
    warehouse = WarehouseStore(tmp_path / "warehouse")
    follow(DAILY, there, warehouse, snapshot.version)
    assert published(warehouse, KEY) == [1, 2, 3]
    local = LakeStore(tmp_path / "lake")
    publish(local, DAILY, "b2", {day(0): [7]})
    follow(DAILY, local, there, local.versions(KEY)[-1])
    assert published(there, KEY) == [7]


def test_a_store_can_be_sent_to_another_process(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    assert published(pickle.loads(pickle.dumps(store)), KEY) == [1]


# -- Glue ----------------------------------------------------------------------------------------


def test_only_this_lakes_tables_are_its_products(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    glue, prefix = boto3.client("glue"), place.variables["MESH_GLUE_PREFIX"]
    columns = {"Columns": [], "Location": "s3://elsewhere/sales"}
    foreign = {"Name": "theirs", "StorageDescriptor": columns}
    glue.create_table(DatabaseName=f"{prefix}order", TableInput=foreign)  # type: ignore[arg-type]
    glue.create_database(DatabaseInput={"Name": f"{prefix}empty"})
    assert store.products() == [KEY]
    elsewhere = replace(read_settings(place.variables).lake, prefix="another")
    another = another_machine(place, "there", lake=elsewhere)
    assert another.products() == []
    with pytest.raises(PublishError, match="MESH_GLUE_PREFIX"):
        another.open(KEY)


def test_names_that_glue_would_change_are_refused(store: LakeStore) -> None:
    with pytest.raises(PublishError, match="capital letters"):
        publish(store, contract(name="Sales"), "b1", [1])


def test_what_another_catalog_names_is_not_swept(place: Place, store: LakeStore) -> None:
    """A wrong `MESH_GLUE_PREFIX` knows no table, and must not take its files for nobody's."""
    publish(store, SALES, "b1", [1])
    astray = another_machine(place, "astray", glue_prefix="mistyped_")
    assert astray.versions(KEY) == []
    with pytest.raises(PublishError, match="belongs to the Glue databases"):
        astray.remove_orphans(KEY, timedelta(0))
    assert published(another_machine(place, "there"), KEY) == [1]


def test_a_lake_is_one_meshs(place: Place, store: LakeStore) -> None:
    """Two would take each other's files for left over: the second is told before its first file."""
    publish(store, SALES, "b1", [1])
    before = keys(place)
    second = another_machine(place, "second", glue_prefix=(prefix := other_prefix(place)))
    with pytest.raises(PublishError, match=r"MESH_LAKE=s3://.* belongs to the Glue databases "):
        publish(second, SALES, "b2", [2])
    assert second.versions(KEY) == []
    assert f"{prefix}order" not in databases()
    with pytest.raises(PublishError, match="Give this mesh a MESH_LAKE of its own"):
        second.remove_orphans(KEY, timedelta(0))
    with pytest.raises(PublishError, match="Give this mesh a MESH_LAKE of its own"):
        second.orphans(KEY)
    assert keys(place) == before
    assert published(another_machine(place, "here too"), KEY) == [1]


def other_prefix(place: Place) -> str:
    """Of another mesh of the same account; the tests share one."""
    return f"other_{place.variables['MESH_GLUE_PREFIX']}"


def databases() -> list[str]:
    return [found["Name"] for found in boto3.client("glue").get_databases()["DatabaseList"]]


def unmark(place: Place) -> None:
    """As a lake is that was published to before there were owners."""
    boto3.client("s3").delete_object(Bucket=bucket_of(place), Key=f"lake/{OWNER}")


def test_only_who_publishes_claims_a_lake(place: Place, store: LakeStore) -> None:
    """A clean-up with a mistyped prefix whose database exists would lock the rightful mesh out."""
    publish(store, SALES, "b1", [1])
    unmark(place)
    mistyped = other_prefix(place)
    boto3.client("glue").create_database(DatabaseInput={"Name": f"{mistyped}order"})
    before = keys(place)
    for prefix in (mistyped, place.variables["MESH_GLUE_PREFIX"]):
        asking = another_machine(place, f"at {prefix}", glue_prefix=prefix)
        assert asking.orphans(KEY) == asking.remove_orphans(KEY, timedelta(0)) == []
    assert keys(place) == before
    assert published(another_machine(place, "there"), KEY) == [1]


def test_an_unmarked_lake_is_whose_tables_it_holds(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    unmark(place)
    before = keys(place)
    mistyped = other_prefix(place)
    astray = another_machine(place, "astray", glue_prefix=mistyped)
    with pytest.raises(PublishError, match=f"none of them is in the Glue databases {mistyped}"):
        publish(astray, SALES, "b2", [2])
    assert keys(place) == before
    assert f"{mistyped}order" not in databases()
    publish(another_machine(place, "there"), contract(name="second"), "b1", [2])
    assert f"lake/{OWNER}" in keys(place)


def test_the_first_database_of_an_account_tells_whose_the_lake_is(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before it nobody knows the account, and another mesh is refused by its prefix alone."""
    original = GlueTables._owner

    def owner(self: GlueTables, database: str) -> Owner:
        known = original(self, database)
        return known if database in databases() else replace(known, catalog=None)

    monkeypatch.setattr(GlueTables, "_owner", owner)
    first = another_machine(place, "first")
    assert first.remove_orphans(KEY, timedelta(0)) == []
    publish(first, SALES, "b1", [1])
    read = S3Objects(read_settings(place.variables)).read
    said = json.loads(read(f"{place.variables['MESH_LAKE']}/{OWNER}"))
    assert said["catalog"] == "123456789012"
    second = another_machine(place, "second", glue_prefix=(prefix := other_prefix(place)))
    with pytest.raises(PublishError, match=r"this mesh has .* of account \(unknown\)"):
        publish(second, SALES, "b2", [2])
    assert f"{prefix}order" not in databases()


@pytest.mark.parametrize("act", ["publish", "rollback"])
def test_publishing_to_a_table_that_exists_claims_the_lake_or_is_refused(
    place: Place, store: LakeStore, act: str
) -> None:
    publish(store, SALES, "b1", [1])

    def again(machine: str) -> None:
        opened = another_machine(place, machine)
        if act == "publish":
            publish(opened, SALES, machine, [2])
        else:
            opened.rollback(SALES, 1, WHY, batch_id=machine)

    unmark(place)
    again("there")
    assert f"lake/{OWNER}" in keys(place)
    objects = S3Objects(read_settings(place.variables))
    unmark(place)
    claim(objects, place.variables["MESH_LAKE"], Owner("123456789012", "eu-central-1", "other_"))
    data = keys(place, "order/sales/data/")
    with pytest.raises(PublishError, match="belongs to the Glue databases other_"):
        again("refused")
    assert keys(place, "order/sales/data/") == data
    assert len(store.versions(KEY)) == 2


def test_whose_a_lake_is_is_asked_once_a_process(
    place: Place, store: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, SALES, "b1", [1])
    asked: list[str] = []
    original = S3Objects.read

    def read(self: S3Objects, location: str) -> bytes:
        asked.append(location)
        return original(self, location)

    monkeypatch.setattr(S3Objects, "read", read)
    there = another_machine(place, "there")
    for number in range(2):
        publish(there, SALES, f"b{number + 2}", [number])
    there.remove_orphans(KEY, timedelta(0))
    assert [location for location in asked if location.endswith(OWNER)] == [
        f"{place.variables['MESH_LAKE']}/{OWNER}"
    ]


def test_of_two_meshes_that_claim_a_lake_at_once_one_gets_it(place: Place) -> None:
    lake = place.variables["MESH_LAKE"]
    objects = S3Objects(read_settings(place.variables))
    owners = [Owner("123456789012", "eu-central-1", f"mesh{number}_") for number in range(8)]

    def ask(owner: Owner) -> bool:
        try:
            claim(objects, lake, owner)
        except PublishError:
            return False
        return True

    with ThreadPoolExecutor(len(owners)) as pool:
        got = list(pool.map(ask, owners))
    assert sum(got) == 1
    assert [ask(owner) for owner in owners] == got


@pytest.mark.parametrize("said", ["", "[]", "{}", '{"catalog": "1", "region": "eu-central-1"}'])
def test_an_owner_that_cannot_be_read_stops_the_clean_up(
    place: Place, store: LakeStore, said: str
) -> None:
    publish(store, SALES, "b1", [1])
    boto3.client("s3").put_object(Bucket=bucket_of(place), Key=f"lake/{OWNER}", Body=said.encode())
    before = keys(place)
    with pytest.raises(PublishError, match="does not say whose the lake is"):
        another_machine(place, "there").remove_orphans(KEY, timedelta(0))
    assert keys(place) == before


def test_the_files_are_looked_through_every_night(
    place: Place, store: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that starts when yesterday's started, which is not yet a day after that one's end."""
    publish(store, SALES, "b1", [1])
    looked: list[datetime] = []

    def look(_: LakeTable, since: datetime) -> list[str]:
        looked.append(since)
        return []

    monkeypatch.setattr(leftovers, "_unnamed", look)
    store.remove_orphans(KEY)
    store.remove_orphans(KEY)
    assert len(looked) == 1
    marker = place.root / "here" / "lake" / KEY / ".swept"
    ended = marker.stat().st_mtime - timedelta(hours=23, minutes=59).total_seconds()
    os.utime(marker, (ended, ended))
    store.remove_orphans(KEY)
    assert len(looked) == 2


# -- lost answers --------------------------------------------------------------------------------


@pytest.fixture
def proxy(stand_ins: StandIns) -> Iterator[Proxy]:
    with running_proxy(stand_ins) as running:
        yield running


@pytest.fixture
def faulty(place: Place, proxy: Proxy) -> Iterator[Callable[[], LakeStore]]:
    """Opens the store behind the proxy, with clients that give up quickly."""
    variables = {**place.variables, **proxy.endpoints}
    with environment(variables), impatient_clients():
        yield lambda: s3_lake(read_settings(variables), place.root / "faulty")


@pytest.mark.parametrize(
    # What is held back is waited for.
    "kind",
    [Kind.CUT_AFTER, pytest.param(Kind.HELD_BACK, marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("times", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("operation", ["UpdateTable", "CreateTable"])
def test_a_commit_whose_answer_is_lost_is_found(
    place: Place,
    proxy: Proxy,
    faulty: Callable[[], LakeStore],
    kind: Kind,
    times: int,
    operation: str,
) -> None:
    """Sent again by botocore it is refused, for itself; given up it is an error: both are done."""
    store = faulty()
    if operation == "UpdateTable":
        publish(store, SALES, "b0", [0])
    with proxy.following(NthRequest(kind, 1, f"glue:{operation}", times)) as _:
        version = publish(store, SALES, "b1", [1])
    assert len(store.versions(KEY)) == version.number
    store.remove_orphans(KEY, timedelta(0))
    assert published(another_machine(place, "there"), KEY) == [1]


@pytest.mark.parametrize(
    "kind",
    [
        Kind.SHORT_ANSWER,
        Kind.FLIPPED_ANSWER,
        *(
            pytest.param(kind, marks=pytest.mark.slow)
            for kind in (Kind.CUT_ANSWER, Kind.TRUNCATED_ANSWER)
        ),
    ],
    ids=lambda kind: kind.name,
)
def test_a_body_that_is_not_whole_is_read_again(
    place: Place,
    store: LakeStore,
    proxy: Proxy,
    faulty: Callable[[], LakeStore],
    kind: Kind,
) -> None:
    publish(store, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    plan = NthRequest(kind, 1, "s3:GetObject", times=3)
    with proxy.following(plan):
        assert published(faulty(), KEY) == [1, 2, 3]
    assert plan.reached


def test_a_body_that_is_never_whole_is_an_error(
    place: Place, store: LakeStore, proxy: Proxy, faulty: Callable[[], LakeStore]
) -> None:
    publish(store, SALES, "b1", [1])
    broken = faulty()
    plan = NthRequest(Kind.FLIPPED_ANSWER, 1, "s3:GetObject", times=1000)
    with proxy.following(plan), pytest.raises(BrokenBody, match="Look at the network"):
        published(broken, KEY)
    assert published(broken, KEY) == [1]


# -- clearing up ---------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_no_snapshot_names_is_removed_when_it_is_old(place: Place, store: LakeStore) -> None:
    publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    there = set(keys(place))
    client, bucket = boto3.client("s3"), bucket_of(place)
    left = [
        "lake/order/sales/data/b3/dead/part-00000.parquet",
        "lake/order/sales/metadata/dead-m0.avro",
        "lake/order/sales/metadata/00007-dead.metadata.json",
    ]
    for key in left:
        client.put_object(Bucket=bucket, Key=key, Body=b"left")
    client.put_object(Bucket=bucket, Key="lake/order/sales_of_others/data/x", Body=b"not ours")
    assert store.remove_orphans(KEY) == []
    client.create_multipart_upload(Bucket=bucket, Key=left[0])
    removed = store.remove_orphans(KEY, timedelta(0))
    expected = {f"s3://{bucket}/{key}" for key in left}
    assert expected <= set(removed)
    assert f"s3://{bucket}/{left[0]} (unfinished upload)" in removed
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert set(keys(place)) == there | {"lake/order/sales_of_others/data/x"}
    assert [published(another_machine(place, "there"), KEY, n) for n in (1, 2)] == [[1], [2]]


def test_a_run_does_not_pay_for_looking_through_everything(
    place: Place, store: LakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, SALES, "b1", [1])
    store.remove_orphans(KEY)
    looked: list[str] = []

    def listing(_: S3Objects, below: str, after: str = "") -> list[StoredFile]:
        if not after:  # else it is a look at the newest metadata alone
            looked.append(below)
        return []

    monkeypatch.setattr(S3Objects, "listing", listing)
    store.remove_orphans(KEY)
    assert looked == []
    store.remove_orphans(KEY, timedelta(0))
    assert len(looked) == 2


def test_discarding_sends_nothing(store: LakeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commit whose answer was lost may still arrive: what it names is left to the clean-up."""
    staged = stage(store, SALES, "b1", [1])
    monkeypatch.setattr(S3Objects, "client", property(lambda self: pytest.fail("asked S3")))
    store.discard(SALES, "b1")
    assert not staged.folder.exists()
