"""What Dagster is told about a product, all of it from its contract."""

from __future__ import annotations

from datetime import timedelta

import dagster as dg
import yaml

from shared_resources.dagster_instance.asset_keys import asset_key
from tests.guarantees.orders import COLUMNS, DAILY, DAY, KEY
from tests.tiny_mesh import TinyMesh, column, contract_text

COLUMN = column("email", "VARCHAR", classification="restricted")
WARNING = {
    "name": "enough",
    "metric": "rowCount",
    "mustBeGreaterThan": 10,
    "severity": "warning",
    "dimension": "completeness",
}


def described(mesh: TinyMesh) -> dg.AssetSpec:
    contract = yaml.safe_load(
        contract_text(
            KEY,
            (*COLUMNS, DAY, COLUMN),
            servers=("lake", "warehouse"),
            quality=[WARNING],
            properties={**DAILY, "lossBudgetPercent": 5},
        )
    )
    contract["tags"] = ["sales", "core data"]
    mesh.product(KEY, yaml.safe_dump(contract, sort_keys=False))
    return mesh.definitions("order").resolve_asset_graph().get(asset_key(KEY)).to_asset_spec()


def test_the_spec_says_what_the_contract_says(mesh: TinyMesh) -> None:
    spec = described(mesh)
    assert spec.description and "orders of the order domain" in spec.description
    assert list(spec.owners) == ["order@example.com"]
    assert spec.group_name == "order"
    assert spec.kinds == {"iceberg", "duckdb", "parquet"}
    assert spec.tags["mesh/contract-version"] == "1.0.0"
    assert spec.tags["mesh/status"] == "active"
    assert {"mesh/sales", "mesh/core-data"} <= set(spec.tags)
    assert spec.code_version is not None and spec.code_version.startswith("1.0.0-")
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(fail_window=timedelta(days=2))
    assert isinstance(spec.partitions_def, dg.DailyPartitionsDefinition)
    assert spec.partitions_def.start.date().isoformat() == "2024-01-01"
    assert spec.automation_condition is None, "an ingest is run by its sensor"


def test_columns_come_with_types_descriptions_and_constraints(mesh: TinyMesh) -> None:
    metadata = described(mesh).metadata
    schema = metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema | dg.TableSchemaMetadataValue)
    columns = (schema if isinstance(schema, dg.TableSchema) else schema.schema).columns
    assert [one.name for one in columns] == ["order_id", "amount", "day", "email"]
    key, amount, _, email = columns
    assert key.constraints.unique and not key.constraints.nullable
    assert not amount.constraints.unique and not amount.constraints.nullable
    assert email.constraints.nullable and email.tags == {"classification": "restricted"}
    assert email.description == "The email."
    assert metadata["dagster/table_name"] == "order.orders"
    assert metadata["loss budget percent"] == 5
    assert metadata["clauses enforced"] > 0


def test_code_references_lead_to_the_contract_and_the_function(mesh: TinyMesh) -> None:
    folder = mesh.product(
        "finance/made",
        contract_text("finance/made", COLUMNS),
        "from shared_resources import data_product\n\n\n@data_product\ndef made():\n    return None\n",
    )
    spec = mesh.definitions("finance").resolve_asset_graph().get(asset_key("finance/made"))
    references = spec.to_asset_spec().metadata["dagster/code_references"].code_references
    found = {one.label: (one.file_path, one.line_number) for one in references}
    assert found["contract"][0] == str(folder / "contract.odcs.yaml")
    assert found["code"] == (str(folder / "product.py"), 4)
    assert spec.to_asset_spec().kinds == {"iceberg", "python"}
    assert spec.to_asset_spec().automation_condition is not None


def test_each_rule_is_a_check_of_the_asset(mesh: TinyMesh) -> None:
    described(mesh)
    graph = mesh.definitions("order").resolve_asset_graph()
    specs = {key.name: graph.get_check_spec(key) for key in graph.asset_check_keys}
    assert {"columns", "parse", "not_empty", "required_amount", "primary_key", "enough"} <= set(
        specs
    )
    assert specs["range_amount"].blocking and not specs["enough"].blocking
    assert {key.asset_key for key in graph.asset_check_keys} == {asset_key(KEY)}
    metadata = specs["enough"].metadata
    assert metadata["clause"] and "10" in metadata["threshold"]
    assert metadata["dimension"] == "completeness"


def test_a_location_has_its_products_sensors_and_resources(mesh: TinyMesh) -> None:
    described(mesh)
    definitions = mesh.definitions("order")
    assert {one.name for one in definitions.sensors or ()} == {
        "order_landing",
        "order_automation",
    }
    assert set(definitions.resources or ()) == {"lake", "warehouse"}
