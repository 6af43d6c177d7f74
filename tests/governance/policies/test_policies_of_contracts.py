"""The load-time policies that look at contracts, each on a sound product and on a broken one."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from shared_resources.contracts.file_formats import CSV
from shared_resources.contracts.model import Landing
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.findings import Finding
from shared_resources.governance.catalogue import load_time_policies
from shared_resources.governance.policies.promises import (
    classified,
    described,
    loss_budget_capped,
    owner_known_to_domain,
    service_levels_declared,
)
from shared_resources.governance.policies.structure import (
    in_its_own_folder,
    landing_prefix_owned,
    naming,
    no_cycles,
    relationships_compare,
    relationships_exist,
    unique_keys,
)
from shared_resources.mesh import Domain, ProductFolder, ProductReference
from shared_resources.mesh.model import CODE_FILE
from tests.governance.policies.meshes import (
    column,
    contract,
    domain,
    mesh,
    product,
    relationship,
    with_contract,
)


def findings(policy: Any, *domains: Domain) -> list[Finding]:
    return list(policy.POLICY.check(domains[0], mesh(*domains)))


def one(policy: Any, *domains: Domain) -> Finding:
    found = findings(policy, *domains)
    assert len(found) == 1, found
    assert found[0].rule == policy.POLICY.name
    assert found[0].remedy
    return found[0]


@pytest.mark.parametrize("policy", load_time_policies(), ids=lambda p: p.name)
def test_a_sound_domain_breaks_no_policy(policy: Any, tmp_path: Any) -> None:
    sound = domain("order", product(root=tmp_path), root=tmp_path)
    assert list(policy.check(sound, mesh(sound, root=tmp_path))) == []


@pytest.mark.parametrize("policy", load_time_policies(), ids=lambda p: p.name)
def test_a_product_without_a_valid_contract_is_left_to_the_contract_reader(
    policy: Any, tmp_path: Any
) -> None:
    broken = domain("order", product(root=tmp_path, contract=None), root=tmp_path)
    assert list(policy.check(broken, mesh(broken, root=tmp_path))) == []


def test_an_owner_whom_the_domain_does_not_know_is_found_where_the_team_stands() -> None:
    found = one(owner_known_to_domain, domain("order", with_contract(owner="stranger@example.com")))
    assert "stranger@example.com" in found.message
    assert found.line == 12
    assert found.file.name == "contract.odcs.yaml"


def test_owners_are_compared_whatever_their_case() -> None:
    assert not findings(
        owner_known_to_domain, domain("order", with_contract(owner="Orders@Example.com"))
    )


def test_a_contract_without_owner_is_found() -> None:
    found = one(owner_known_to_domain, domain("order", with_contract(owner="")))
    assert "names no owner" in found.message


@pytest.mark.parametrize("text", ["", "  ", "Order ID", "order_id.", "—"])
def test_a_column_whose_description_says_nothing_is_found(text: str) -> None:
    broken = with_contract(columns=(column(), column(description=text, line=41)))
    found = one(described, domain("order", broken))
    assert (found.line, "'order_id'" in found.message) == (41, True)


def test_a_product_without_description_is_found() -> None:
    assert one(described, domain("order", with_contract(description=""))).line == 8


def test_an_unclassified_column_is_found_on_its_line() -> None:
    broken = with_contract(columns=(column(), column("note", classification=None, line=33)))
    found = one(classified, domain("order", broken))
    assert (found.line, "'note'" in found.message) == (33, True)
    assert "restricted" in found.remedy


@pytest.mark.parametrize(("field", "name"), [("freshness", "latency"), ("retention", "retention")])
def test_a_service_level_that_is_not_declared_is_found(field: str, name: str) -> None:
    found = one(service_levels_declared, domain("order", with_contract(**{field: None})))
    assert name in found.message
    assert found.line == 16


@pytest.mark.parametrize("name", ["Order", "order-line", "1st", "order__line", "order_", "ördër"])
def test_a_column_that_is_not_snake_case_is_found(name: str) -> None:
    found = one(naming, domain("order", with_contract(columns=(column(name, line=25),))))
    assert repr(name) in found.message
    assert found.line == 25


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ({"id": "orders"}, 3, "'order-orders'"),
        ({"id": "order-Orders"}, 3, "'order-orders'"),
    ],
)
def test_an_id_that_is_not_made_of_domain_and_name_is_found(
    changes: Any, line: int, words: str
) -> None:
    found = one(naming, domain("order", with_contract(**changes)))
    assert found.line == line
    assert words in f"{found.message} {found.remedy}"


def test_folders_that_are_not_snake_case_are_found() -> None:
    messages = [
        f.message for f in findings(naming, domain("Order-Desk", product("Order-Desk/My-Orders")))
    ]
    assert any("'Order-Desk' is not snake_case" in message for message in messages)
    assert any("the product's folder is not snake_case" in message for message in messages)


@pytest.mark.parametrize(
    ("changes", "line", "words"),
    [
        ({"name": "other", "id": "order-other"}, 4, "its folder is 'orders'"),
        ({"domain": "sales", "id": "sales-orders"}, 7, "its folder is 'order'"),
    ],
)
def test_a_contract_of_another_folder_is_found(changes: Any, line: int, words: str) -> None:
    found = one(in_its_own_folder, domain("order", with_contract(**changes)))
    assert found.line == line
    assert words in found.message


def test_a_domain_file_with_another_name_than_its_folder_is_found() -> None:
    found = one(in_its_own_folder, domain("order", declared_name="orders", lines={"name": 2}))
    assert (found.file.name, found.line) == ("domain.yaml", 2)


def test_a_key_that_is_another_products_is_found_at_the_one_who_took_it() -> None:
    order = domain("order", product())
    copy = product("sales/orders", contract=contract("order/orders", id="other"))
    sales = domain("sales", copy)
    assert "domains/order/products/orders" in one(unique_keys, sales, order).message
    assert findings(unique_keys, order, sales) == []


def test_two_contracts_with_one_id_are_found() -> None:
    order = domain("order", product())
    sales = domain("sales", with_contract("sales/orders", id="order-orders"))
    found = one(unique_keys, sales, order)
    assert "the id 'order-orders'" in found.message
    assert found.line == 3
    assert findings(unique_keys, order, sales) == []


def test_two_checks_of_one_name_are_found_where_the_second_stands() -> None:
    twice = (relationship("order/orders", line=30), relationship("order/orders", line=44))
    found = one(unique_keys, domain("order", with_contract(rules=twice)))
    assert "'relationship_order_id'" in found.message
    assert found.line == 44


def test_a_contract_may_not_pass_its_rule_off_as_a_policy() -> None:
    posing = replace(relationship("order/orders"), name="policy_no_undeclared_personal_data")
    found = one(unique_keys, domain("order", with_contract(rules=(posing,))))
    assert "central policies" in found.message


def test_a_relationship_to_a_product_that_does_not_exist_is_found() -> None:
    broken = with_contract(rules=(relationship("order/order"),))
    found = one(relationships_exist, domain("order", broken, product("order/orders_daily")))
    assert "'order/order', which no domain publishes" in found.message
    assert "order/orders" in found.remedy
    assert found.line == 30


def test_a_relationship_to_a_column_that_does_not_exist_is_found() -> None:
    broken = with_contract("order/lines", rules=(relationship("order/orders", ("orderid",)),))
    found = one(relationships_exist, domain("order", broken, product()))
    assert "column 'orderid', which order/orders does not have" in found.message
    assert found.remedy == "did you mean 'order_id'?"


def test_a_relationship_to_a_product_whose_contract_is_broken_is_no_second_finding() -> None:
    sound = with_contract("order/lines", rules=(relationship("order/orders", ("order_id",)),))
    assert not findings(relationships_exist, domain("order", sound, product(contract=None)))


@pytest.mark.parametrize("family", Family)
def test_a_relationship_to_a_column_of_another_kind_of_type_is_found(family: Family) -> None:
    broken = with_contract("order/lines", rules=(relationship("order/orders", ("order_id",)),))
    other = with_contract(columns=(column(type=ColumnType(family, precision=20, scale=2)),))
    found = findings(relationships_compare, domain("order", broken, other))
    if family in (Family.INTEGER, Family.DECIMAL):
        assert not found
        return
    (finding,) = found
    assert finding.line == 30 and f"which is {ColumnType(family)}" in finding.message
    assert (
        f"give order_id the type {ColumnType(family)}" in finding.remedy
        or "FLOAT" in finding.remedy
    )


def test_a_composite_relationship_names_the_pair_that_does_not_fit() -> None:
    text = column("place", type=ColumnType(Family.STRING))
    rule = replace(
        relationship("order/orders", ("order_id", "order_id")), columns=("order_id", "place")
    )
    broken = with_contract("order/lines", columns=(column(), text), rules=(rule,))
    found = one(relationships_compare, domain("order", broken, with_contract()))
    assert "place is VARCHAR and refers to order_id" in found.message


def test_an_input_that_does_not_exist_is_found_in_the_code() -> None:
    code = product().folder / CODE_FILE
    reading = product(inputs=(ProductReference("sales/orders", None, code, 8),))
    found = one(relationships_exist, domain("order", reading))
    assert (found.file.name, found.line) == ("product.py", 8)


def test_an_input_column_that_does_not_exist_is_found() -> None:
    given = ProductReference(
        "order/orders", ("order_id", "colour"), (product().folder / CODE_FILE), 8
    )
    reading = product("order/lines", inputs=(given,))
    assert "'colour'" in one(relationships_exist, domain("order", reading, product())).message


def test_a_product_that_reads_itself_is_found() -> None:
    code = product().folder / CODE_FILE
    reading = product(inputs=(ProductReference("order/orders", None, code, 8),))
    assert "input of itself" in one(relationships_exist, domain("order", reading)).message


def test_a_relationship_of_a_product_to_itself_is_fine() -> None:
    tree = with_contract(rules=(relationship("order/orders", ("order_id",)),))
    assert not findings(relationships_exist, domain("order", tree))
    assert not findings(no_cycles, domain("order", tree))


def test_a_cycle_across_domains_is_found_in_each_of_them() -> None:
    a = domain("a", with_contract("a/x", rules=(relationship("b/y"),)))
    b = domain("b", with_contract("b/y", rules=(relationship("c/z"),)))
    code = product("c/z").folder / CODE_FILE
    c = domain("c", product("c/z", inputs=(ProductReference("a/x", None, code, 5),)))
    outside = domain("d", with_contract("d/w", rules=(relationship("a/x"),)))
    assert "a/x -> b/y -> c/z -> a/x" in one(no_cycles, a, b, c, outside).message
    assert one(no_cycles, c, a, b).file.name == "product.py"
    assert not findings(no_cycles, outside, a, b, c)


def landed(key: str, prefix: str) -> ProductFolder:
    return with_contract(key, landing=Landing(prefix, CSV, "*.csv", line=40))


@pytest.mark.parametrize(
    ("prefix", "granted", "owned"),
    [
        ("order/orders", {}, True),
        ("order", {}, True),
        ("sales/orders", {}, False),
        ("orders/orders", {}, False),
        ("Order/orders", {}, False),
        ("crm/export/orders", {"crm/export": "order"}, True),
        ("crm/exports", {"crm/export": "order"}, False),
        ("crm/export/orders", {"crm": "order", "crm/export": "sales"}, False),
        ("order/orders", {"order/orders": "sales"}, False),
    ],
)
def test_a_landing_prefix_is_its_domains_or_granted(
    prefix: str, granted: dict[str, str], owned: bool
) -> None:
    order = domain("order", landed("order/orders", prefix))
    found = list(landing_prefix_owned.check(order, mesh(order, landing_prefixes=granted)))
    assert (not found) == owned
    assert all(
        one.line == 40 and "does not belong to domain 'order'" in one.message for one in found
    )


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("order/a", "order/a", True),
        ("order/a", "order/a/b", True),
        ("order/a/b", "order/a", True),
        ("order/a", "order/A", True),
        ("order/a", "order/ab", False),
        ("order/a/c", "order/a/b", False),
    ],
)
def test_landing_prefixes_do_not_overlap(one: str, other: str, overlap: bool) -> None:
    order = domain("order", landed("order/orders", one), landed("order/lines", other))
    found = list(landing_prefix_owned.check(order, mesh(order)))
    assert len(found) == 2 * overlap
    assert all("overlaps" in each.message for each in found)


def test_another_domains_prefix_is_found_at_the_one_who_takes_it() -> None:
    order, thief = domain("order", landed("order/a", "order/a")), landed("sales/a", "order/a")
    sales = domain("sales", thief)
    found = landing_prefix_owned.check(sales, mesh(order, sales))
    assert [each.message.split("prefix ")[1] for each in found] == [
        "'order/a' does not belong to domain 'sales'",
        "'order/a' overlaps 'order/a' of order/a",
    ]


@pytest.mark.parametrize(("budget", "found"), [(0, 0), (10, 0), (10.5, 1), (100, 1)])
def test_a_loss_budget_is_capped_centrally(budget: float, found: int) -> None:
    order = domain("order", with_contract(loss_budget_percent=budget))
    assert len(list(loss_budget_capped.check(order, mesh(order)))) == found
    raised = mesh(order, loss_budget_percent=Decimal(100))
    assert list(loss_budget_capped.check(order, raised)) == []
