"""dbt reads what the stores published: versions of the lake and the warehouses, pinned."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Server
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.values.lossless import conform
from shared_resources.data_products.dbt.model import DbtModels
from shared_resources.data_products.dbt.on_snowflake import inputs as dbt_snowflake_inputs
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import ProductStore, Snapshot, StagedBatch
from shared_resources.stores.staging.staging import write_staged
from shared_resources.wiring import ProductionEnvironment
from tests.contract_factory import let_through
from tests.data_products.dbt_toy import contract_file, table, toy

Rows = list[tuple[object, ...]]


def publish(store: ProductStore, root: Path, product: str, batch_id: str, rows: Rows) -> Snapshot:
    contract = read_contract(contract_file(root, product))
    folder = store.staging_folder(contract, batch_id)
    files = write_staged(conform(table(product, rows), contract), folder, contract, ("",))
    store.publish(contract, let_through(contract, StagedBatch(product, batch_id, folder, files)))
    return store.open(product)


@pytest.mark.parametrize(
    "lines_in", [LakeStore, pytest.param(WarehouseStore, marks=pytest.mark.slow)]
)
def test_a_model_reads_the_pinned_versions_of_either_store(
    tmp_path: Path, lines_in: type[LakeStore] | type[WarehouseStore]
):
    environment = toy(tmp_path)
    lake, warehouse = LakeStore(tmp_path / "lake"), WarehouseStore(tmp_path / "warehouse")
    lines_store: ProductStore = lines_in(tmp_path / "lines' store")  # a quote in the path, too
    first = [(date(2026, 1, 1), 2.0, "red"), (date(2026, 1, 1), 0.5, "red")]
    inputs = {
        "shop/lines": publish(lines_store, tmp_path, "shop/lines", "one", first),
        "paint/colours": publish(warehouse, tmp_path, "paint/colours", "one", [("red",)]),
    }
    publish(lines_store, tmp_path, "shop/lines", "two", [(date(2026, 2, 2), 9.0, "blue")])
    contract = read_contract(contract_file(tmp_path, "shop/daily"))
    folder = lake.staging_folder(contract, "made")

    outcome = DbtModels(environment).build(contract, inputs, folder, "run-1")

    assert pq.read_metadata(outcome.files[0].path).num_rows == 1
    staged = StagedBatch("shop/daily", "made", folder, outcome.files)
    lake.publish(contract, let_through(contract, staged))
    made = lake.open("shop/daily").batches().read_all().to_pylist()
    assert made == [{"day": date(2026, 1, 1), "lines": 2, "total": 2.5, "colour": "red"}]
    assert all(result.passed for result in outcome.tests)


@pytest.mark.slow
def test_versions_in_snowflake_are_read_where_they_are(
    tmp_path: Path, production: ProductionEnvironment, monkeypatch: pytest.MonkeyPatch
):
    """As views of their own tables, whichever store the run pinned them in; nothing is loaded."""
    environment = toy(tmp_path / "root")
    vars(environment)["dbt_target"] = production.dbt_target
    lake, warehouse = LakeStore(tmp_path / "lake"), production.stores[Server.WAREHOUSE]
    root, colours = environment.root, [("red",)]
    first = [(date(2026, 1, 1), 2.0, "red"), (date(2026, 1, 1), 0.5, "red")]
    inputs = {
        "shop/lines": publish(warehouse, root, "shop/lines", "one", first),
        "paint/colours": publish(lake, root, "paint/colours", "one", colours),
    }
    publish(warehouse, root, "paint/colours", "one", colours)  # a product of both stores
    publish(warehouse, root, "paint/colours", "two", [("green",)])
    publish(warehouse, root, "shop/lines", "two", [(date(2026, 2, 2), 9.0, "blue")])

    def refuse(*_: object) -> None:
        raise AssertionError("an input was copied")

    monkeypatch.setattr(dbt_snowflake_inputs, "load", refuse)
    contract = read_contract(contract_file(root, "shop/daily"))
    outcome = DbtModels(environment).build(contract, inputs, tmp_path / "staged", "run-1")
    assert pq.read_table(outcome.files[0].path).to_pylist() == [
        {"day": date(2026, 1, 1), "lines": 2, "total": 2.5, "colour": "red"}
    ]
    assert all(result.passed for result in outcome.tests)
