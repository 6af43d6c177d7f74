"""Finding the policies, and applying them and the waivers to a domain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from shared_resources.contracts.model import Severity
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.extensions import UnusableExtension
from shared_resources.findings import Finding
from shared_resources.governance import catalogue, policies
from shared_resources.governance.catalogue import (
    PolicyViolation,
    all_policies,
    check_domain,
    data_time_rules,
)
from shared_resources.mesh import Domain, Waiver
from tests.distributions import install
from tests.governance.policies.meshes import (
    OWNER,
    column,
    contract,
    domain,
    mesh,
    product,
    relationship,
    with_contract,
)

TODAY = date(2026, 6, 1)
WAIVER = Waiver(
    policy="classified",
    product="orders",
    reason="the column goes with the next version",
    approver="governance@example.com",
    expires=TODAY,
    file=Path("/mesh/domains/order/domain.yaml"),
    line=9,
)


def unclassified(*waivers: Waiver) -> Domain:
    broken = with_contract(columns=(column(classification=None),))
    return domain("order", broken, waivers=waivers)


def test_every_file_of_the_folder_is_a_policy() -> None:
    files = {path.stem for path in Path(policies.__path__[0]).rglob("*.py")} - {"__init__"}
    assert set(all_policies()) == files
    assert len(files) >= 8


def test_adding_a_file_adds_the_policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "no_orders.py").write_text(
        "from shared_resources.findings import Finding\n"
        "from shared_resources.governance.policy import LoadTimePolicy\n"
        "def check(domain, mesh):\n"
        "    yield Finding(domain.file, 1, 'no_orders', 'orders are forbidden', 'go away')\n"
        "POLICY = LoadTimePolicy('no_orders', 'None.', check)\n"
    )
    monkeypatch.setattr(policies, "__path__", [*policies.__path__, str(tmp_path)])
    all_policies.cache_clear()
    try:
        order = domain("order", product())
        assert [f.rule for f in check_domain(order, mesh(order)).findings] == ["no_orders"]
    finally:
        monkeypatch.undo()
        all_policies.cache_clear()


def test_a_file_without_a_policy_of_its_name_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "forgotten.py").write_text("POLICY = None\n")
    monkeypatch.setattr(policies, "__path__", [*policies.__path__, str(tmp_path)])
    all_policies.cache_clear()
    try:
        with pytest.raises(TypeError, match=r"forgotten must define POLICY"):
            all_policies()
    finally:
        monkeypatch.undo()
        all_policies.cache_clear()


def test_a_domain_with_findings_lists_all_of_them_and_its_files_own() -> None:
    broken_file = Finding(Path("/mesh/domains/order/domain.yaml"), 3, "domain", "bad", "mend")
    order = replace(unclassified(), findings=(broken_file,), owners=("other@example.com",))
    outcome = check_domain(order, mesh(order), today=TODAY)
    assert [f.rule for f in outcome.findings] == ["domain", "owner_known_to_domain", "classified"]
    assert not outcome.passed


def test_the_exception_is_one_message_with_file_line_and_remedy_of_every_finding() -> None:
    order = replace(unclassified(), owners=("other@example.com",))
    violation = PolicyViolation("order", check_domain(order, mesh(order), today=TODAY).findings)
    text = str(violation)
    assert text.startswith("domain 'order' does not load: 2 findings\n")
    assert "contract.odcs.yaml:20: " in text
    assert "[classified] -> add `classification:`" in text
    assert "[owner_known_to_domain] -> " in text


def test_one_domains_findings_are_not_anothers() -> None:
    order = unclassified()
    sales = domain("sales", product("sales/receipts"))
    assert check_domain(sales, mesh(order, sales), today=TODAY).passed


def test_a_waived_finding_is_listed_as_waived_and_keeps_nobody_out() -> None:
    order = unclassified(WAIVER)
    outcome = check_domain(order, mesh(order), today=TODAY)
    assert outcome.passed
    (waived,) = outcome.waived
    assert waived.finding.rule == "classified"
    assert "waived until 2026-06-01 by governance@example.com: the column goes" in str(waived)


def test_a_waiver_that_has_ended_waives_nothing_and_stops_nothing_else() -> None:
    """Nobody edits anything on the day on which one ends: only what it covered is found again."""
    order = unclassified(WAIVER)
    outcome = check_domain(order, mesh(order), today=TODAY + timedelta(days=1))
    assert [f.rule for f in outcome.findings] == ["classified"]
    (warning,) = outcome.warnings
    assert "for order/orders ended on 2026-06-01: the policy holds again" in warning.message
    assert (warning.rule, warning.line) == ("waiver", 9)


def test_a_waiver_that_has_ended_stops_nothing_also_when_its_product_is_gone() -> None:
    gone = replace(WAIVER, product="removed", approver="nobody@example.com")
    order = domain("order", product("order/orders"), waivers=(gone,))
    outcome = check_domain(order, mesh(order), today=TODAY + timedelta(days=1))
    assert outcome.passed
    (warning,) = outcome.warnings
    assert "names no product of this domain" in warning.message and warning.line == 9


@pytest.mark.parametrize(("days", "said"), [(31, []), (30, ["ends on 2026-06-01"])])
def test_a_waiver_that_ends_soon_is_a_warning(days: int, said: list[str]) -> None:
    order = unclassified(WAIVER)
    outcome = check_domain(order, mesh(order), today=TODAY - timedelta(days=days))
    assert outcome.passed and len(outcome.waived) == 1
    assert [
        f.message.split(" for order/orders ")[1].split(":")[0] for f in outcome.warnings
    ] == said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"policy": "clasified"}, "names no policy"),
        ({"policy": "unique_keys"}, "has no waivers"),
        ({"policy": "relationships_exist"}, "has no waivers"),
        ({"product": "order"}, "names no product of this domain"),
        ({"product": "*"}, "names no product of this domain"),
        ({"approver": OWNER}, "an owner of the domain itself"),
        ({"approver": OWNER.upper()}, "an owner of the domain itself"),
        ({"approver": "boss@example.com"}, "who approves nothing in this mesh"),
        ({"expires": TODAY + timedelta(days=181)}, "more than 180 days from now"),
        ({"policy": "in_its_own_folder"}, "has no waivers"),
        ({"policy": "landing_prefix_owned"}, "has no waivers"),
    ],
)
def test_a_waiver_that_does_not_hold_is_found_and_waives_nothing(
    changes: dict[str, str], words: str
) -> None:
    order = unclassified(replace(WAIVER, **changes))  # type: ignore[arg-type]
    outcome = check_domain(order, mesh(order), today=TODAY)
    assert "classified" in [f.rule for f in outcome.findings]
    assert any(f.rule == "waiver" and words in f.message for f in outcome.findings)
    assert not outcome.waived


def test_a_bad_waiver_does_not_take_a_good_one_of_the_same_line_with_it() -> None:
    order = unclassified(replace(WAIVER, policy="nonsense"), WAIVER)
    outcome = check_domain(order, mesh(order), today=TODAY)
    assert [f.rule for f in outcome.findings] == ["waiver"]
    assert len(outcome.waived) == 1


def test_a_waiver_covers_one_product_and_one_policy() -> None:
    other = with_contract("order/lines", columns=(column(classification=None, description=""),))
    order = replace(unclassified(WAIVER), products=(*unclassified().products, other))
    outcome = check_domain(order, mesh(order), today=TODAY)
    assert sorted((f.rule, f.file.parent.name) for f in outcome.findings) == [
        ("classified", "lines"),
        ("described", "lines"),
    ]


def test_what_is_no_policy_cannot_be_waived() -> None:
    invalid = Finding(product().contract_file, 5, "contract", "no type", "give one")
    waiver = replace(WAIVER, policy="contract")
    order = domain("order", product(), waivers=(waiver,), findings=(invalid,))
    rules = [f.rule for f in check_domain(order, mesh(order), today=TODAY).findings]
    assert "contract" in rules


def text_contract():
    text = column("note", type=ColumnType(Family.STRING))
    return contract(columns=(column(), text), rules=(relationship("order/orders"),))


def test_data_time_policies_are_blocking_checks() -> None:
    _, rule, _ = data_time_rules(text_contract())
    assert rule.name == "policy_no_undeclared_personal_data"
    assert rule.kind == "personal_data"
    assert rule.severity is Severity.BLOCKING
    assert rule.columns == ("order_id", "note")


def test_a_waiver_makes_a_data_time_policy_warn_until_it_expires() -> None:
    waiver = replace(WAIVER, policy="no_undeclared_personal_data")
    _, rule, _ = data_time_rules(text_contract(), (waiver,), today=TODAY)
    assert rule.severity is Severity.WARNING
    assert "waived until 2026-06-01 by governance@example.com" in rule.reason
    _, after, _ = data_time_rules(text_contract(), (waiver,), today=TODAY + timedelta(days=1))
    assert after.severity is Severity.BLOCKING


@pytest.mark.parametrize("changes", [{"product": "lines"}, {"policy": "classified"}])
def test_another_products_or_policys_waiver_changes_no_check(changes: dict[str, str]) -> None:
    waiver = replace(WAIVER, **{"policy": "no_undeclared_personal_data", **changes})  # type: ignore[arg-type]
    _, rule, _ = data_time_rules(text_contract(), (waiver,), today=TODAY)
    assert rule.severity is Severity.BLOCKING


def test_today_is_the_utc_day() -> None:
    assert abs(catalogue.utc_today() - date.today()) <= timedelta(days=1)


POLICY = """
from shared_resources.findings import Finding
from shared_resources.governance.policy import LoadTimePolicy


def check(domain, mesh):
    yield Finding(domain.folder, 0, "no_mondays", f"{domain.name} exists on Mondays", "wait")


POLICY = LoadTimePolicy("no_mondays", "Nothing exists on Mondays.", check)
"""


@pytest.fixture
def found_anew() -> Iterator[None]:
    all_policies.cache_clear()
    yield
    all_policies.cache_clear()
    sys.modules.pop("offices_policies", None)


@pytest.mark.usefixtures("found_anew")
def test_a_policy_of_another_distribution_holds_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = "no_mondays = offices_policies:POLICY"
    monkeypatch.syspath_prepend(install(tmp_path, "offices_policies", POLICY, policies=point))
    order = domain("order", product())
    found = {finding.rule for finding in check_domain(order, mesh(order), today=TODAY).findings}
    assert "no_mondays" in found


@pytest.mark.usefixtures("found_anew")
def test_a_policy_whose_name_is_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = POLICY.replace('"no_mondays"', '"classified"')
    point = "classified = offices_policies:POLICY"
    monkeypatch.syspath_prepend(install(tmp_path, "offices_policies", code, policies=point))
    with pytest.raises(UnusableExtension, match=r"'classified' of offices.*there is already"):
        all_policies()
