"""Promise: no reader ever sees a row that broke a blocking rule."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from tests.guarantees.orders import KEY, amounts, land_orders, orders_product
from tests.guarantees.stock_dagster import orders_with_blocking_check, run_stock, stock_reader
from tests.tiny_mesh import TinyMesh, evaluations, failures


def test_stock_dagster_hands_out_the_bad_rows_although_its_blocking_check_failed(
    tmp_path: Path,
) -> None:
    good = orders_with_blocking_check(pd.DataFrame({"amount": [1.0]}), tmp_path)
    assert run_stock(good).success
    bad = orders_with_blocking_check(pd.DataFrame({"amount": [1.0, -5.0]}), tmp_path)
    result = run_stock(bad)
    assert [one.passed for one in result.get_asset_check_evaluations()] == [False]
    assert -5.0 in list(stock_reader(bad)["amount"]), "the bad row was published before the check"


def test_bad_data_is_never_readable(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [1.0, -5.0])

    refused = mesh.run(KEY)

    assert not refused.success
    assert evaluations(refused)["range_amount"] is False
    assert "range_amount" in failures(refused) and "quarantine" in failures(refused)
    assert amounts(mesh) == [1.0, 2.0]
    assert not refused.get_asset_materialization_events()
    (entry,) = mesh.environment.quarantine.list(KEY)
    assert entry.rows == 2, "a batch that is refused is kept whole"


def test_the_next_good_batch_is_published_as_if_nothing_had_happened(mesh: TinyMesh) -> None:
    orders_product(mesh)
    for batch in ([1.0], [-1.0], [3.0]):
        land_orders(mesh, list(batch))
        mesh.run(KEY)
    assert amounts(mesh) == [3.0]
    numbers = [v.number for v in mesh.versions(KEY)]
    assert numbers == [1, 2]


def test_a_first_batch_that_is_bad_leaves_the_product_unpublished(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [None])
    assert not mesh.run(KEY).success
    try:
        mesh.rows(KEY)
    except LookupError as nothing:
        assert "not published yet" in str(nothing)
    else:
        raise AssertionError("something is readable")
