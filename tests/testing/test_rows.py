"""`rows_of`: rows that keep a contract, made from it."""

from __future__ import annotations

import random
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.text_formats import STRING_FORMATS
from shared_resources.environment import PROJECT_ROOT
from shared_resources.testing import NoSuchRows, rows_of
from shared_resources.testing.pattern_texts import text_of
from tests.tiny_mesh import column, contract_text

EXAMPLE = sorted((PROJECT_ROOT / "domains").glob("*/products/*/contract.odcs.yaml"))


def contract(folder: Path, *columns: dict[str, Any], **properties: Any) -> Path:
    file = folder / "contract.odcs.yaml"
    file.write_text(contract_text("order/lines", columns, properties=properties))
    return file


@pytest.mark.parametrize("file", EXAMPLE, ids=lambda file: file.parent.name)
def test_every_contract_of_the_example_has_rows(file: Path) -> None:
    # `rows_of` audits what it made: that it returns is the proof.
    made = rows_of(file, 40)
    assert made.num_rows == 40
    assert made.schema.names == [one.name for one in read_contract(file).columns]


def test_the_edges_are_among_them(tmp_path: Path) -> None:
    file = contract(
        tmp_path,
        column("n", required=True, logicalTypeOptions={"minimum": 3, "maximum": 9}),
        column("x", "DOUBLE", required=True, logicalTypeOptions={"exclusiveMinimum": 0}),
        column("text", "VARCHAR", required=True, logicalTypeOptions={"maxLength": 5}),
        column("kind", "VARCHAR", required=True, enum=[{"value": "a"}, {"value": "b"}]),
        column("note", "VARCHAR"),
    )
    made = rows_of(file, 30)
    assert {3, 9} <= {*made["n"].to_pylist()} <= {*range(3, 10)}
    assert min(made["x"].to_pylist()) > 0
    assert {len(text) for text in made["text"].to_pylist()} >= {1, 5}
    assert "ä" in made["text"].to_pylist()
    assert {*made["kind"].to_pylist()} == {"a", "b"}
    assert made["note"].null_count > 0


def test_a_composite_key_differs_in_every_row(tmp_path: Path) -> None:
    key = {"primaryKey": True, "required": True}
    file = contract(
        tmp_path,
        column(
            "store", "VARCHAR", enum=[{"value": "a"}, {"value": "b"}], primaryKeyPosition=1, **key
        ),
        column("line", primaryKeyPosition=2, **key),
    )
    made = rows_of(file, 50)
    pairs = zip(made["store"].to_pylist(), made["line"].to_pylist(), strict=True)
    assert len({*pairs}) == 50
    given = rows_of(file, 50, store=["a", "b"])
    assert given["store"].to_pylist()[:4] == ["a", "b", "a", "b"]


def test_days_are_those_of_the_partitions(tmp_path: Path) -> None:
    days = {"cadence": "daily", "column": "day", "start": "2024-02-28", "end": "2024-03-02"}
    landing = {"prefix": "order/lines", "format": "csv", "mode": "partition"}
    landing["object"] = "{partition}.csv"
    file = contract(
        tmp_path, column("day", "DATE", required=True), landing=landing, partitions=days
    )
    made = {*rows_of(file, 30)["day"].to_pylist()}
    assert made == {date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)}


def test_the_same_is_made_again_and_another_seed_makes_others(tmp_path: Path) -> None:
    file = contract(tmp_path, column("x", "DOUBLE"), column("t", "VARCHAR"))
    assert rows_of(file, 50).equals(rows_of(file, 50))
    assert not rows_of(file, 50).equals(rows_of(file, 50, seed=1))


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"n": [11]}, "range_n"),
        ({"m": 1}, "has no column m"),
        ({"n": "many"}, "order/lines"),
    ],
)
def test_what_breaks_the_contract_is_named(tmp_path: Path, given: dict[str, Any], why: str) -> None:
    file = contract(tmp_path, column("n", logicalTypeOptions={"maximum": 10}))
    with pytest.raises(NoSuchRows, match=why):
        rows_of(file, **given)


def test_a_key_of_too_few_values_is_said(tmp_path: Path) -> None:
    key = {"primaryKey": True, "required": True}
    file = contract(tmp_path, column("b", "BOOLEAN", **key))
    assert rows_of(file, 2).num_rows == 2
    with pytest.raises(NoSuchRows, match=r"the key \(b\) has 2 different values, for 3 rows"):
        rows_of(file, 3)


@pytest.mark.parametrize(
    "pattern",
    [
        "^[A-Z]{2}-[0-9]{4}$",
        "^(open|closed)$",
        r"^\d+(\.\d{2})?$",
        "^[^,;]{3,5}$",
        r"^a\.b$",
        "x",
        *(one for one in STRING_FORMATS.values() if one),
    ],
)
def test_a_text_matches_its_pattern(pattern: str) -> None:
    chance = random.Random(7)
    for _ in range(20):
        assert re.search(pattern, text_of(pattern, chance))
