"""Rejected rows tried again after the contract was mended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from shared_resources.landing.reader import StagedObject, stage_object
from shared_resources.landing.rejects_again import stage_rejects
from tests.landing.staging import landing_contract

CSV = b'id,name,price\n7,"a, ""b""\n",1.5\n3.7,x,1\n007,"",2\n1,only two\nbad,NA,bad\n'
JSONL = (
    b'{"id": 7, "name": "a"}\n{"id": 3.7, "name": "x"}\n{"id": "7"}\n{"id": 1, "old": null}\n'
    b"{broken\n"
)
COLUMNS = {"id": "int", "name": "text", "price": "float"}


def rejected(format_: str, content: bytes, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    copy.write_bytes(content)
    contract = landing_contract(format_, COLUMNS)
    staged = stage_object(contract, copy, "a/b", tmp_path / "first", "2026-03-01")
    assert staged.rejects is not None
    return staged.rejects


def again(format_: str, columns: dict[str, str], rejects: Path, tmp_path: Path) -> StagedObject:
    folder = tmp_path / "again"
    return stage_rejects(landing_contract(format_, columns), rejects, folder, "2026-03-01")


def rows(staged: StagedObject) -> list[dict[str, Any]]:
    return [row for file in staged.files for row in pq.read_table(file.path).to_pylist()]


def places(staged: StagedObject) -> list[tuple[str, int, int]]:
    assert staged.rejects is not None
    table = pq.read_table(staged.rejects, columns=["_object", "_row", "_line"])
    found = [tuple(row.values()) for row in table.to_pylist()]
    assert len(found) == staged.rejected_rows
    return sorted(found)


def test_rows_that_are_readable_now_are_staged_and_the_others_kept(tmp_path: Path) -> None:
    rejects = rejected("csv", CSV, tmp_path)
    mended = {**COLUMNS, "id": "text"}
    staged = again("csv", mended, rejects, tmp_path)
    assert rows(staged) == [
        {"id": "3.7", "name": "x", "price": 1.0},
        {"id": "007", "name": "", "price": 2.0},
    ]
    assert places(staged) == [("a/b", 4, 6), ("a/b", 5, 7)]


def test_an_unmended_contract_rejects_the_same_rows_again(tmp_path: Path) -> None:
    rejects = rejected("csv", CSV, tmp_path)
    staged = again("csv", COLUMNS, rejects, tmp_path)
    assert rows(staged) == []
    assert staged.rejects is not None
    first, second = (
        pq.read_table(p).sort_by("_row").to_pylist() for p in (rejects, staged.rejects)
    )
    assert first == second


def test_a_row_that_may_be_cut_off_is_not_let_in_by_trying_again(tmp_path: Path) -> None:
    rejects = rejected("csv", b"id,name,price\n1,x,1\n2,y,12", tmp_path)
    staged = again("csv", COLUMNS, rejects, tmp_path)
    assert rows(staged) == [] and places(staged) == [("a/b", 2, 3)]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": "text", "name": "text"}, 0),
        ({"id": "text", "name": "text", "price": "text", "new": "date"}, 3),
    ],
)
def test_columns_that_came_are_null_and_columns_that_went_lose_nothing(
    tmp_path: Path, columns: dict[str, str], expected: int
) -> None:
    staged = again("csv", columns, rejected("csv", CSV, tmp_path), tmp_path)
    assert len(rows(staged)) == expected
    assert all(row["new"] is None for row in rows(staged))
    assert len(rows(staged)) + staged.rejected_rows == 4


def test_json_rows_keep_their_types(tmp_path: Path) -> None:
    rejects = rejected("jsonl", JSONL, tmp_path)
    staged = again("jsonl", {**COLUMNS, "id": "float", "old": "text"}, rejects, tmp_path)
    assert [row["id"] for row in rows(staged)] == [1.0, 3.7]
    assert places(staged) == [("a/b", 3, 3), ("a/b", 5, 5)]
