"""Many parts at once: the same results as one by one, in one pass."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from shared_resources.contracts.model import Partitioning
from shared_resources.governance.audit import counting
from shared_resources.governance.audit.audit import audit, audit_parts
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.personal_data.validating import is_valid
from shared_resources.stores.protocol import StagedBatch
from tests.contract_factory import failing, make_contract, make_rule, stage, table

RULES = [
    make_rule("columns"),
    make_rule("not_empty"),
    make_rule("required", "id"),
    make_rule("unique", "id"),
    make_rule("range", "id", minimum=1),
    make_rule("partition", "day"),
    make_rule("sql", query="SELECT count(*) FROM batch WHERE id = 5"),
    make_rule(
        "personal_data",
        "note",
        predicate_patterns=[{"name": "card", "pattern": "[0-9]{16}", "validator": "luhn"}],
    ),
]
CONTRACT = make_contract(
    {"id": "int", "day": "date", "note": "text"},
    RULES,
    partitioning=Partitioning("day", date(2017, 1, 1)),
)


def _part(folder: Path, day: str, ids: list[int | None], **changes: object) -> StagedBatch:
    rows = table(
        CONTRACT,
        id=ids,
        day=[date.fromisoformat(str(changes.get("in_file", day)))] * len(ids),
        note=[changes.get("note")] * len(ids),
    )
    if "extra" in changes:
        rows = rows.append_column("extra", pa.array([1] * len(ids)))
    return stage(folder, rows, partitions=[day])


@pytest.fixture
def parts(tmp_path: Path) -> list[StagedBatch]:
    return [
        _part(tmp_path, "2017-01-01", [1, 2, 3]),
        _part(tmp_path, "2017-01-02", [1, 1, None]),
        _part(tmp_path, "2017-01-03", []),
        _part(tmp_path, "2017-01-04", [5, -5], extra=True),
        _part(tmp_path, "2017-01-05", [5], in_file="2017-01-06"),
        _part(tmp_path, "2017-01-06", [7], note="4111111111111111"),
        _part(tmp_path, "2017-01-07", [7], note="4111111111111112"),
    ]


def test_parts_are_audited_each_by_itself(parts: list[StagedBatch]) -> None:
    together = audit_parts(parts, CONTRACT)
    alone = [audit(StagedData(part), CONTRACT) for part in parts]
    assert [r.as_json() for r in together] == [r.as_json() for r in alone]
    assert [report.passed for report in together] == [True, *[False] * 5, True]
    assert [report.rows for report in together] == [3, 3, 0, 2, 1, 1, 1]
    assert [failing(report, "unique_id") for report in together] == [0, 2, 0, 0, 0, 0, 0]
    assert [failing(report, "partition_day") for report in together] == [0, 0, 0, 0, 1, 0, 0]


def test_parts_of_one_schema_share_the_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [_part(tmp_path, f"2017-01-{day:02}", [day, day + 100]) for day in range(6, 26)]
    passes: list[int] = []
    original = counting.count_rules

    def counted(given: counting.Parts, *rest: object) -> list[counting.PartCounts]:
        passes.append(len(given))
        return original(given, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr("shared_resources.governance.audit.audit.count_rules", counted)
    reports = audit_parts(parts, CONTRACT)
    assert passes == [20] and all(report.passed for report in reports)


def test_a_part_of_several_files_is_one_part(tmp_path: Path) -> None:
    rows = table(CONTRACT, id=[1], day=[date(2017, 1, 1)], note=[None])
    folder = tmp_path / "two"
    first = stage(folder, rows, rows, partitions=["2017-01-01"])
    second = _part(tmp_path / "one", "2017-01-02", [1])
    reports = audit_parts([first, second], CONTRACT)
    assert [failing(report, "unique_id") for report in reports] == [2, 0]


def test_columns_named_like_duckdbs_own_do_not_mislead(tmp_path: Path) -> None:
    rules = [make_rule("partition", "day"), make_rule("required", "filename")]
    contract = make_contract(
        {"filename": "text", "file_index": "int", "day": "date"},
        rules,
        partitioning=Partitioning("day", date(2017, 1, 1)),
    )
    parts = [
        stage(
            tmp_path,
            table(contract, filename=["x", None], file_index=[9, 9], day=[date(2017, 1, d)] * 2),
            partitions=[f"2017-01-{d:02}"],
        )
        for d in (1, 2)
    ]
    reports = audit_parts(parts, contract)
    assert [failing(report, "partition_day") for report in reports] == [0, 0]
    assert [failing(report, "required_filename") for report in reports] == [1, 1]


def test_nothing_is_left_behind(tmp_path: Path, parts: list[StagedBatch]) -> None:
    audit_parts(parts, CONTRACT)
    assert not [path for path in tmp_path.rglob("*") if "audit" in path.name]
    assert duckdb.connect().execute("SELECT 1").fetchone() == (1,)


def test_persons_numbers_are_found_in_the_part_that_has_them(tmp_path: Path) -> None:
    """A look at all parts at once clears those in which ids only look alike."""
    persons = [text for n in range(111222000, 111223000) if is_valid("nl.bsn", text := str(n))]
    ids = [str(900_000_000 + 7 * n) for n in range(60)]
    rule = make_rule("personal_data", "note", predicate_patterns=[], numbers=True)
    contract = make_contract({"note": "text"}, [rule])
    parts = [ids, persons[:50], ids[:3], persons[:2], ["none"]]
    batches = [
        stage(tmp_path / str(number), table(contract, note=values))
        for number, values in enumerate(parts)
    ]
    reports = audit_parts(batches, contract)
    assert [report.results[0].rows_failed for report in reports] == [0, 50, 0, 0, 0]
