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
from sqlglot import MappingSchema, exp
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.qualify import qualify

from shared_resources.data_products.dbt import process as dbt_process
from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.data_products.dbt.on_snowflake.confinement import check
from shared_resources.data_products.dbt.on_snowflake.target import SnowflakeTarget
from shared_resources.environment import PROJECT_ROOT
from shared_resources.production.snowflake_login import SnowflakeLogin
from shared_resources.stores.cloud_warehouse.sql import type_of
from shared_resources.wiring import LocalEnvironment
from tests.domains.products import KEYS, contract_of

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


@pytest.fixture(scope="module")
def on_snowflake(tmp_path_factory: pytest.TempPathFactory) -> DbtModels:
    """The models with a login that nobody answers: nothing here may need an answer."""
    home = tmp_path_factory.mktemp("snowflake")
    environment = LocalEnvironment(root=PROJECT_ROOT, home=home)
    login = SnowflakeLogin(
        "nobody", "mesh", "MESH", "MESH", host="127.0.0.1", port=9, protocol="http", password="none"
    )
    vars(environment)["dbt_target"] = SnowflakeTarget(login, None)
    return DbtModels(environment)


def as_snowflake_sees_them(compiled_in: str) -> MappingSchema:
    """Every product as the view of a run, whose columns are in upper case as names without quotes.

    The stand-in cannot tell `day` from `"day"`: this can.
    """
    schema = MappingSchema(dialect="snowflake", normalize=False)
    for key in KEYS:
        columns = {column.name.upper(): type_of(column.type) for column in contract_of(key).columns}
        schema.add_table(exp.table_(key, db=compiled_in, catalog="UNKNOWN"), columns)
    return schema


@pytest.mark.slow
@pytest.mark.parametrize("domain", sorted({product.split("/")[0] for product in PRODUCTS}))
def test_the_compiled_sql_is_snowflakes_own(on_snowflake: DbtModels, tmp_path: Path, domain: str):
    """Every model and test, compiled for Snowflake without asking it: names, columns, functions."""
    target = on_snowflake.environment.dbt_target
    project = tmp_path / "project"
    shutil.copytree(on_snowflake._project(domain), project)
    subprocess.run(
        [*dbt_process.command(target), "compile", "--no-introspect", "--no-populate-cache"],
        cwd=project,
        env=dbt_process.variables(project, target.parsing()),
        check=True,
        capture_output=True,
        timeout=300,
    )
    compiled = sorted((project / "target" / "compiled").rglob("*.sql"))
    assert any(file.name in {model.name for model in MODELS} for file in compiled)
    schema = as_snowflake_sees_them("unknown")
    for file in compiled:
        text = file.read_text(encoding="utf-8")
        check(text, "unknown")
        (statement,) = sqlglot.parse(text, dialect="snowflake")
        unknown = {call.name for call in statement.find_all(exp.Anonymous)}
        assert not unknown, f"{file.name} calls {unknown}"
        qualified = qualify(statement, dialect="snowflake", schema=schema)
        assert qualified.named_selects, file.name
        assert sqlglot.parse_one(statement.sql("snowflake"), dialect="duckdb")


def test_a_name_in_the_wrong_case_would_be_noticed():
    schema = as_snowflake_sees_them("unknown")
    lower = 'select "sales_date" from unknown."unknown"."order/daily_sales"'
    with pytest.raises(OptimizeError):
        qualify(sqlglot.parse_one(lower, dialect="snowflake"), dialect="snowflake", schema=schema)
