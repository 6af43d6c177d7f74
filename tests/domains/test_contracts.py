"""The example's contracts: they read without findings, and say why they tolerate what they do."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.contracts.file_formats import OWN
from shared_resources.contracts.model import (
    Classification,
    LandingMode,
    Server,
    Threshold,
)
from shared_resources.contracts.odcs import read_contract
from tests.domains.products import CONTRACT_FILES, KEYS, contract_of, folder_of

EXPECTED = {
    "customer/contacts",
    "customer/customer_360",
    "customer/households",
    "customer/order_history",
    "marketing/campaign_households",
    "marketing/campaign_performance",
    "marketing/campaign_responses",
    "marketing/campaigns",
    "marketing/campaigns_v1",
    "marketing/coupons",
    "marketing/promotions",
    "marketing/redemptions",
    "order/baskets",
    "order/daily_sales",
    "order/purchases",
    "order/transactions",
    "product/catalog",
    "recommendation/household_recommendations",
    "recommendation/item_affinities",
    "recommendation/next_products",
}


def test_the_mesh_has_its_products():
    assert set(KEYS) == EXPECTED


@pytest.mark.parametrize("file", CONTRACT_FILES, ids=KEYS)
def test_a_contract_reads_without_findings_and_agrees_with_its_folder(file: Path):
    contract = read_contract(file)
    assert (contract.domain, contract.name) == (file.parents[2].name, file.parent.name)
    assert contract.primary_key, "every product of the example has a key"


@pytest.mark.parametrize("key", KEYS)
def test_every_tolerance_says_its_reason(key: str):
    tolerant = [rule for rule in contract_of(key).rules if rule.threshold != Threshold()]
    silent = [rule.name for rule in tolerant if len(rule.reason.split()) < 4]
    assert not silent, f"{key}: say why {silent} tolerate what they do"


@pytest.mark.parametrize("key", KEYS)
def test_a_product_has_one_maker(key: str):
    contract, folder = contract_of(key), folder_of(key)
    domain, name = key.split("/")
    model = folder.parents[3] / "dbt_project" / "models" / domain / f"{name}.sql"
    makers = [contract.landing is not None, contract.stream is not None]
    makers += [(folder / "product.py").is_file(), model.is_file()]
    previous = contract.previous_major
    makers.append(previous is not None and bool(previous.derived_by))
    assert makers.count(True) == 1


def test_products_are_published_where_their_readers_are():
    servers = {key: contract_of(key).servers for key in KEYS}
    both = [key for key, names in servers.items() if len(names) == 2]
    assert len(both) >= 2
    assert sum(Server.LAKE in names for names in servers.values()) > len(KEYS) / 2
    for mart in ("order/daily_sales", "customer/customer_360", "marketing/campaign_performance"):
        assert Server.WAREHOUSE in servers[mart]


def test_each_landing_format_occurs():
    landings = [contract_of(key).landing for key in KEYS]
    assert {landing.format for landing in landings if landing} == set(OWN)
    transactions = contract_of("order/transactions").landing
    assert transactions is not None and transactions.mode is LandingMode.PARTITION


def test_contact_details_are_restricted_and_labelled_synthetic():
    contacts = contract_of("customer/contacts")
    assert "synthetic" in contacts.tags and "SYNTHETIC" in contacts.description
    for name in ("first_name", "last_name", "email", "phone"):
        column = contacts.column(name)
        assert column.classification is Classification.RESTRICTED
        assert "synthetic" in column.tags


def test_relationships_cross_domains():
    crossing = {
        (key, rule.arguments["product"])
        for key in KEYS
        for rule in contract_of(key).rules
        if rule.kind == "relationship"
        and rule.arguments["product"].split("/")[0] != key.split("/")[0]
    }
    assert ("order/transactions", "product/catalog") in crossing
    assert ("recommendation/household_recommendations", "customer/order_history") in crossing
    assert len({key.split("/")[0] for key, _ in crossing}) >= 3


def test_the_model_must_beat_its_baseline_or_block():
    rules = {r.name: r for r in contract_of("recommendation/household_recommendations").rules}
    assert rules["beats_popularity"].kind == "custom"
    assert rules["beats_popularity"].severity.value == "blocking"
