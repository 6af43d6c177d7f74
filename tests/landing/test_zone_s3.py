"""The landing zone in a bucket: what is listed, what is copied, what is refused, over real HTTP."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import botocore.response
import pytest

from shared_resources.landing.errors import ObjectChanged, RefusedKey
from shared_resources.landing.zones import s3 as zone_s3
from shared_resources.landing.zones.s3 import S3LandingZone
from shared_resources.landing.zones.zone import LandingObject
from shared_resources.wiring import ProductionEnvironment
from tests.landing.listing import lies_below

ODD = [
    "a/white space.csv",
    "a/plus+and%2Bpercent.csv",
    "a/ünïcödé-日本.csv",
    "a/question?&=#hash.csv",
    "a/deep//er/x.csv",
    "a/quote'\"<tag>.csv",
]


class Bucket:
    """The zone of a production environment, and a producer that puts objects into it."""

    def __init__(self, production: ProductionEnvironment) -> None:
        zone = production.landing_zone
        assert isinstance(zone, S3LandingZone)
        self.zone = zone
        self.client = production.settings.s3()
        self.location = production.settings.landing

    def put(self, key: str, content: bytes = b"x") -> dict[str, Any]:
        where = {"Bucket": self.location.bucket, "Key": self.location.key(key)}
        return dict(self.client.put_object(**where, Body=content))

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=self.location.bucket, Key=self.location.key(key))

    def keys(self, prefix: str = "a") -> list[str]:
        return [obj.key for obj in lies_below(self.zone, prefix)]


@pytest.fixture
def bucket(production: ProductionEnvironment) -> Bucket:
    return Bucket(production)


def test_lists_without_unfinished_names_folders_and_neighbours(bucket: Bucket) -> None:
    for key in ("a/b.csv", "a/deep/er/c.csv"):
        bucket.put(key)
    for key in ("a/.x", "a/_x", "a/x.tmp", "a/_temporary/x.csv", "a/folder/", "ab/c.csv", "b.csv"):
        bucket.put(key)
    assert bucket.keys() == ["a/b.csv", "a/deep/er/c.csv"]
    assert bucket.keys("nothing/here") == []


def test_odd_keys_are_listed_and_copied(bucket: Bucket, tmp_path: Path) -> None:
    for key in ODD:
        bucket.put(key, key.encode())
    found = lies_below(bucket.zone, "a")
    assert [obj.key for obj in found] == sorted(ODD)
    for obj in found:
        assert bucket.zone.head(obj.key) is not None
        copied = bucket.zone.fetch(obj, tmp_path / "copy")
        assert (tmp_path / "copy").read_text() == obj.key == copied.key


@pytest.mark.parametrize(
    "key", ["../x", "a/../../x", "/etc/passwd", "a\\..\\x", "", ".", "a\0b", "a/\ud800"]
)
def test_keys_do_not_climb_out(bucket: Bucket, tmp_path: Path, key: str) -> None:
    with pytest.raises(RefusedKey):
        lies_below(bucket.zone, key)
    with pytest.raises(RefusedKey):
        bucket.zone.head(key)
    with pytest.raises(RefusedKey):
        bucket.zone.fetch(LandingObject(key, 1, zone_s3.datetime.now(), "e"), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_listed_key_that_climbs_out_is_refused_and_holds_up_no_other(bucket: Bucket) -> None:
    for key in ("a/../b.csv", "a/ok.csv", "a/back\\slash.csv"):
        bucket.put(key)
    page = bucket.zone.page("a", "", 10)
    assert [obj.key for obj in page.objects] == ["a/ok.csv"]
    assert len(page.names) == 3
    assert len(page.refusals) == 2 and all("leads out" in why for _, why in page.refusals)


def test_pages_take_one_request_each_and_start_after_keys_that_are_gone(bucket: Bucket) -> None:
    for number in range(7):
        bucket.put(f"a/{number}.csv")
    bucket.put("a/_hidden")
    requests: list[str] = []
    client = bucket.zone._client
    client.meta.events.register(
        "before-call.s3", lambda model, **_: requests.append(str(model.name))
    )
    first = bucket.zone.page("a", "", 3)
    bucket.delete("a/2.csv")
    second = bucket.zone.page("a", "a/2.csv", 10)
    assert requests == ["ListObjectsV2", "ListObjectsV2"]
    assert (first.names, first.more) == (("a/0.csv", "a/1.csv", "a/2.csv"), True)
    assert [obj.key[2] for obj in second.objects] == ["3", "4", "5", "6"]
    assert second.names[-1] == "a/_hidden" and not second.more


def test_listing_head_and_copy_agree_about_what_the_object_is(
    bucket: Bucket, tmp_path: Path
) -> None:
    version = bucket.put("a/b.csv", b"content")["VersionId"]
    (listed,) = lies_below(bucket.zone, "a")
    head = bucket.zone.head("a/b.csv")
    copied = bucket.zone.fetch(listed, tmp_path / "copy")
    assert head == copied
    assert head is not None and head.etag == f"{listed.etag}#{version}"
    assert (head.listed, head.modified_at, head.size) == (listed.etag, listed.modified_at, 7)
    bucket.put("a/b.csv", b"content")
    assert bucket.zone.head("a/b.csv") != head, "the same bytes again are another version"


def test_without_versions_the_time_tells(bucket: Bucket) -> None:
    off = {"Status": "Suspended"}
    bucket.client.put_bucket_versioning(
        Bucket=bucket.location.bucket,
        VersioningConfiguration=off,  # type: ignore[arg-type]
    )
    bucket.put("a/b.csv")
    head = bucket.zone.head("a/b.csv")
    assert head is not None and "#" not in head.etag
    assert [head] == lies_below(bucket.zone, "a")


def test_fetch_says_which_object_it_copied(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a/b.csv", b"old")
    listed = lies_below(bucket.zone, "a")[0]
    bucket.put("a/b.csv", b"newer")
    copied = bucket.zone.fetch(listed, tmp_path / "new/folder/copy")
    assert copied == bucket.zone.head("a/b.csv") and copied.listed != listed.etag
    assert (tmp_path / "new/folder/copy").read_bytes() == b"newer"


def test_an_object_that_is_gone_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a/b.csv")
    listed = lies_below(bucket.zone, "a")[0]
    bucket.delete("a/b.csv")
    assert bucket.zone.head("a/b.csv") is None
    with pytest.raises(ObjectChanged, match=r"a/b\.csv.*removed"):
        bucket.zone.fetch(listed, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def damaging(bucket: Bucket, monkeypatch: pytest.MonkeyPatch, bodies: list[bytes]) -> None:
    """Let the next answers arrive with these bodies, whatever S3 said."""
    get = bucket.zone._get

    def damaged(key: str) -> Any:
        answer = dict(get(key))
        if bodies:
            raw = io.BytesIO(bodies.pop(0))
            answer["Body"] = botocore.response.StreamingBody(raw, answer["ContentLength"])
        return answer

    monkeypatch.setattr(bucket.zone, "_get", damaged)


def test_short_and_damaged_bodies_are_read_again(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a/b.csv", b"content")
    damaging(bucket, monkeypatch, [b"", b"cont", b"damaged"])
    bucket.zone.fetch(lies_below(bucket.zone, "a")[0], tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == b"content"


def test_what_never_arrives_whole_is_an_error_and_leaves_nothing(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket.put("a/b.csv", b"content")
    monkeypatch.setattr(zone_s3, "LONGEST_WAIT_SECONDS", 0)
    damaging(bucket, monkeypatch, [b"damaged"] * 100)
    with pytest.raises(zone_s3._Damaged, match="checksum"):
        bucket.zone.fetch(lies_below(bucket.zone, "a")[0], tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
