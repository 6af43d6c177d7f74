"""Samples and messages: useful to whoever mends the data, and no leak."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared_resources.contracts.model import Classification, Column
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.landing.rejects import Reason, Reject, RejectsWriter
from tests.contract_factory import (
    audit_rows,
    make_column,
    make_contract,
    make_rule,
    result_of,
    stage,
    table,
)


def _people(*columns: Column, rules: Any = ()) -> Any:
    return make_contract([make_column("id", primary_key_position=1), *columns], rules)


@pytest.mark.parametrize(
    ("classification", "shown"),
    [
        (Classification.PUBLIC, "ada@example.com"),
        (Classification.INTERNAL, "ada@example.com"),
        (Classification.CONFIDENTIAL, "***"),
        (Classification.RESTRICTED, "***"),
        (None, "***"),
    ],
)
def test_classified_and_unclassified_columns_are_masked(
    tmp_path: Path, classification: Classification | None, shown: str
) -> None:
    mail = make_column("mail", "text", classification=classification)
    rules = [
        make_rule("pattern", "mail", pattern="^x"),
        make_rule("unique", "mail"),
        make_rule("range", "id", maximum=0),
    ]
    values = {"id": [1, 2, 3], "mail": ["ada@example.com", "ada@example.com", None]}
    report = audit_rows(tmp_path, _people(mail, rules=rules), **values)
    for result in report.results:
        assert {row["mail"] for row in result.sample} <= {shown, None}
        assert result.sample and result.sample[0]["mail"] == shown
        if shown == "***":
            assert "ada" not in json.dumps(result.as_json())


def test_a_missing_value_of_a_classified_column_shows_as_missing(tmp_path: Path) -> None:
    mail = make_column("mail", "text", classification=Classification.RESTRICTED)
    contract = _people(mail, rules=[make_rule("required", "mail")])
    report = audit_rows(tmp_path, contract, id=[1], mail=[None])
    assert result_of(report, "required_mail").sample == ({"mail": None, "id": 1},)


def test_the_rules_column_and_the_key_come_first_and_long_values_are_cut(tmp_path: Path) -> None:
    wide = [make_column(f"c{place:02}", "text") for place in range(20)]
    contract = _people(*wide, rules=[make_rule("length", "c15", maxLength=5)])
    values = {column.name: ["x" * 1_000_000] for column in wide}
    report = audit_rows(tmp_path, contract, id=[7], **values)
    (row,) = report.results[0].sample
    assert list(row)[:3] == ["c15", "id", "c00"] and len(row) == 12
    assert len(row["c15"]) == 80 and row["c15"].endswith("…")


def test_samples_are_at_most_five_and_fit_json(tmp_path: Path) -> None:
    types = {"t": "timestamp_tz", "d": "date", "m": "decimal", "f": "float", "b": "bool"}
    contract = make_contract(types, [make_rule("required", "b")])
    values = {
        "t": [datetime(2017, 1, 1, tzinfo=UTC)],
        "d": [date(2017, 1, 1)],
        "m": [Decimal("1.50")],
        "f": [float("inf")],
        "b": [None],
    }
    report = audit_rows(tmp_path, contract, **{name: one * 9 for name, one in values.items()})
    (result,) = report.as_json()["results"]
    assert len(result["sample"]) == 5
    assert json.loads(json.dumps(result["sample"][0], allow_nan=False)) == {
        "b": None,
        "t": "2017-01-01 00:00:00+00:00",
        "d": "2017-01-01",
        "m": "1.50",
        "f": "inf",
    }


def test_duplicates_are_shown_side_by_side(tmp_path: Path) -> None:
    contract = make_contract({"k": "int", "v": "int"}, [make_rule("unique", "k")])
    report = audit_rows(tmp_path, contract, k=[1, 2, 3, 1, 2], v=[10, 20, 30, 11, 21])
    result = result_of(report, "unique_k")
    assert [row["k"] for row in result.sample] == [1, 1, 2, 2]


def test_a_column_that_holds_undeclared_personal_data_is_shown_nowhere(tmp_path: Path) -> None:
    found = make_rule(
        "personal_data",
        "note",
        predicate_patterns=[{"name": "e-mail address", "pattern": "[a-z]+@[a-z.]+"}],
    )
    rules = [make_rule("range", "id", maximum=0), found]
    contract = _people(make_column("note", "text"), rules=rules)
    report = audit_rows(tmp_path, contract, id=[1], note=["mail ada@example.com"])
    assert result_of(report, "personal_data_note").rows_failed == 1
    assert "ada" not in json.dumps(report.as_json())


def test_rejected_rows_are_shown_with_their_place_and_masked(tmp_path: Path) -> None:
    writer = RejectsWriter(tmp_path / "rejects.parquet", "order/lines.csv")
    for row in range(1, 8):
        writer.add(
            Reject(
                row,
                row + 1,
                '{"id": "x", "mail": "ada@example.com"}',
                (
                    Reason("id", "x", "'x' is no integer"),
                    Reason("mail", "ada@example.com", "'ada@example.com' is too long"),
                    Reason("unknown", "secret", "is 'secret'"),
                    Reason(None, None, "has 3 cells for 2 columns"),
                ),
            )
        )
    path = writer.close()
    mail = make_column("mail", "text", classification=Classification.CONFIDENTIAL)
    contract = _people(mail, rules=[make_rule("parse")])
    batch = stage(
        tmp_path / "staged", table(contract, id=[1], mail=[None]), rejects=path, rejected_rows=7
    )
    result = result_of(audit(StagedData(batch), contract), "parse")
    assert (result.rows_failed, result.rows_checked, result.passed) == (7, 8, False)
    assert "7 of 8 rows (87.5 %) could not be read" in result.message
    assert len(result.sample) == 5
    assert result.sample[0] == {
        "_object": "order/lines.csv",
        "_row": 1,
        "_line": 2,
        "_problems": "id: 'x' is no integer (x); mail: '***' is too long (***); "
        "unknown: is '***' (***); has 3 cells for 2 columns",
    }


def test_a_number_as_long_as_a_persons_is_not_shown_where_personal_data_was_found(
    tmp_path: Path,
) -> None:
    found = make_rule("personal_data", "id", "bsn", predicate_patterns=[], numbers=True)
    contract = _people(make_column("bsn"), rules=[found])
    report = audit_rows(tmp_path, contract, id=[1, 2], bsn=[111222333, 123456782])
    (result,) = report.results
    assert result.rows_failed == 2
    assert [(row["id"], row["bsn"]) for row in result.sample] == [(1, "***"), (2, "***")]
