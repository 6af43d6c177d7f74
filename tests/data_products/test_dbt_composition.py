"""One domain's dbt project, put together from `dbt_project/` and the contracts; dbt is not run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from shared_resources.data_products.dbt.composition import compose, digest
from shared_resources.data_products.dbt.process import DbtModelFailed
from shared_resources.environment import Environment
from tests.data_products.dbt_toy import (
    COLUMNS,
    DAILY_TESTS,
    contract_file,
    toy,
    write,
    write_contract,
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return toy(tmp_path / "root")


def composed(environment: Environment, domain: str) -> Path:
    into = environment.home / f"composed-{domain}"
    into.mkdir(parents=True)
    assert compose(environment, domain, into) == {}
    return into


def yaml_of(file: Path) -> dict:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def test_every_product_is_a_source_with_its_contracts_words(environment: Environment):
    derived = yaml_of(composed(environment, "paint") / "models" / "_contracts.yml")
    sources = {
        f"{domain['name']}/{table['name']}": table
        for domain in derived["sources"]
        for table in domain["tables"]
    }
    assert sources.keys() == COLUMNS.keys()
    assert [c["name"] for c in sources["shop/daily"]["columns"]] == list(COLUMNS["shop/daily"])
    assert sources["shop/daily"]["columns"][1] == {
        "name": "lines",
        "description": "The lines of daily.",
        "data_type": "BIGINT",
    }
    assert {domain["schema"] for domain in derived["sources"]} == {"shop", "paint"}


def test_a_contracts_braces_are_not_jinja(environment: Environment):
    derived = yaml_of(composed(environment, "paint") / "models" / "_contracts.yml")
    (weekly,) = derived["models"]
    assert "braces" in weekly["description"]
    assert "{{" not in weekly["description"]


def test_the_authors_tests_stay_and_the_contract_describes(environment: Environment):
    composed_schema = yaml_of(composed(environment, "shop") / "models" / "shop" / "schema.yml")
    (daily,) = composed_schema["models"]
    (written,) = yaml.safe_load(DAILY_TESTS)["models"]
    columns = {column["name"]: column for column in daily["columns"]}
    assert list(columns) == list(COLUMNS["shop/daily"])
    assert columns["day"]["data_tests"] == written["columns"][0]["data_tests"]
    assert columns["colour"]["data_tests"] == written["columns"][1]["data_tests"]
    assert columns["total"] == {
        "name": "total",
        "description": "The total of daily.",
        "data_type": "DOUBLE",
    }


def test_a_domain_gets_its_own_models_and_tests_only(environment: Environment):
    paint = composed(environment, "paint")
    assert [f.name for f in (paint / "models").rglob("*.sql")] == ["weekly.sql"]
    assert not (paint / "tests").exists()
    assert (paint / "macros" / "schemas.sql").exists()


def test_telemetry_is_off_whatever_the_project_says(environment: Environment):
    write(
        environment.root,
        "dbt_project.yml",
        "name: toy\nprofile: toy\nflags: {send_anonymous_usage_stats: true}\n",
    )
    settings = yaml_of(composed(environment, "shop") / "dbt_project.yml")
    assert settings["flags"]["send_anonymous_usage_stats"] is False


def test_a_product_without_a_valid_contract_is_a_source_without_columns(environment: Environment):
    contract_file(environment.root, "paint/colours").write_text(
        "apiVersion: v3.2.0\nnonsense: true\n"
    )
    contract_file(environment.root, "shop/lines").unlink()
    another = contract_file(environment.root, "paint/weekly")
    another.write_text(contract_file(environment.root, "shop/daily").read_text())
    derived = yaml_of(composed(environment, "shop") / "models" / "_contracts.yml")
    assert {
        f"{domain['name']}/{table['name']}": [c["name"] for c in table.get("columns", ())]
        for domain in derived["sources"]
        for table in domain["tables"]
    } == {
        "paint/colours": [],
        "paint/weekly": [],
        "shop/daily": list(COLUMNS["shop/daily"]),
        "shop/lines": [],
    }


def test_tests_of_a_column_that_there_is_not_stop_their_model_alone(environment: Environment):
    text = "models: [{name: daily, columns: [{name: price}]}]"
    write(environment.root, "models/shop/schema.yml", text)
    into = environment.home / "composed"
    into.mkdir(parents=True)
    refused = compose(environment, "shop", into)
    assert refused.keys() == {"daily"}
    assert re.search(
        "daily has columns that .*contract.odcs.yaml does not have: price", refused["daily"]
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("models/stray.sql", "select 1", "models/stray.sql is in no domain's folder"),
        ("tests/stray.sql", "select 1", "tests/stray.sql is in no domain's folder"),
        ("seeds/rates.csv", "a\n1\n", "dbt_project/seeds"),
        (
            "models/shop/sources.yml",
            "sources: [{name: x, tables: [{name: y}]}]",
            "models/shop/sources.yml declares sources",
        ),
        (
            "models/shop/schema.yml",
            "models: [{name: dialy, columns: [{name: day, data_tests: [unique]}]}]",
            "is about 'dialy', and there is no dialy.sql",
        ),
        ("models/shop/schema.yml", "models: [daily]", r"schema.yml: models\[0\] must be a mapping"),
        ("models/shop/schema.yml", "models: [", "models/shop/schema.yml is not valid YAML"),
        ("models/shop/schema.yml", "- daily", "models/shop/schema.yml must hold a mapping"),
    ],
)
def test_what_would_go_unnoticed_is_refused(
    environment: Environment, name: str, text: str, said: str
):
    write(environment.root, name, text)
    with pytest.raises(DbtModelFailed, match=said):
        composed(environment, "shop")


def test_the_digest_follows_what_the_domain_is_made_from(environment: Environment):
    before = digest(environment, "shop")
    assert digest(environment, "shop") == before

    write(environment.root, "models/paint/weekly.sql", "select 2 as total")
    assert digest(environment, "shop") == before  # another domain's model

    write(environment.root, "macros/more.sql", "{% macro more() %}1{% endmacro %}")
    shared = digest(environment, "shop")
    assert shared != before

    write_contract(environment.root, "paint/colours", {"colour": "string", "code": "integer"})
    contracts = digest(environment, "shop")
    assert contracts not in {before, shared}

    write(environment.root, "tests/shop/totals_agree.sql", "select 1 where false")
    assert digest(environment, "shop") not in {before, shared, contracts}
