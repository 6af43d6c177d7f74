"""What only the quarantine on S3 has: encryption, parts, leftovers of dead processes, few requests."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.governance.quarantine import s3 as quarantine_s3
from shared_resources.object_store import s3_objects
from shared_resources.wiring import ProductionEnvironment, current
from tests.governance.test_quarantine import REJECTION, _file
from tests.stand_ins.servers import environment


def keys(production: ProductionEnvironment) -> list[str]:
    place = production.settings.quarantine
    listed = production.settings.s3().list_objects_v2(Bucket=place.bucket, Prefix=place.key(""))
    return [entry["Key"].removeprefix(place.key() + "/") for entry in listed.get("Contents", ())]


def test_its_keys_are_below_its_location_and_encrypted(
    production: ProductionEnvironment, tmp_path: Path
) -> None:
    entry = production.quarantine.put(REJECTION, [_file(tmp_path, [1])], _file(tmp_path, [2], "r"))
    production.quarantine.mark_replayed(entry.id, 3)
    assert keys(production) == [
        f"order/lines/{entry.id}/entry.json",
        f"order/lines/{entry.id}/files/00000.parquet",
        f"order/lines/{entry.id}/rejects.parquet",
        f"order/lines/{entry.id}/replays/00000003.json",
    ]
    place = production.settings.quarantine
    for key in keys(production):
        head = production.settings.s3().head_object(Bucket=place.bucket, Key=place.key(key))
        assert head["ServerSideEncryption"] == "AES256"


def test_with_a_key_of_kms_it_is_encrypted_with_that(
    production: ProductionEnvironment, tmp_path: Path
) -> None:
    with environment({"MESH_KMS_KEY": "alias/mesh"}):
        keyed = current()
        assert isinstance(keyed, ProductionEnvironment)
        keyed.quarantine.put(REJECTION, [_file(tmp_path, [1])])
    place = production.settings.quarantine
    for key in keys(production):
        head = production.settings.s3().head_object(Bucket=place.bucket, Key=place.key(key))
        assert head["ServerSideEncryption"] == "aws:kms"
        assert head["SSEKMSKeyId"].endswith("alias/mesh")


def test_a_large_file_is_sent_in_parts(
    production: ProductionEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_objects, "PART_BYTES", 5 << 20)
    big = tmp_path / "big.parquet"
    pq.write_table(pa.table({"x": range(1_500_000)}), big, compression="none", use_dictionary=False)
    assert big.stat().st_size > 11 << 20
    entry = production.quarantine.put(REJECTION, [big])
    place = production.settings.quarantine
    head = production.settings.s3().head_object(
        Bucket=place.bucket, Key=place.key(f"order/lines/{entry.id}/files/00000.parquet")
    )
    assert head["ETag"].strip('"').endswith("-3")
    (kept,) = production.quarantine.files(entry)
    assert kept.read_bytes() == big.read_bytes()


def test_what_a_dead_process_left_is_not_listed_and_goes_a_day_later(
    production: ProductionEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = production.quarantine.put(REJECTION, [_file(tmp_path, [1])])
    place, s3 = production.settings.quarantine, production.settings.s3()
    s3.put_object(Bucket=place.bucket, Key=place.key("order/lines/dead/files/00000.parquet"))
    s3.create_multipart_upload(Bucket=place.bucket, Key=place.key("order/lines/dead/files/1"))
    s3.put_object(Bucket=place.bucket, Key=place.key("order/lines/README"))
    assert [entry.id for entry in production.quarantine.list()] == [kept.id]
    long_ago = datetime.now(UTC) - timedelta(days=1)
    production.quarantine.expire("order/lines", long_ago)
    assert len(keys(production)) == 4, "nobody knows yet that it is dead"
    monkeypatch.setattr(quarantine_s3, "ABANDONED_SECONDS", -5)
    production.quarantine.expire("order/lines", long_ago)
    assert set(keys(production)) == {
        "order/lines/README",
        f"order/lines/{kept.id}/entry.json",
        f"order/lines/{kept.id}/files/00000.parquet",
    }
    assert "Uploads" not in s3.list_multipart_uploads(Bucket=place.bucket)


def test_a_second_list_asks_for_the_keys_only(
    production: ProductionEnvironment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    production.quarantine.put(REJECTION, [_file(tmp_path, [1])])
    first = production.quarantine.list()
    asked: Counter[str] = Counter()
    store = production.quarantine.store
    assert isinstance(store, quarantine_s3.QuarantineOnS3)
    events = store._objects.client.meta.events
    events.register("before-call.s3", lambda model, **_: asked.update([model.name]))
    assert production.quarantine.list() == first
    assert asked == {"ListObjectsV2": 1}
