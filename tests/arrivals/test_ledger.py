"""Which objects were ingested: what is published or in quarantine, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from shared_resources.arrivals.ingested import unseen
from shared_resources.landing.zones.zone import LandingObject
from tests.contract_factory import make_contract, make_version


def landed(key: str, etag: str = "1") -> LandingObject:
    return LandingObject(key, 1, datetime(2026, 1, 1, tzinfo=UTC), etag)


def store(*versions: list[tuple[str, str]]) -> Any:
    """A store whose versions of shop/items were made of these objects."""
    contract = make_contract(domain="shop", name="items")
    made = [make_version(contract, objects=tuple(pairs)) for pairs in versions]
    return SimpleNamespace(versions=lambda product: made if product == "shop/items" else [])


def quarantine(*pairs: tuple[str, str]) -> Any:
    entry = SimpleNamespace(objects=pairs)
    return SimpleNamespace(list=lambda product: [entry] if product == "shop/items" else [])


def test_published_and_refused_objects_are_seen_and_replaced_ones_are_not() -> None:
    objects = [landed(key) for key in ("new", "lake", "warehouse", "refused")]
    replaced = landed("lake", "2")
    stores = [store([], [("lake", "1")]), store([("warehouse", "1"), ("gone", "1")])]
    refused = quarantine(("refused", "1"))
    assert unseen([*objects, replaced], stores, refused, "shop/items") == [objects[0], replaced]


def test_products_have_ledgers_of_their_own() -> None:
    one = landed("lake")
    stores = [store([("lake", "1")])]
    assert unseen([one], stores, quarantine(("lake", "1")), "shop/others") == [one]
