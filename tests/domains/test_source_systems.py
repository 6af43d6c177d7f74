"""The source systems' objects: whole, reproducible, left alone when nothing changed."""

from __future__ import annotations

import csv
import datetime
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from domains.source_systems.__main__ import main
from domains.source_systems.contacts import synthetic_contacts
from domains.source_systems.objects import LandingWriter
from domains.source_systems.systems import SYSTEMS
from shared_resources.landing.zones.folder import INCOMING, FolderLandingZone
from shared_resources.wiring import ProductionEnvironment
from tests.landing.listing import lies_below

TABLE = pa.table({"id": [1, 2], "size": ['12 OZ, "XL"', None], "name": ["é\n", ""]})


def test_csv_writes_nulls_as_empty_cells_and_quotes_what_needs_it(tmp_path: Path):
    LandingWriter(FolderLandingZone(tmp_path)).csv("product/catalog/c.csv", TABLE)
    with (tmp_path / "product/catalog/c.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["id", "size", "name"], ["1", '12 OZ, "XL"', "é\n"], ["2", "", ""]]


def test_jsonl_writes_an_object_a_line_with_iso_dates(tmp_path: Path):
    dated = TABLE.append_column("on", [[datetime.date(2017, 1, 2), None]])
    LandingWriter(FolderLandingZone(tmp_path)).jsonl("a/b/c.jsonl", dated)
    lines = (tmp_path / "a/b/c.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "id": 1,
        "size": '12 OZ, "XL"',
        "name": "é\n",
        "on": "2017-01-02",
    }
    assert json.loads(lines[1])["on"] is None


def test_the_same_content_is_left_alone_and_other_content_replaces_it(tmp_path: Path):
    first = LandingWriter(FolderLandingZone(tmp_path))
    first.parquet("a/b/c.parquet", TABLE.schema, TABLE.to_batches())
    target = tmp_path / "a/b/c.parquet"
    os.utime(target, (1, 1))

    again = LandingWriter(FolderLandingZone(tmp_path))
    again.parquet("a/b/c.parquet", TABLE.schema, TABLE.to_batches())
    assert (again.written, again.kept) == (0, 1)
    assert target.stat().st_mtime == 1, "an unchanged object must not look new to a sensor"

    again.parquet("a/b/c.parquet", TABLE.schema, TABLE.slice(0, 1).to_batches())
    assert (again.written, again.kept) == (1, 1)
    assert pq.read_table(target).num_rows == 1


def test_an_object_that_cannot_be_written_leaves_the_old_one_and_no_remains(tmp_path: Path):
    landing = LandingWriter(FolderLandingZone(tmp_path))
    landing.parquet("a/b/c.parquet", TABLE.schema, TABLE.to_batches())

    def broken():
        yield TABLE.to_batches()[0]
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="disk is full"):
        landing.parquet("a/b/c.parquet", TABLE.schema, broken())
    assert pq.read_table(tmp_path / "a/b/c.parquet").equals(TABLE)
    assert not (tmp_path / INCOMING).exists()


def test_contacts_are_reproducible_unique_and_of_nobody():
    contacts = synthetic_contacts([3, 1, 2, *range(10, 600)])
    assert contacts.equals(synthetic_contacts([*range(10, 600), 1, 2, 3]))
    rows = contacts.to_pylist()
    assert [row["household_id"] for row in rows[:3]] == [1, 2, 3]
    assert len({row["email"] for row in rows}) == len(rows)
    assert all(row["email"].endswith("@example.com") for row in rows)
    assert all(row["phone"][6:12] == "-555-0" for row in rows)


def test_the_command_says_what_is_wrong_without_a_traceback(tmp_path: Path, capsys):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    assert main(["--to", str(blocked)]) == 1
    assert "nothing more was landed" in capsys.readouterr().err


def test_a_few_days_are_the_first_days_and_their_weeks(tmp_path: Path, monkeypatch, capsys):
    daily = ("order/transactions", "marketing/promotions")
    systems = {key: SYSTEMS[key] for key in daily}
    monkeypatch.setattr("domains.source_systems.__main__.SYSTEMS", systems)
    assert main(["--to", str(tmp_path), "--days", "2"]) == 0
    tills = files(tmp_path / "order/transactions")
    assert [path.stem for path in tills] == ["2017-01-01", "2017-01-02"]
    (plan,) = files(tmp_path / "marketing/promotions")
    weeks = pq.read_table(plan, columns=["week"])["week"]
    sold = max(pq.read_table(path, columns=["week"])["week"].to_pylist()[-1] for path in tills)
    assert set(weeks.unique().to_pylist()) == set(range(1, sold + 1)) == {1, 2}
    sent = sum(pq.ParquetFile(path).metadata.num_rows for path in (*tills, plan))
    assert f"landed {sent:,} rows of 2 products in {tmp_path}: 3 objects" in capsys.readouterr().err


def test_a_bucket_gets_the_same_objects_as_a_folder(
    production: ProductionEnvironment, tmp_path: Path, monkeypatch, capsys
):
    small = ("customer/households", "marketing/campaigns", "marketing/redemptions")
    monkeypatch.setattr(
        "domains.source_systems.__main__.SYSTEMS", {key: SYSTEMS[key] for key in small}
    )
    assert main(["--to", str(tmp_path / "folder")]) == 0
    assert main([]) == 0
    assert "3 objects written, 0 unchanged" in capsys.readouterr().err
    zone = production.landing_zone
    for path in files(tmp_path / "folder"):
        (found,) = lies_below(zone, str(path.relative_to(tmp_path / "folder").parent))
        zone.fetch(found, tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == path.read_bytes()

    assert main([]) == 0
    assert "0 objects written, 3 unchanged" in capsys.readouterr().err


def test_an_object_in_a_bucket_is_put_in_parts_encrypted_and_once(
    production: ProductionEnvironment, tmp_path: Path
):
    file, zone = tmp_path / "large", production.landing_zone
    file.write_bytes(os.urandom(9 << 20))  # an upload in parts has an ETag that is no checksum
    assert zone.put("a/b/large", file)
    assert not zone.put("a/b/large", file)
    location = production.settings.landing
    found = production.settings.s3().head_object(
        Bucket=location.bucket, Key=location.key("a/b/large")
    )
    assert found["ETag"].strip('"').endswith("-2")
    assert found["ServerSideEncryption"] == "AES256"
    file.write_bytes(b"other")
    assert zone.put("a/b/large", file)
    assert zone.head("a/b/large").size == 5


def test_a_bucket_that_is_not_there_is_told_without_a_traceback(
    production: ProductionEnvironment, monkeypatch, capsys
):
    monkeypatch.setenv("MESH_LANDING", "s3://no-such-bucket/landing")
    assert main([]) == 1
    said = capsys.readouterr().err
    assert "nothing more was landed: s3://no-such-bucket/landing/customer/households" in said
    assert "NoSuchBucket" in said


@pytest.mark.slow
def test_landing_twice_gives_the_same_bytes(tmp_path: Path, monkeypatch, capsys):
    small = {key: system for key, system in SYSTEMS.items() if key != "marketing/promotions"}
    monkeypatch.setattr("domains.source_systems.__main__.SYSTEMS", small)
    for name in ("one", "two"):
        assert main(["--to", str(tmp_path / name)]) == 0
    one, two = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in files(tmp_path / name)}
        for name in ("one", "two")
    )
    assert len(one) == 372
    assert one == two
    assert "372 objects written, 0 unchanged" in capsys.readouterr().err


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
