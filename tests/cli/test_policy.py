"""`mesh policy`: listing the policies, and trying them on their examples."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.governance.catalogue import all_policies
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
