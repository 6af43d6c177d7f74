"""The landing zone: what is listed, what is copied, what is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

import pytest

from shared_resources.landing.errors import LandingError, ObjectChanged, RefusedKey
from shared_resources.landing.zones import folder as zone_module
from shared_resources.landing.zones.folder import FolderLandingZone as LandingZone
from tests.landing.listing import lies_below


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


def put(zone: LandingZone, key: str, content: bytes = b"x") -> Path:
    path = zone.root / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_lists_recursively_without_unfinished_names(zone: LandingZone) -> None:
    for key in ("a/b.csv", "a/deep/er/c.csv", "other/d.csv"):
        put(zone, key)
    for key in ("a/.x", "a/_x", "a/x.tmp", "a/x.part", "a/.incoming/x.csv", "a/_temporary/x.csv"):
        put(zone, key)
    assert [obj.key for obj in lies_below(zone, "a")] == ["a/b.csv", "a/deep/er/c.csv"]


def test_a_prefix_where_nothing_has_landed_is_empty(zone: LandingZone) -> None:
    assert lies_below(zone, "nothing/here") == []


def test_a_prefix_is_a_folder_and_no_beginning_of_a_name(zone: LandingZone) -> None:
    put(zone, "order/transactions/a.csv")
    put(zone, "order/transactions_old/b.csv")
    assert [obj.key for obj in lies_below(zone, "order/transactions/")] == [
        "order/transactions/a.csv"
    ]
    with pytest.raises(LandingError, match="is a file"):
        lies_below(zone, "order/transactions/a.csv")


def test_a_replaced_object_has_another_etag(zone: LandingZone) -> None:
    path = put(zone, "a/b.csv", b"one")
    first = lies_below(zone, "a")[0]
    times = path.stat()
    new = put(zone, "a/.b.csv", b"two")
    os.utime(new, ns=(times.st_atime_ns, times.st_mtime_ns))
    new.replace(path)
    second = lies_below(zone, "a")[0]
    assert (first.key, first.size, first.modified_at) == (
        second.key,
        second.size,
        second.modified_at,
    )
    assert first.etag != second.etag


@pytest.mark.parametrize(
    "key", ["../x", "a/../../x", "/etc/passwd", "a\\..\\x", "", ".", "a\0b", "a/\ud800"]
)
def test_keys_do_not_climb_out(zone: LandingZone, key: str) -> None:
    put(zone, "a/b.csv")
    with pytest.raises(RefusedKey):
        lies_below(zone, key)


def test_links_out_of_the_zone_are_refused(zone: LandingZone, tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("secret")
    put(zone, "a/b.csv")
    listed = lies_below(zone, "a")[0]
    (zone.root / "a/b.csv").unlink()
    (zone.root / "a/b.csv").symlink_to(secret)
    put(zone, "a/c.csv")
    page = zone.page("a", "", 10)
    assert (
        [obj.key for obj in page.objects]
        == [obj.key for obj in lies_below(zone, "a")]
        == ["a/c.csv"]
    )
    ((_, refusal),) = page.refusals
    assert refusal.startswith("a/b.csv: is a link that leads out")
    with pytest.raises(RefusedKey, match=r"a/b\.csv"):
        zone.head("a/b.csv")
    with pytest.raises(RefusedKey):
        zone.fetch(listed, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("linked", ["an object", "a folder", "the prefix"])
def test_a_link_does_not_reach_another_domains_objects(zone: LandingZone, linked: str) -> None:
    """Whoever may write below one domain's prefix would read what lies below another's."""
    put(zone, "hr/people/x.csv")
    put(zone, "evil/own/fine.csv")
    (zone.root / "evil/own/again.csv").symlink_to(zone.root / "evil/own/fine.csv")
    if linked == "an object":
        (zone.root / "evil/own/x.csv").symlink_to("../../hr/people/x.csv")
    elif linked == "a folder":
        (zone.root / "evil/own/people").symlink_to(zone.root / "hr/people")
    else:
        (zone.root / "evil/stolen").symlink_to(zone.root / "hr/people")
        with pytest.raises(RefusedKey, match="leads to hr/, where another domain's objects lie"):
            lies_below(zone, "evil/stolen")
        with pytest.raises(RefusedKey, match="leads to hr/"):
            zone.head("evil/stolen/x.csv")
    own = ["evil/own/again.csv", "evil/own/fine.csv"]
    assert [obj.key for obj in lies_below(zone, "evil/own")] == own
    if linked == "a folder":
        with pytest.raises(RefusedKey, match="leads to hr/"):
            zone.head("evil/own/people/x.csv")


def test_a_linked_folder_cannot_loop(zone: LandingZone) -> None:
    put(zone, "a/b.csv")
    (zone.root / "a/loop").symlink_to(zone.root / "a", target_is_directory=True)
    page = zone.page("a", "", 10)
    assert [obj.key for obj in page.objects] == ["a/b.csv"]
    assert page.names == ("a/b.csv", "a/loop")
    ((_, refusal),) = page.refusals
    assert refusal.startswith("a/loop: is a link to a folder")


def test_names_that_are_no_utf8_are_said_and_keep_nothing_back(zone: LandingZone) -> None:
    names = [
        b"b.csv",
        b"b\xc3.csv",
        b"b\xff.csv",
        b"b\xff/x.csv",
        "b\U0001f600.csv".encode(),
        b"c.csv",
    ]
    for name in names:
        path = Path(os.fsdecode(os.fsencode(zone.root / "a") + b"/" + name))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"id")
    meant = ["a/b.csv", "a/b\U0001f600.csv", "a/c.csv"]
    assert [obj.key for obj in lies_below(zone, "a")] == meant
    assert len(zone.page("a", "", 10).refusals) == 3
    found, at, more = [], "", True
    while more:
        page = zone.page("a", at, 1)
        found.extend(obj.key for obj in page.objects)
        assert all("is not UTF-8; rename it" in why for _, why in page.refusals)
        at, more = page.names[-1], page.more
        at.encode()  # It is written down.
    assert found == meant


def test_a_name_that_no_key_may_have_is_said(zone: LandingZone) -> None:
    put(zone, "a/b\\c.csv")
    put(zone, "a/d.csv")
    page = zone.page("a", "", 10)
    assert [obj.key for obj in page.objects] == ["a/d.csv"]
    assert len(page.names) == 2 and "backslash" in str(page.refusals)


def test_fetch_copies_and_leaves_the_object(zone: LandingZone, tmp_path: Path) -> None:
    path = put(zone, "a/b.csv", b"content")
    listed = lies_below(zone, "a")[0]
    assert zone.fetch(listed, tmp_path / "new/folder/copy") == listed
    assert (tmp_path / "new/folder/copy").read_bytes() == path.read_bytes() == b"content"


def test_fetch_says_which_object_it_copied(zone: LandingZone, tmp_path: Path) -> None:
    put(zone, "a/b.csv", b"old")
    listed = lies_below(zone, "a")[0]
    put(zone, "a/b.csv", b"newer")
    copied = zone.fetch(listed, tmp_path / "copy")
    assert copied == lies_below(zone, "a")[0] != listed
    assert (tmp_path / "copy").read_bytes() == b"newer"


def replacing(
    monkeypatch: pytest.MonkeyPatch, zone: LandingZone, times: int, *, rename: bool
) -> None:
    """Replace a/b.csv in the middle of each of the next `times` copies."""
    left = [times]

    def copy(source: BinaryIO, target: BinaryIO, length: int) -> None:
        target.write(source.read(2))
        if left[0]:
            left[0] -= 1
            new = put(zone, "a/.new" if rename else "a/b.csv", b"replaced %d" % left[0])
            if rename:
                new.replace(zone.root / "a/b.csv")
        target.write(source.read())

    monkeypatch.setattr(zone_module.shutil, "copyfileobj", copy)


@pytest.mark.parametrize("rename", [True, False])
def test_an_object_replaced_while_it_is_copied_is_copied_again(
    zone: LandingZone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rename: bool
) -> None:
    put(zone, "a/b.csv", b"first")
    listed = lies_below(zone, "a")[0]
    replacing(monkeypatch, zone, 2, rename=rename)
    copied = zone.fetch(listed, tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == (zone.root / "a/b.csv").read_bytes()
    assert copied == lies_below(zone, "a")[0]


@pytest.mark.parametrize("rename", [True, False])
def test_an_object_that_keeps_changing_is_refused(
    zone: LandingZone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rename: bool
) -> None:
    put(zone, "a/b.csv", b"first")
    listed = lies_below(zone, "a")[0]
    replacing(monkeypatch, zone, 100, rename=rename)
    with pytest.raises(ObjectChanged, match=r"a/b\.csv.*rename"):
        zone.fetch(listed, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_an_object_that_is_gone_is_refused(zone: LandingZone, tmp_path: Path) -> None:
    put(zone, "a/b.csv")
    listed = lies_below(zone, "a")[0]
    (zone.root / "a/b.csv").unlink()
    with pytest.raises(ObjectChanged):
        zone.fetch(listed, tmp_path / "copy")
