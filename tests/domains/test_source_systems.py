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
from domains.source_systems.objects import INCOMING, LandingWriter
from domains.source_systems.systems import SYSTEMS

TABLE = pa.table({"id": [1, 2], "size": ['12 OZ, "XL"', None], "name": ["é\n", ""]})


def test_csv_writes_nulls_as_empty_cells_and_quotes_what_needs_it(tmp_path: Path):
    LandingWriter(tmp_path).csv("product/catalog/c.csv", TABLE)
    with (tmp_path / "product/catalog/c.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [["id", "size", "name"], ["1", '12 OZ, "XL"', "é\n"], ["2", "", ""]]


def test_jsonl_writes_an_object_a_line_with_iso_dates(tmp_path: Path):
    dated = TABLE.append_column("on", [[datetime.date(2017, 1, 2), None]])
    LandingWriter(tmp_path).jsonl("a/b/c.jsonl", dated)
    lines = (tmp_path / "a/b/c.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {
        "id": 1,
        "size": '12 OZ, "XL"',
        "name": "é\n",
        "on": "2017-01-02",
    }
    assert json.loads(lines[1])["on"] is None


def test_the_same_content_is_left_alone_and_other_content_replaces_it(tmp_path: Path):
    first = LandingWriter(tmp_path)
    first.parquet("a/b/c.parquet", TABLE.schema, TABLE.to_batches())
    target = tmp_path / "a/b/c.parquet"
    os.utime(target, (1, 1))

    again = LandingWriter(tmp_path)
    again.parquet("a/b/c.parquet", TABLE.schema, TABLE.to_batches())
    assert (again.written, again.kept) == (0, 1)
    assert target.stat().st_mtime == 1, "an unchanged object must not look new to a sensor"

    again.parquet("a/b/c.parquet", TABLE.schema, TABLE.slice(0, 1).to_batches())
    assert (again.written, again.kept) == (1, 1)
    assert pq.read_table(target).num_rows == 1


def test_an_object_that_cannot_be_written_leaves_the_old_one_and_no_remains(tmp_path: Path):
    landing = LandingWriter(tmp_path)
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
