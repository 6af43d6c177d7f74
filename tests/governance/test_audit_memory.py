"""An audit that has too little memory says so, in words of the platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from shared_resources.environment import EnvironmentProblem
from tests.contract_factory import audit_rows, make_contract, make_rule

NAMES = [f"c{i}" for i in range(60)]
SAID = "more memory than the 1MB that an audit may take; give MESH_AUDIT_MEMORY more"


@pytest.fixture(autouse=True)
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_AUDIT_MEMORY", "1MB")


def values() -> dict[str, Any]:
    return {name: [f"{i}" * 50 for i in range(2_000)] for name in NAMES}


def test_too_little_memory_is_the_environments_and_not_the_datas(tmp_path: Path) -> None:
    rules = [make_rule("pattern", name, pattern="a$") for name in NAMES]
    with pytest.raises(EnvironmentProblem, match=SAID):
        audit_rows(tmp_path, make_contract(dict.fromkeys(NAMES, "text"), rules), **values())


def test_a_rule_that_alone_needs_more_is_named(tmp_path: Path) -> None:
    rules = [make_rule("unique", *NAMES)]
    contract = make_contract(dict.fromkeys(NAMES, "text"), rules)
    (result,) = audit_rows(tmp_path, contract, **values()).results
    assert not result.passed and SAID in result.message
