"""A version that no run tells of is shown as checked against what it says itself."""

from __future__ import annotations

import dagster as dg

from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.mesh import read_mesh
from shared_resources.reporting.outside_runs import report_version
from tests.cli.commands import call
from tests.guarantees.orders import KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh


def told_of_newest(mesh: TinyMesh) -> dict[str, bool]:
    """What each check says of the newest materialization; Dagster shows others as not evaluated."""
    key = asset_key(KEY)
    storage = mesh.instance.event_log_storage
    newest = mesh.instance.get_latest_materialization_event(key)
    assert newest is not None
    contract = read_mesh(mesh.root).product(KEY).contract
    assert contract is not None
    keys = [dg.AssetCheckKey(key, rule.name) for rule in contract.rules]
    found = storage.get_latest_asset_check_execution_by_key(keys)
    said = {}
    for check, record in found.items():
        event = record.event.dagster_event if record.event else None
        evaluation = event.event_specific_data if event else None
        assert isinstance(evaluation, dg.AssetCheckEvaluation)
        target = evaluation.target_materialization_data
        if target is not None and target.storage_id == storage_id(mesh):
            said[check.name] = evaluation.passed
    return said


def storage_id(mesh: TinyMesh) -> int:
    records = mesh.instance.fetch_materializations(asset_key(KEY), limit=1).records
    return records[0].storage_id


def published_twice(mesh: TinyMesh) -> None:
    orders_product(mesh)
    for amounts in ([1.5], [1.5, 2.5]):
        land_orders(mesh, amounts)
        assert mesh.run(KEY).success


def test_a_rolled_back_version_shows_what_it_was_checked_against(mesh: TinyMesh) -> None:
    published_twice(mesh)
    before = told_of_newest(mesh)
    assert before
    assert call("rollback", KEY, "--to", 1).code == 0
    assert told_of_newest(mesh) == before


def test_a_version_of_a_dead_run_does(mesh: TinyMesh) -> None:
    published_twice(mesh)
    contract = read_mesh(mesh.root).product(KEY).contract
    assert contract is not None
    before = told_of_newest(mesh)
    newest = mesh.environment.stores_of(contract)[0].versions(KEY)[-1]
    report_version(mesh.environment, contract, [newest])
    assert told_of_newest(mesh) == before
