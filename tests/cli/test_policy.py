"""`mesh policy`: listing the policies, and trying them on their examples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from shared_resources.governance.catalogue import all_policies, utc_today
from shared_resources.governance.example import Example
from shared_resources.governance.examples.minimal_mesh import write_mesh
from tests.cli.commands import call
from tests.distributions import install

POLICY = """
from shared_resources.findings import Finding
from shared_resources.governance.example import fails, passes
from shared_resources.governance.policy import LoadTimePolicy


def check(domain, mesh):
    for product, contract in domain.contracts:
        if contract.version == "2.0.0":
            yield Finding(product.contract_file, 1, "no_twos", f"{product.key} is a two", "wait")


EXAMPLES = (
    passes("a one"),
    fails("a two", "is a two", contract={"version": "2.0.0"}),
    fails("a three", "is a three", contract={"version": "3.0.0"}),
    passes("a two all the same", contract={"version": "2.0.0"}),
)
POLICY = LoadTimePolicy("no_twos", "Nothing is a two.", check, examples=EXAMPLES)
"""


@pytest.fixture
def found_anew() -> Iterator[None]:
    all_policies.cache_clear()
    yield
    all_policies.cache_clear()
    sys.modules.pop("offices_policies", None)


def test_the_policies_hold_on_their_examples() -> None:
    called = call("policy", "test", "classified", "naming")
    assert called.code == 0, called
    assert "classified: 2 examples hold" in called.out
    assert "0 that do not hold" in called.out


def test_an_example_that_does_not_hold_is_named_with_what_was_expected_and_what_came(
    tmp_path: Path,
) -> None:
    file = tmp_path / "no_twos.py"
    file.write_text(POLICY)
    called = call("policy", "test", file)
    assert called.code == 1, called
    assert "'a three': expected a finding that says 'is a three'; came: nothing" in called.out
    assert "'a two all the same': expected no finding; came: shop/orders is a two" in called.out
    assert "4 examples, 2 that do not hold" in called.out
    assert [one["held"] for one in call("policy", "test", file, "--json").json] == [
        *(True, True, False, False)
    ]


def test_a_policy_without_examples_is_not_tested(tmp_path: Path) -> None:
    file = tmp_path / "no_twos.py"
    file.write_text(POLICY.replace(", examples=EXAMPLES", ""))
    called = call("policy", "test", file)
    assert called.code == 1
    assert "expected an example that must fail, and the policy carries none" in called.out


@pytest.mark.usefixtures("found_anew")
def test_a_policy_of_another_distribution_is_tested_the_same_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = "no_twos = offices_policies:POLICY"
    monkeypatch.syspath_prepend(install(tmp_path, "offices_policies", POLICY, policies=point))
    called = call("policy", "test", "no_twos")
    assert called.code == 1
    assert "4 examples, 2 that do not hold" in called.out


@pytest.mark.parametrize(
    ("text", "words"),
    [("1 +", "SyntaxError"), ("POLICY = 3", "must define POLICY"), ("import nowhere", "nowhere")],
)
def test_a_file_without_a_policy_is_refused(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "no_twos.py"
    file.write_text(text)
    call("policy", "test", file).refused(words, "no_twos.py")


def test_a_name_that_no_policy_has_is_refused() -> None:
    call("policy", "test", "clasified").refused("no policy 'clasified'", "classified")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The minimal mesh of the examples, in which nothing is published."""
    write_mesh(tmp_path, Example("as it is"))
    monkeypatch.setenv("MESH_ROOT", str(tmp_path))
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))
    return tmp_path


def test_the_list_says_what_is_decided_and_who_is_excused(shop: Path) -> None:
    central = shop / "domains/governance.yaml"
    central.write_text(central.read_text() + "policies: {described: {severity: warning}}\n")
    with (shop / "domains/shop/domain.yaml").open("a") as file:
        file.write(
            "waivers:\n- {policy: classified, product: orders, reason: it goes soon,"
            " approver: governance@example.com, expires: '2001-02-03'}\n"
        )
    found = {one["policy"]: one for one in call("policy", "list", "--json").json}
    assert found["described"]["severity"] == "warning"
    assert found["classified"]["severity"] == "blocking"
    (waiver,) = found["classified"]["waivers"]
    assert (waiver["product"], waiver["expires"], waiver["expired"]) == (
        *("shop/orders", "2001-02-03", True),
    )
    called = call("policy", "list")
    assert "shop/orders from classified until 2001-02-03 (expired)" in called.out
    assert "approved by governance@example.com: it goes soon" in called.out


def test_a_policy_that_is_not_merged_yet_says_what_it_would_find(
    shop: Path, tmp_path: Path
) -> None:
    file = tmp_path / "no_twos.py"
    file.write_text(POLICY)
    called = call("policy", "dry-run", file)
    assert (called.code, "0 new findings" in called.out) == (0, True), called
    contract = shop / "domains/shop/products/orders/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("version: 1.0.0", "version: 2.0.0"))
    called = call("policy", "dry-run", file)
    assert called.code == 1
    assert "shop (shop@example.com)" in called.out
    assert "new, blocking: domains/shop/products/orders/contract.odcs.yaml:1:" in called.out
    (new,) = call("policy", "dry-run", file, "--json").json["new"]
    assert (new["domain"], new["owners"], new["rule"]) == ("shop", ["shop@example.com"], "no_twos")
    assert "no_twos" not in call("check", "--static").out, "nothing of it stays"


def test_another_central_file_says_what_it_would_change(shop: Path, tmp_path: Path) -> None:
    contract = shop / "domains/shop/products/orders/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("classification: internal", "tags: [x]"))
    proposed = tmp_path / "proposed.yaml"
    proposed.write_text(
        "approvers: [governance@example.com]\npolicies: {classified: {severity: warning}}\n"
    )
    found = call("policy", "dry-run", "--governance", proposed, "--json")
    assert found.code == 0
    assert {one["severity"] for one in found.json["new"]} == {"warning"}
    assert {one["severity"] for one in found.json["gone"]} == {"blocking"}
    assert len(found.json["new"]) == len(found.json["gone"]) == 2
    proposed.write_text("approvers: [governance@example.com]\npolicies: {classyfied: {}}\n")
    called = call("policy", "dry-run", "--governance", proposed)
    assert called.code == 1
    assert "did you mean 'classified'?" in called.out


def test_a_policy_that_is_there_shows_what_it_finds(shop: Path) -> None:
    contract = shop / "domains/shop/products/orders/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("classification: internal", "tags: [x]"))
    called = call("policy", "dry-run", "classified")
    assert (called.code, called.out.count("new, blocking")) == (1, 2)


def test_what_is_waived_is_shown_with_its_waiver_and_blocks_nothing(shop: Path) -> None:
    contract = shop / "domains/shop/products/orders/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("classification: internal", "tags: [x]"))
    ends = (utc_today() + timedelta(days=30)).isoformat()
    with (shop / "domains/shop/domain.yaml").open("a") as file:
        file.write(
            "waivers:\n- {policy: classified, product: orders, reason: it goes soon,"
            f" approver: governance@example.com, expires: '{ends}'}}\n"
        )
    called = call("policy", "dry-run", "classified")
    assert called.code == 0, called
    assert called.out.count("new, waived") == 2
    assert f"(until {ends} by governance@example.com: it goes soon)" in called.out
    assert "2 new findings, 0 of them blocking; 0 would be gone" in called.out


def test_a_dry_run_of_nothing_is_refused() -> None:
    call("policy", "dry-run").refused("name a policy")
