"""All domains as one location: everything in it once, and nothing that is not theirs."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from shared_resources.components.location import NoLocation, location_of
from shared_resources.components.whole_mesh import NotOneLocation, in_one, refuse_findings
from shared_resources.mesh import read_mesh
from shared_resources.scaffolding.beginnings import Beginning
from shared_resources.scaffolding.new_product import NewProduct, make_product
from tests.tiny_mesh import TinyMesh


@pytest.fixture
def two(mesh: TinyMesh) -> TinyMesh:
    mesh.domain("order")
    mesh.domain("sales")
    make_product(mesh.root, NewProduct("order/lines", Beginning.INGEST, "A line."))
    for key in ("order/copy", "sales/copy"):
        make_product(mesh.root, NewProduct(key, Beginning.FUNCTION, "A line.", ("order/lines",)))
    return mesh


def test_what_one_reads_of_another_is_the_others_asset(two: TinyMesh) -> None:
    whole = in_one({name: two.definitions(name) for name in ("order", "sales")})
    repository = whole.get_repository_def()
    keys = {key.to_user_string() for key in repository.asset_graph.get_all_asset_keys()}
    assert keys == {"order/lines", "order/copy", "sales/copy"}
    graph = repository.asset_graph
    assert all(graph.get(key).is_materializable for key in graph.get_all_asset_keys())
    checks = {key.name for key in graph.asset_check_keys}
    assert {"primary_key", "mesh_health"} <= checks
    automation = [
        sensor
        for sensor in repository.sensor_defs
        if isinstance(sensor, dg.AutomationConditionSensorDefinition)
    ]
    assert [sensor.name for sensor in automation] == ["mesh_automation"]
    assert "order_landing" in {sensor.name for sensor in repository.sensor_defs}


def test_two_resources_of_one_name_are_said(two: TinyMesh) -> None:
    own = {
        name: dg.Definitions(resources={"client": dg.ResourceDefinition.hardcoded_resource(name)})
        for name in ("order", "sales")
    }
    with pytest.raises(NotOneLocation, match="order and sales each have a resource 'client'"):
        in_one(own)


def test_what_mesh_check_finds_is_refused_where_dg_checks(two: TinyMesh) -> None:
    refuse_findings(two.environment, read_mesh(two.root))
    contract = two.root / "domains/order/products/lines/contract.odcs.yaml"
    contract.write_text(contract.read_text().replace("classification: internal", "", 1))
    with pytest.raises(NotOneLocation, match="`mesh check` finds in"):
        refuse_findings(two.environment, read_mesh(two.root))


def test_a_folder_that_is_no_domain_is_said(two: TinyMesh, tmp_path: Path) -> None:
    with pytest.raises(NoLocation, match="mesh new domain shop"):
        location_of(two.root / "domains" / "shop")
    with pytest.raises(NoLocation, match="is no domain"):
        location_of(tmp_path)
