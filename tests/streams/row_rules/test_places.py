"""Every rule of a contract is decided somewhere for a stream, and its place says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from shared_resources.contracts.model import (
    Contract,
    Operator,
    Partitioning,
    Rule,
    Severity,
    Threshold,
    Unit,
)
from shared_resources.contracts.odcs import read_contract
from shared_resources.streams.row_rules.places import Place, place_rules
from shared_resources.streams.row_rules.rules import RowRules
from tests.contract_factory import make_column, make_contract


def one(rule: Rule, contract: Contract) -> Any:
    (placed,) = place_rules(contract, [rule])
    return placed


def required(**changes: Any) -> Rule:
    return replace(Rule("required_a", "required", ("a",), clause="x"), **changes)


CONTRACT = make_contract([make_column("a", "text")])


@pytest.mark.parametrize(
    ("threshold", "place"),
    [
        (Threshold(), Place.MESSAGE),
        (Threshold(Operator.LESS_THAN, (1,)), Place.MESSAGE),
        (Threshold(Operator.LESS_OR_EQUAL, (0,), Unit.PERCENT), Place.MESSAGE),
        (Threshold(Operator.BETWEEN, (0, 0)), Place.MESSAGE),
        (Threshold(Operator.LESS_THAN, (1,), Unit.PERCENT), Place.WINDOW),
        (Threshold(Operator.LESS_OR_EQUAL, (1,)), Place.WINDOW),
        (Threshold(Operator.MUST_BE, (3,)), Place.WINDOW),
        (Threshold(Operator.GREATER_THAN, (0,)), Place.WINDOW),
        (Threshold(Operator.NOT_BETWEEN, (1, 2)), Place.WINDOW),
    ],
)
def test_a_row_rule_rejects_messages_only_where_a_batch_may_have_no_such_row(
    threshold: Threshold, place: Place
) -> None:
    placed = one(required(threshold=threshold), CONTRACT)
    assert placed.place is place
    assert placed.broken is not None  # and is counted all the same
    assert (place is Place.MESSAGE) != bool(placed.reason)


def test_what_only_warns_rejects_nothing_and_is_counted() -> None:
    rules = RowRules(CONTRACT, [required(severity=Severity.WARNING)])
    judged = rules.judge(pl.DataFrame({"a": [None, "x"]}, schema=rules.schema))
    assert not judged.rejected.any() and judged.failed == {"required_a": 1}


@pytest.mark.parametrize(
    ("kind", "arguments", "place", "reason"),
    [
        ("unique", {}, Place.PRODUCT, "all rows that are published"),
        ("duplicate_values", {}, Place.PRODUCT, "all rows that are published"),
        ("relationship", {"product": "order/lines"}, Place.PRODUCT, "looks into"),
        ("sql", {"query": "SELECT 0"}, Place.WINDOW, "query of the domain's own"),
        ("custom", {"implementation": "rules:f"}, Place.WINDOW, "function of the domain's own"),
        ("row_count", {}, Place.WINDOW, "batch as a whole"),
        ("not_empty", {}, Place.WINDOW, "batch as a whole"),
        ("volume", {}, Place.NOWHERE, "length decides"),
        ("columns", {}, Place.DECODING, ""),
        ("parse", {}, Place.DECODING, ""),
        ("personal_data", {"predicate_patterns": []}, Place.WINDOW, "other rows"),
        ("pattern", {"pattern": r"\Ba"}, Place.WINDOW, "not decide it as DuckDB"),
    ],
)
def test_every_other_kind_is_named_with_the_reason(
    kind: str, arguments: dict[str, Any], place: Place, reason: str
) -> None:
    placed = one(Rule("r", kind, ("a",), clause="x", arguments=arguments), CONTRACT)
    assert placed.place is place and reason in placed.reason


def test_no_rule_of_the_example_mesh_is_dropped() -> None:
    files = sorted(Path("domains").rglob("contract.odcs.yaml"))
    assert files
    for file in files:
        contract = read_contract(file)
        assert [placed.rule for placed in place_rules(contract)] == list(contract.rules)


def test_days_outside_the_product_are_rejected() -> None:
    contract = replace(
        make_contract([make_column("day", "date")]),
        partitioning=Partitioning("day", date(2017, 1, 1), date(2017, 1, 3)),
    )
    rules = RowRules(contract, [Rule("partition", "partition", ("day",), clause="x")])
    days = [date(2017, 1, 1), date(2016, 12, 31), date(2017, 1, 3), None]
    judged = rules.judge(pl.DataFrame({"day": days}, schema=rules.schema))
    assert judged.rejected.to_list() == [False, True, True, True]
    assert judged.reasons.to_list() == [["partition"]] * 3


def test_a_frame_of_other_columns_is_refused() -> None:
    with pytest.raises(ValueError, match="the contract's is"):
        RowRules(CONTRACT).judge(pl.DataFrame({"a": [1]}))
