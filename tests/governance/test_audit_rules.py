"""Row-level rules: what fails, what passes, and the edges between."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from shared_resources.contracts.model import (
    Operator,
    Partitioning,
    Severity,
    Threshold,
    Unit,
)
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from tests.contract_factory import (
    at_most,
    audit_rows,
    failing,
    make_column,
    make_contract,
    make_rule,
    result_of,
    stage,
    table,
)

NAN, INF = float("nan"), float("inf")

# (type, kind, arguments, values, how many fail)
CASES: list[tuple[str, str, dict[str, Any], list[Any], int]] = [
    ("int", "required", {}, [1, 2, 3], 0),
    ("int", "required", {}, [1, None, None], 2),
    ("text", "required", {}, ["", " ", None], 1),
    ("float", "required", {}, [NAN, INF, -INF, None, 0.0], 2),
    ("float32", "required", {}, [NAN, 1.5], 1),
    ("float", "null_values", {}, [NAN, 1.0, None], 2),
    ("text", "enumeration", {"values": ["a", "b"]}, ["a", "b", None, "c", "", "A"], 3),
    ("text", "enumeration", {"values": ["it's", 'quo"te', "a\nb"]}, ["it's", 'quo"te', "a\nb"], 0),
    ("int", "enumeration", {"values": [1, None]}, [1, 2, None], 1),
    ("int", "enumeration", {"values": []}, [1, None], 1),
    ("float", "enumeration", {"values": [0.1, 1]}, [0.1, 1.0, 0.2, NAN, INF], 2),
    ("float32", "enumeration", {"values": [0.1]}, [0.1, 0.2], 1),
    ("decimal", "enumeration", {"values": [0.1, "2.50"]}, [Decimal("0.10"), Decimal("2.5")], 0),
    ("bool", "enumeration", {"values": [True]}, [True, False, None], 1),
    ("date", "enumeration", {"values": ["2017-01-01"]}, [date(2017, 1, 1), date(2017, 1, 2)], 1),
    ("text", "pattern", {"pattern": "^[A-Z]{2}$"}, ["AB", "ABC", "ab", "", None, "AB\n"], 4),
    ("text", "pattern", {"pattern": "b"}, ["abc", "b", "xyz"], 1),
    ("text", "pattern", {"pattern": r"^\d+$"}, ["123", "١٢٣"], 1),
    ("text", "pattern", {"pattern": "^.{2}$"}, ["añ", "😀😀", "a", "e\u0301"], 1),
    ("text", "pattern", {"pattern": "it's"}, ["it's", "its"], 1),
    ("int", "range", {"minimum": 1, "maximum": 3}, [0, 1, 3, 4, None], 2),
    ("int", "range", {"exclusiveMinimum": 1, "exclusiveMaximum": 3}, [1, 2, 3], 2),
    ("int", "range", {"minimum": 0.5}, [0, 1], 1),
    ("int", "range", {"minimum": 0}, [-(2**63), 2**63 - 1], 1),
    ("float", "range", {"minimum": 0, "maximum": 10}, [0.0, 10.0, NAN, None, INF, -INF, 10.1], 3),
    ("float", "range", {"minimum": 0}, [INF, NAN, -0.0], 0),
    ("float32", "range", {"maximum": 0.1}, [0.1, 0.11], 1),
    ("decimal", "range", {"maximum": 0.1}, [Decimal("0.10"), Decimal("0.11")], 1),
    ("date", "range", {"minimum": "2017-01-01"}, [date(2016, 12, 31), date(2017, 1, 1)], 1),
    ("date", "range", {"maximum": date(2017, 1, 1)}, [date(2017, 1, 1), date(2017, 1, 2)], 1),
    (
        "timestamp",
        "range",
        {"exclusiveMaximum": "2017-01-02T00:00:00"},
        [datetime(2017, 1, 1, 23, 59, 59, 999999), datetime(2017, 1, 2)],
        1,
    ),
    ("text", "length", {"minLength": 1, "maxLength": 2}, ["", "a", "ab", "abc", None], 2),
    ("text", "length", {"maxLength": 2}, ["😀😀", "e\u0301x", "añ"], 1),
    ("int", "multiple_of", {"multipleOf": 5}, [0, 5, -10, 7, None], 1),
    ("int", "multiple_of", {"multipleOf": 0.5}, [1, 2], 0),
    ("decimal", "multiple_of", {"multipleOf": 0.05}, [Decimal("1.15"), Decimal("1.16")], 1),
    ("float", "multiple_of", {"multipleOf": 0.1}, [0.3, 0.1 + 0.2, 0.35, NAN, INF, 1e6 + 0.7], 2),
    ("float", "multiple_of", {"multipleOf": 0.01}, [12345678.91, 12345678.915, 0.0], 1),
    ("float32", "multiple_of", {"multipleOf": 0.1}, [0.3, 0.35, 1234.5], 1),
    ("text", "missing_values", {"missingValues": ["", "N/A"]}, ["", "N/A", None, "x"], 3),
    ("int", "missing_values", {"missingValues": [-1]}, [-1, 0, None], 2),
    ("text", "invalid_values", {"validValues": ["a"]}, ["a", "b", None], 1),
    ("text", "invalid_values", {"pattern": "^a"}, ["ab", "b"], 1),
    ("text", "invalid_values", {"validValues": ["a", "b"], "pattern": "a"}, ["a", "b"], 1),
    ("int", "invalid_values", {"minimum": 0, "maximum": 9}, [-1, 5, 10], 2),
    ("int", "range", {"minimum": 0}, [None, None], 0),
    ("float", "range", {"minimum": 0}, [NAN, None], 0),
    ("text", "pattern", {"pattern": "a"}, [None], 0),
    ("int", "duplicate_values", {}, [1, 1, 2, None, None], 2),
    ("float", "unique", {}, [NAN, NAN, None, None, INF, INF, 1.0], 2),
    ("float", "unique", {}, [0.0, -0.0], 2),
    ("text", "unique", {}, ["", "", "a", "A"], 2),
]


@pytest.mark.parametrize(("type_", "kind", "arguments", "values", "expected"), CASES)
def test_row_level_rules(
    tmp_path: Path,
    type_: str,
    kind: str,
    arguments: dict[str, Any],
    values: list[Any],
    expected: int,
) -> None:
    rule = make_rule(kind, "v", name="r", arguments=arguments)
    report = audit_rows(tmp_path, make_contract({"v": type_}, [rule]), v=values)
    result = result_of(report, "r")
    assert result.rows_failed == expected, result.message
    assert result.passed is (expected == 0)
    assert result.rows_checked == len(values)
    assert len(result.sample) == min(expected, 5)


@pytest.mark.parametrize("type_", ["float", "float32"])
@pytest.mark.parametrize("good", [2000.0, 1.0])
def test_nan_is_found_although_parquet_footers_leave_it_out(
    tmp_path: Path, type_: str, good: float
) -> None:
    rules = [
        make_rule("required", "v"),
        make_rule("range", "v", minimum=0, maximum=1000),
        make_rule("enumeration", "v", values=[1.0]),
    ]
    contract = make_contract({"v": type_}, rules)
    report = audit_rows(tmp_path, contract, v=[good, NAN, good] * 1000)
    assert failing(report, "required_v") == 1000
    assert failing(report, "range_v") == (2000 if good > 1000 else 0)
    assert failing(report, "enumeration_v") == (2000 if good > 1000 else 0)
    required = result_of(report, "required_v")
    assert len(required.sample) == 5 and required.sample[0]["v"] is None


def test_zoned_timestamps_are_compared_as_instants(tmp_path: Path) -> None:
    rule = make_rule("range", "v", minimum="2017-01-01T00:00:00Z")
    berlin = timezone(timedelta(hours=1))
    report = audit_rows(
        tmp_path,
        make_contract({"v": "timestamp_tz"}, [rule]),
        v=[
            datetime(2017, 1, 1, 0, 30, tzinfo=berlin),
            datetime(2017, 1, 1, 1, 0, tzinfo=berlin),
            datetime(2017, 1, 1, tzinfo=UTC),
        ],
    )
    assert failing(report, "range_v") == 1


@pytest.mark.parametrize(
    ("operator", "bounds", "passes"),
    [
        (Operator.MUST_BE, (2,), True),
        (Operator.MUST_NOT_BE, (2,), False),
        (Operator.GREATER_THAN, (2,), False),
        (Operator.GREATER_OR_EQUAL, (2,), True),
        (Operator.LESS_THAN, (2,), False),
        (Operator.LESS_OR_EQUAL, (2,), True),
        (Operator.BETWEEN, (1, 2), True),
        (Operator.NOT_BETWEEN, (1, 2), False),
    ],
)
@pytest.mark.parametrize("unit", list(Unit))
def test_every_operator_with_both_units(
    tmp_path: Path, operator: Operator, bounds: tuple[int, ...], passes: bool, unit: Unit
) -> None:
    scale = 25 if unit is Unit.PERCENT else 1
    threshold = Threshold(operator, tuple(bound * scale for bound in bounds), unit)
    rule = make_rule("null_values", "v", threshold=threshold)
    report = audit_rows(
        tmp_path, make_contract({"v": "int"}, [rule]), v=[1, 2, 3, 4, 5, 6, None, None][-4:]
    )
    result = result_of(report, "null_values_v")
    assert (result.rows_failed, result.measured, result.passed) == (2, 2, passes)
    assert str(threshold) in result.message


def test_a_tolerance_says_why_and_a_warning_does_not_refuse(tmp_path: Path) -> None:
    rules = [
        make_rule("required", "v", name="tolerated", threshold=at_most(50, Unit.PERCENT)),
        make_rule("required", "v", name="warned", severity=Severity.WARNING),
        make_rule("required", "v", name="why", threshold=at_most(0), reason="it is so"),
    ]
    report = audit_rows(tmp_path, make_contract({"v": "int"}, rules), v=[1, None])
    assert [result.passed for result in report.results] == [True, False, False]
    assert [result.refuses for result in report.results] == [False, False, True]
    assert "as the contract allows" in report.results[0].message
    assert not report.results[0].sample, "nothing is fetched for a rule that passes"
    assert "it is so" in report.results[2].message


def test_row_count_and_the_empty_batch(tmp_path: Path) -> None:
    rules = [
        make_rule("not_empty"),
        make_rule("row_count", threshold=Threshold(Operator.BETWEEN, (1, 2))),
        make_rule("required", "v"),
    ]
    contract = make_contract({"v": "int"}, rules)
    empty = audit_rows(tmp_path / "empty", contract, v=[])
    assert [result.passed for result in empty.results] == [False, False, True]
    assert "the batch is empty" in empty.results[0].message
    two = audit_rows(tmp_path / "two", contract, v=[1, 2])
    assert two.passed and two.rows == 2
    three = audit_rows(tmp_path / "three", contract, v=[1, 2, 3])
    assert result_of(three, "row_count").measured == 3 and not three.passed


def test_a_batch_without_any_file_is_an_empty_batch(tmp_path: Path) -> None:
    rules = [
        make_rule("columns"),
        make_rule("parse"),
        make_rule("not_empty"),
        make_rule("unique", "v"),
        make_rule("sql", query="SELECT count(*) FROM batch WHERE v > 1"),
    ]
    contract = make_contract({"v": "int"}, rules)
    report = audit(StagedData(stage(tmp_path, rejected_rows=3)), contract)
    assert [result.passed for result in report.results] == [True, False, False, True, True]
    assert failing(report, "parse") == 3 and result_of(report, "parse").rows_checked == 3


def test_results_come_in_the_order_of_the_rules_that_were_given(tmp_path: Path) -> None:
    contract = make_contract({"v": "int"})
    rules = [make_rule("unique", "v"), make_rule("columns"), make_rule("required", "v")]
    batch = stage(tmp_path, table(contract, v=[1]))
    report = audit(StagedData(batch), contract, rules=rules)
    assert [result.rule for result in report.results] == rules


def test_a_value_that_is_none_of_the_type_fails_the_rule_and_no_other(tmp_path: Path) -> None:
    rules = [
        make_rule("range", "d", minimum="the first of May"),
        make_rule("required", "d"),
    ]
    report = audit_rows(tmp_path, make_contract({"d": "date"}, rules), d=[date(2017, 1, 1)])
    first, second = report.results
    assert not first.passed and first.message.startswith("not checked") and second.passed


def test_names_are_quoted(tmp_path: Path) -> None:
    names = ['se"lect', "a b", "from", "Ä", "n", "part", "filename", "file_index"]
    contract = make_contract(
        [make_column(name) for name in names],
        [
            make_rule(kind, name, name=f"r{place}_{kind}", arguments={"minimum": 0})
            for place, name in enumerate(names)
            for kind in ("required", "range", "unique")
        ],
    )
    good = audit_rows(tmp_path / "good", contract, **{name: [1, 2] for name in names})
    assert good.passed, [result.message for result in good.results if not result.passed]
    bad = audit_rows(tmp_path / "bad", contract, **{name: [-1, -1] for name in names})
    assert {result.rows_failed for result in bad.results} == {0, 2}
    assert {tuple(result.sample[0]) for result in bad.refusals} >= {(names[0], *names[1:])}


DAYS = Partitioning("at", date(2017, 1, 1), date(2018, 1, 1))


@pytest.mark.parametrize(
    ("type_", "inside", "outside"),
    [
        ("date", date(2017, 3, 1), date(2017, 3, 2)),
        ("timestamp", datetime(2017, 3, 1, 23, 59, 59, 999999), datetime(2017, 3, 2)),
        (
            "timestamp_tz",
            datetime(2017, 3, 2, 0, 30, tzinfo=timezone(timedelta(hours=1))),
            datetime(2017, 3, 1, 23, 30, tzinfo=timezone(timedelta(hours=-1))),
        ),
    ],
)
def test_a_row_outside_its_partition_fails(
    tmp_path: Path, type_: str, inside: Any, outside: Any
) -> None:
    contract = make_contract({"at": type_}, [make_rule("partition", "at")], partitioning=DAYS)
    rows = table(contract, at=[inside, outside, None])
    report = audit(StagedData(stage(tmp_path, rows, partitions=["2017-03-01"])), contract)
    assert failing(report, "partition_at") == 2
    assert "outside their partition" in result_of(report, "partition_at").message


def test_a_file_of_no_partition_may_hold_any_of_the_products_days(tmp_path: Path) -> None:
    contract = make_contract({"at": "date"}, [make_rule("partition", "at")], partitioning=DAYS)
    days = [date(2016, 12, 31), date(2017, 1, 1), date(2017, 12, 31), date(2018, 1, 1), None]
    assert failing(audit_rows(tmp_path, contract, at=days), "partition_at") == 3


def test_decimals_of_38_digits_are_compared_exactly(tmp_path: Path) -> None:
    big = ColumnType(Family.DECIMAL, precision=38, scale=10)
    rules = [
        make_rule("range", "v", maximum="1234567890123456789012345678.0123456789"),
        make_rule("multiple_of", "v", multipleOf="0.0000000002"),
    ]
    contract = make_contract([make_column("v", big)], rules)
    edge = Decimal("1234567890123456789012345678.0123456789")
    beyond = Decimal("1234567890123456789012345678.0123456790")
    report = audit_rows(tmp_path, contract, v=[edge, beyond, Decimal(0)])
    assert failing(report, "range_v") == 1
    assert failing(report, "multiple_of_v") == 1
