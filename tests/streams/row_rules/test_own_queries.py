"""Where a domain's own queries are decided when rows come as messages, and what that changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from shared_resources.contracts.model import Operator, Rule, Severity, Threshold, Unit
from shared_resources.contracts.odcs import read_contract
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.stores.protocol import StagedBatch
from shared_resources.stores.staging.staging import write_staged
from shared_resources.streams.flink.verdict_sql import job_rules
from shared_resources.streams.row_rules.places import Place, place_rules
from shared_resources.streams.row_rules.rules import RowRules
from tests.contracts.rules.test_row_conditions import CONTRACT, edges, query


def rule(condition: str, **changes: Any) -> Rule:
    of: dict[str, Any] = {"name": "own", "arguments": {"query": query(condition)}, **changes}
    return Rule(kind="sql", columns=(), clause="x", **of)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"severity": Severity.WARNING}, "it warns"),
        ({"threshold": Threshold(Operator.LESS_THAN, (9,))}, "may be another than 0"),
        ({"threshold": Threshold(Operator.GREATER_THAN, (0,))}, "may be another than 0"),
        ({"threshold": Threshold(Operator.MUST_BE, (0,), Unit.PERCENT)}, "may be another than 0"),
    ],
)
def test_only_what_allows_no_row_and_blocks_is_decided_for_single_rows(
    changes: dict[str, Any], why: str
) -> None:
    [placed] = place_rules(CONTRACT, [rule("int_a > 1", **changes)])
    assert placed.place is Place.WINDOW and why in placed.reason and placed.broken is None


def test_a_window_is_refused_whole_by_it_as_before() -> None:
    """So a job of Flink's takes no single message out, and the window's audit asks it."""
    [placed] = place_rules(CONTRACT, [rule("int_a > 1")])
    assert placed.whole
    assert job_rules(CONTRACT, [placed.rule]).left[0][0] == "own"


def test_the_audits_own_count_is_that_of_the_rows(tmp_path: Path) -> None:
    table = edges()
    conditions = [
        "NOT (float_a >= float_b AND float_b >= float_c)",
        "greatest(int_a, int_b) > int_c OR len(list_distinct([text_a, text_b])) <> 2",
    ]
    rules = [rule(one, name=f"own_{n}") for n, one in enumerate(conditions)]
    files = write_staged(table.to_reader(), tmp_path, CONTRACT, ("",))
    staged = StagedData(StagedBatch(CONTRACT.key, "batch", tmp_path, files))
    report = audit(staged, CONTRACT, rules=rules)
    judged = RowRules(CONTRACT, rules).judge(pl.DataFrame(table))
    assert {r.rule.name: r.measured for r in report.results} == judged.failed
    assert all(judged.failed.values())


def test_the_rules_of_a_served_product_are_decided_for_single_rows() -> None:
    contract = read_contract(
        Path("domains/recommendation/products/next_products/contract.odcs.yaml")
    )
    decided = {one.rule.name for one in place_rules(contract) if one.place is Place.MESSAGE}
    assert {"best_first", "no_product_twice", "evidence_adds_up"} <= decided
