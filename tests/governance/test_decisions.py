"""What is decided centrally of policies: how severe they are, and what is wrong with a decision."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.contracts.model import Severity
from shared_resources.governance.catalogue import check_domain, data_time_rules, policies_digest
from shared_resources.governance.decisions import central_findings
from shared_resources.governance.example import Example
from shared_resources.governance.examples.minimal_mesh import write_mesh
from shared_resources.mesh import Domain, Mesh, read_mesh

UNCLASSIFIED = {"schema.orders.properties.note.classification": None}


def decided(root: Path, policies: object, **of: object) -> tuple[Domain, Mesh]:
    write_mesh(root, Example("decided", central={"policies": policies}, **of))  # type: ignore[arg-type]
    mesh = read_mesh(root)
    return mesh.domain("shop"), mesh


def test_what_breaks_a_policy_that_only_warns_stops_nothing(tmp_path: Path) -> None:
    policies = {"classified": {"severity": "warning"}}
    shop, mesh = decided(tmp_path, policies, contract=UNCLASSIFIED)
    check = check_domain(shop, mesh)
    assert check.passed
    assert [one.rule for one in check.warnings] == ["classified"]


def test_a_policy_on_data_that_only_warns_keeps_no_batch(tmp_path: Path) -> None:
    shop, _ = decided(tmp_path, {"no_undeclared_personal_data": {"severity": "warning"}})
    contract = shop.product("orders").contract
    assert contract is not None
    _, usual, _ = data_time_rules(contract)
    _, decided_on, _ = data_time_rules(contract, (), shop.central)
    assert (usual.severity, decided_on.severity) == (Severity.BLOCKING, Severity.WARNING)
    # What was audited so is no proof for the other.
    assert policies_digest(contract) != policies_digest(contract, (), shop.central)


@pytest.mark.parametrize(
    ("policies", "words"),
    [
        ({"classyfied": {"severity": "warning"}}, "did you mean 'classified'?"),
        ({"classified": {"severity": "mild"}}, "'mild' is no severity"),
        ({"classified": "warning"}, "'classified' is not a mapping"),
        ({"classified": {"days": 7}}, "sets 'days' of the policy 'classified', which has none"),
        ({"classified": {"days": "a"}}, "'days' is not a number"),
        ({"unique_keys": {"severity": "warning"}}, "fails when it runs anyway"),
        (["classified"], "'policies' is not a mapping"),
    ],
)
def test_what_is_wrong_with_a_decision_is_found_and_decides_nothing(
    tmp_path: Path, policies: object, words: str
) -> None:
    shop, mesh = decided(tmp_path, policies, contract=UNCLASSIFIED)
    found = central_findings(mesh.central)
    assert any(words in f"{one.message} -> {one.remedy}" for one in found), found
    assert all(one.line for one in found)
    assert [one.rule for one in check_domain(shop, mesh).findings] == ["classified"]
