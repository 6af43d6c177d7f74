"""How the dbt project is kept: nothing is written twice, and the SQL is for two engines."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlglot
import yaml
from sqlglot import exp

from shared_resources.data_products import dbt_confinement, dbt_process
from shared_resources.data_products.dbt_model import DbtModels
from shared_resources.environment import PROJECT_ROOT

PROJECT = PROJECT_ROOT / "dbt_project"
MODELS = sorted(PROJECT.glob("models/*/*.sql"))
PRODUCTS = [f"{model.parent.name}/{model.stem}" for model in MODELS]


def test_there_is_a_model_for_each_promised_product():
    assert {"order/daily_sales", "customer/customer_360", "marketing/campaign_performance"} <= set(
        PRODUCTS
    )


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_model_has_a_contract(product: str):
    domain, name = product.split("/")
    folder = PROJECT_ROOT / "domains" / domain / "products" / name
    assert (folder / "contract.odcs.yaml").is_file()
    assert not (folder / "product.py").exists()


def _keys(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from _keys(value)
    elif isinstance(node, list):
        for value in node:
            yield from _keys(value)


@pytest.mark.parametrize(
    "file", sorted(PROJECT.glob("models/**/*.yml")), ids=lambda f: f.parent.name
)
def test_schema_files_hold_tests_only(file: Path):
    properties = yaml.safe_load(file.read_text(encoding="utf-8"))
    assert properties.keys() == {"version", "models"}
    for model in properties["models"]:
        assert model.keys() <= {"name", "data_tests", "columns"}
        for column in model.get("columns", []):
            assert column.keys() == {"name", "data_tests"}
    assert "description" not in set(_keys(properties))


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_model_has_a_singular_test_that_keeps_the_batch_back(models: DbtModels, product: str):
    singular = [t for t in models.tests(product) if t.file.startswith("tests/")]
    assert [t.severity.value for t in singular] == ["blocking"]
    assert "dbt test" not in singular[0].description


def test_the_four_generic_tests_of_dbt_are_in_use(models: DbtModels):
    names = " ".join(test.name for product in PRODUCTS for test in models.tests(product))
    for kind in ("not_null", "unique", "relationships", "accepted_values"):
        assert f"dbt_{kind}_" in names


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_manifest_carries_the_contracts_descriptions(models: DbtModels, product: str):
    domain, name = product.split("/")
    nodes = models.manifest(domain)["nodes"].values()
    (model,) = [n for n in nodes if n["resource_type"] == "model" and n["name"] == name]
    assert model["description"]
    assert all(column["description"] for column in model["columns"].values())


@pytest.mark.parametrize("domain", sorted({product.split("/")[0] for product in PRODUCTS}))
def test_the_compiled_sql_is_snowflakes_too(models: DbtModels, tmp_path: Path, domain: str):
    """Every model and test parses in Snowflake's dialect and calls no function that it lacks."""
    project = tmp_path / "project"
    shutil.copytree(models._project(domain), project)
    (project / dbt_confinement.INPUTS).write_text('{"attach": {}, "paths": []}')
    subprocess.run(
        [*dbt_process.command(models.environment.dbt_target), "compile", "--no-introspect"],
        cwd=project,
        env=dbt_process.variables(project, {}),
        check=True,
        capture_output=True,
    )
    compiled = sorted((project / "target" / "compiled").rglob("*.sql"))
    assert any(file.name in {model.name for model in MODELS} for file in compiled)
    for file in compiled:
        (statement,) = sqlglot.parse(file.read_text(encoding="utf-8"), dialect="snowflake")
        unknown = {call.name for call in statement.find_all(exp.Anonymous)}
        assert not unknown, f"{file.name} calls {unknown}"
        assert sqlglot.parse_one(statement.sql("snowflake"), dialect="duckdb")
