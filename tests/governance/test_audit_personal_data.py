"""The PERSONAL_DATA rule: patterns, verification, and that it costs little where nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.rows import personal_data
from shared_resources.governance.policies.promises.no_undeclared_personal_data import (
    rules as policy_rules,
)
from tests.contract_factory import audit_rows, make_contract, make_rule

CARDS = ["4111111111111111", "5500 0000 0000 0004", "340000000000009"]
RANDOM = ["4111111111111112", "4000000000000000", "4999999999999999"]


@pytest.fixture(autouse=True, params=["few columns", "many columns"])
def how_many(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many columns are searched in lists; two stand for them here."""
    if request.param == "many columns":
        monkeypatch.setattr(personal_data, "SEARCHED_SINGLY", 0)


def _contract(**pattern: Any) -> Contract:
    found = {"name": "card", "pattern": "[0-9][0-9 ]{11,18}[0-9]", "min_length": 13, **pattern}
    rule = make_rule("personal_data", "a", "b", predicate_patterns=[found])
    return make_contract({"a": "text", "b": "text"}, [rule])


def _failing(tmp_path: Path, contract: Contract, a: list[Any], b: list[Any] | None = None) -> Any:
    (result,) = audit_rows(tmp_path, contract, a=a, b=b or [None] * len(a)).results
    return result.rows_failed


def test_a_row_fails_once_whichever_column_holds_it(tmp_path: Path) -> None:
    assert _failing(tmp_path, _contract(), [*CARDS, "x"], [CARDS[0], None, None, None]) == 3


def test_only_matches_that_pass_the_checksum_count(tmp_path: Path) -> None:
    contract = _contract(validator="luhn")
    assert _failing(tmp_path, contract, [*CARDS, *RANDOM[:1], "none", "", None]) == 3
    assert _failing(tmp_path, contract, ["two: 4111111111111112, 4111111111111111"]) == 1


@pytest.mark.parametrize("digits", ["79927398713", "0", "4111111111111111", "18", "49927398716"])
def test_the_checksum_is_luhns(tmp_path: Path, digits: str) -> None:
    contract = _contract(validator="luhn", pattern="[0-9]+", min_length=1)
    last = int(digits[-1])
    changed = [f"{digits[:-1]}{(last + step) % 10}" for step in range(1, 10)]
    assert _failing(tmp_path, contract, [digits, *changed]) == 1


def test_a_share_of_valid_matches_is_needed_where_numbers_may_pass_by_chance(
    tmp_path: Path,
) -> None:
    contract = _contract(validator="luhn", min_valid_share=0.5)
    mostly_random = [CARDS[0], *RANDOM]
    assert _failing(tmp_path / "a", contract, mostly_random) == 0
    assert _failing(tmp_path / "b", contract, [*CARDS, *RANDOM[:1]]) == 3
    mixed = _failing(tmp_path / "c", contract, mostly_random, [CARDS[1], None, None, None])
    assert mixed == 1, "each column has a share of its own"


def test_short_texts_never_reach_the_expression(tmp_path: Path) -> None:
    assert _failing(tmp_path, _contract(min_length=40), CARDS) == 0
    assert _failing(tmp_path, _contract(prefilter_sql="contains({column}, ' ')"), CARDS) == 1


def test_the_policys_own_patterns_run(tmp_path: Path) -> None:
    contract = make_contract({"a": "text", "b": "text", "n": "int"})
    report_rules = policy_rules(contract)
    assert report_rules and report_rules[0].columns == ("a", "b", "n")
    contract = make_contract({"a": "text", "b": "text", "n": "int"}, report_rules)
    said = ["write to ada@example.com", "+1 415-555-2671", CARDS[0], "12 OZ", "", None]
    rows = audit_rows(tmp_path, contract, a=said, b=[None] * 6, n=[*range(6)])
    assert rows.results[0].rows_failed == 3
