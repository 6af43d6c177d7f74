"""Every code location loads by itself, without what only its runs need, and shares no key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared_resources.governance.catalogue import data_time_rules
from shared_resources.mesh import read_mesh
from tests.architecture.tree import ROOT

# Slow: a process a location, and dbt parses its project in three of them. Each loads once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("locations")]

# Each takes from half a second to five to import, and a code server is started for every location.
ONLY_FOR_RUNS = (
    "boto3",
    "dagster_aws",
    "dagster_dbt",
    "dagster_snowflake",
    "dbt",
    "pandera",
    "pyiceberg",
    "snowflake.connector",
)

# A product that Beam makes says so with Beam's types, and Beam imports each cloud's client that is
# installed.
BRINGS = {"recommendation": {"boto3"}}

# Loads one location as a code server would, without one, and tells what is in it.
LOAD = """
import importlib, json, sys
definitions = importlib.import_module(sys.argv[1]).defs
imported = sorted(sys.modules)
graph = definitions.resolve_asset_graph()
print(json.dumps({
    "imported": imported,
    "assets": [key.to_user_string() for key in graph.materializable_asset_keys],
    "checks": [f"{key.asset_key.to_user_string()}:{key.name}" for key in graph.asset_check_keys],
    "owners": {k.to_user_string(): list(graph.get(k).owners)
               for k in graph.materializable_asset_keys},
    "domains": [name for name in imported if name.startswith("domains.")],
}))
"""
DOMAINS = read_mesh(ROOT).domain_names
_loaded: dict[str, dict[str, Any]] = {}


def load(domain: str, home: Path) -> dict[str, Any]:
    """What a fresh process finds in the domain's location; loaded once for all tests."""
    if domain not in _loaded:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MESH_")}
        done = subprocess.run(
            [sys.executable, "-c", LOAD, f"domains.{domain}.definitions"],
            cwd=ROOT,
            env={**environment, "MESH_HOME": str(home), "DAGSTER_HOME": str(home)},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        _loaded[domain] = json.loads(done.stdout.splitlines()[-1])
    return _loaded[domain]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_location_loads_without_what_only_its_runs_need(domain: str, home: Path) -> None:
    needless = set(ONLY_FOR_RUNS) - BRINGS.get(domain, set())
    assert set(load(domain, home)["imported"]).isdisjoint(needless)


@pytest.mark.parametrize("domain", DOMAINS)
def test_a_location_holds_exactly_its_domains_products(domain: str, home: Path) -> None:
    products = sorted(product.key for product in read_mesh(ROOT).domain(domain).products)
    assert sorted(load(domain, home)["assets"]) == products


@pytest.mark.parametrize("domain", DOMAINS)
def test_loading_a_location_imports_no_other_domain(domain: str, home: Path) -> None:
    others = {name for name in load(domain, home)["domains"] if name.split(".")[1] != domain}
    assert others == set()


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_rule_of_contract_and_policies_is_a_check_of_its_asset(
    domain: str, home: Path
) -> None:
    checks = set(load(domain, home)["checks"])
    for product in read_mesh(ROOT).domain(domain).products:
        assert product.contract is not None
        rules = (*product.contract.rules, *data_time_rules(product.contract))
        assert {f"{product.key}:{rule.name}" for rule in rules} <= checks


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_asset_has_an_owner(domain: str, home: Path) -> None:
    owners = load(domain, home)["owners"]
    assert owners
    assert all(owners.values()), owners


@pytest.mark.parametrize("what", ["assets", "checks"])
def test_keys_are_unique_across_locations(what: str, home: Path) -> None:
    """Dagster does not say so: of two locations with one key, the last one silently wins."""
    keys = Counter(key for domain in DOMAINS for key in load(domain, home)[what])
    assert len(keys) >= len(DOMAINS)
    assert [key for key, count in keys.items() if count > 1] == []


def test_the_workspace_lists_every_domain_once() -> None:
    listed = yaml.safe_load((ROOT / "workspace.yaml").read_text(encoding="utf-8"))["load_from"]
    names = [location["python_module"]["location_name"] for location in listed]
    assert sorted(names) == list(DOMAINS)


def test_loading_leaves_nothing_behind(home: Path) -> None:
    for domain in DOMAINS:
        load(domain, home)
    # What is compiled, of models and of contracts, is kept for the next process.
    left = [p for p in home.rglob("*") if p.is_file() and not {"dbt", "compiled"} & {*p.parts}]
    assert left == []
