"""Promise: whatever is selected, a batch is audited before it is published."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pandas as pd

from shared_resources.dagster_instance.asset_keys import asset_key
from tests.guarantees.orders import KEY, amounts, land_orders, orders_product
from tests.guarantees.stock_dagster import orders_with_blocking_check, run_stock, stock_reader
from tests.tiny_mesh import TinyMesh, evaluations


def test_stock_dagster_publishes_unchecked_when_checks_are_deselected(tmp_path: Path) -> None:
    bad = orders_with_blocking_check(pd.DataFrame({"amount": [-5.0]}), tmp_path)
    result = run_stock(bad, "unchecked")
    assert result.success
    assert not result.get_asset_check_evaluations()
    assert list(stock_reader(bad)["amount"]) == [-5.0]


def test_checks_cannot_be_deselected(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [-5.0])
    without = dg.AssetSelection.assets(asset_key(KEY)).without_checks()

    refused = mesh.run(KEY, selection=without)

    assert not refused.success
    assert amounts(mesh) == [1.0]


def test_a_good_batch_is_published_with_checks_deselected_and_still_proves_what_it_passed(
    mesh: TinyMesh,
) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(
        KEY, selection=dg.AssetSelection.assets(asset_key(KEY)).without_checks()
    ).success
    evidence = mesh.versions(KEY)[0].evidence
    assert evidence.outcome("range_amount") is not None
    assert evidence.checks_passed >= 6 and evidence.checks_failed == 0


def test_only_checks_selected_audits_again_what_is_published(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [-5.0])  # newer data must not be looked at by a re-audit
    checks = dg.AssetSelection.checks_for_assets(asset_key(KEY))

    audited = mesh.run(KEY, selection=checks)

    assert audited.success
    assert not audited.get_asset_materialization_events()
    assert evaluations(audited)["range_amount"] is True
    assert len(mesh.versions(KEY)) == 1
