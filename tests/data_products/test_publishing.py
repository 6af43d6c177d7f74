"""A product's run, in process: published once, on every store, refused or partly refused whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from shared_resources.contracts.model import Server
from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.io_managers.product_io_manager import ProductIOManager
from shared_resources.locations.location import build_domain
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from tests.guarantees.orders import (
    COLUMNS,
    KEY,
    LANDING,
    amounts,
    daily_orders_product,
    land_day,
    land_orders,
    orders_product,
    orders_table,
)
from tests.landing.damage import overlooked_by_arrow
from tests.tiny_mesh import TinyMesh, contract_text, evaluations, failures


def both_stores(mesh: TinyMesh) -> None:
    text = contract_text(
        KEY, COLUMNS, servers=("lake", "warehouse"), properties={"landing": LANDING}
    )
    mesh.product(KEY, text)


def in_store(mesh: TinyMesh, server: Server) -> list[float]:
    table = mesh.environment.stores[server].open(KEY).batches().read_all()
    assert isinstance(table, pa.Table)
    return sorted(table["amount"].to_pylist())


def retried(mesh: TinyMesh, of: str, tags: dict[str, str]) -> bool:
    """The run that Dagster's daemon (with its tag) or a person makes of run `of`; its success."""
    job = mesh.definitions("order").resolve_implicit_global_asset_job_def()
    job = job.get_subset(asset_selection={asset_key(KEY)})
    run = mesh.instance.create_run_for_job(
        job,
        tags={"dagster/parent_run_id": of, "dagster/root_run_id": of, **tags},
        parent_run_id=of,
        root_run_id=of,
        asset_selection=frozenset({asset_key(KEY)}),
    )
    events = list(execute_run_iterator(InMemoryJob(job), run, mesh.instance))
    return any(one.event_type is dg.DagsterEventType.RUN_SUCCESS for one in events)


def test_a_range_of_days_is_one_version_with_an_event_a_day(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    days = ("2024-01-01", "2024-01-02", "2024-01-03")
    for number, day in enumerate(days):
        land_day(mesh, day, [number + 1.0])
    result = mesh.run(KEY, partitions=days)
    assert result.success, failures(result)
    assert len(mesh.versions(KEY)) == 1 and amounts(mesh) == [1.0, 2.0, 3.0]
    assert {e.partition for e in result.get_asset_materialization_events()} == set(days)


def test_an_automatic_retry_is_the_same_batch_and_publishes_once(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    first = mesh.run(KEY)
    land_orders(mesh, [2.0])

    assert retried(mesh, first.run_id, {"dagster/retry_number": "1"})

    assert len(mesh.versions(KEY)) == 1 and amounts(mesh) == [1.0]


def test_a_persons_re_execution_is_a_new_batch(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    first = mesh.run(KEY)
    land_orders(mesh, [2.0])
    assert retried(mesh, first.run_id, {})
    assert len(mesh.versions(KEY)) == 2 and amounts(mesh) == [2.0]


def test_a_product_of_both_stores_is_the_same_in_each(mesh: TinyMesh) -> None:
    both_stores(mesh)
    land_orders(mesh, [1.0, 2.0])
    assert mesh.run(KEY).success
    assert in_store(mesh, Server.LAKE) == in_store(mesh, Server.WAREHOUSE) == [1.0, 2.0]


@pytest.mark.parametrize("retry", [False, True])
def test_a_store_that_lags_behind_is_brought_level_by_the_next_run(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch, retry: bool
) -> None:
    both_stores(mesh)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [2.0, 3.0])
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise OSError("no space left on device")

        patch.setattr(WarehouseStore, "publish", full)
        broken = mesh.run(KEY)
    assert not broken.success and "no space left" in failures(broken)
    assert in_store(mesh, Server.LAKE) == [2.0, 3.0]
    assert in_store(mesh, Server.WAREHOUSE) == [1.0], "an old version, but a whole one"

    if retry:
        assert retried(mesh, broken.run_id, {"dagster/retry_number": "1"})
    else:
        land_orders(mesh, [4.0])
        assert mesh.run(KEY).success

    assert in_store(mesh, Server.LAKE) == in_store(mesh, Server.WAREHOUSE)
    numbers = {
        server: [one.number for one in store.versions(KEY)]
        for server, store in mesh.environment.stores.items()
    }
    assert numbers[Server.LAKE] == numbers[Server.WAREHOUSE] == ([1, 2] if retry else [1, 2, 3])


@pytest.mark.parametrize("store", ["lake", "warehouse"])
def test_a_plain_asset_that_hands_over_a_frame_is_refused(mesh: TinyMesh, store: str) -> None:
    orders_product(mesh)

    @dg.asset(key=["order", "plain"], io_manager_key=store)
    def plain() -> pa.Table:
        return orders_table([1.0])

    result = dg.materialize(
        [plain],
        instance=mesh.instance,
        resources=dict(mesh.definitions("order").resources or {}),
        raise_on_error=False,
    )
    assert not result.success
    assert f"order/plain handed the {store} a Table without a contract" in failures(result)
    assert mesh.versions("order/plain") == []


def test_resources_can_be_replaced_for_tests(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land_orders(mesh, [1.0])
    handed: list[object] = []

    class Recorder(ProductIOManager):
        def handle_output(self, context: dg.OutputContext, obj: object) -> None:
            handed.append(obj)

    file = mesh.root / "domains/order/definitions.py"
    definitions = build_domain(str(file), resource_overrides={"lake": Recorder(store="lake")})
    job = definitions.resolve_implicit_global_asset_job_def()
    assert job.execute_in_process(instance=mesh.instance).success
    assert [type(one).__name__ for one in handed] == ["AuditedBatch"]
    assert mesh.versions(KEY) == []


def test_within_the_loss_budget_the_rest_is_published(mesh: TinyMesh) -> None:
    orders_product(mesh, lossBudgetPercent=25)
    land_orders(mesh, [1.0, -2.0, 3.0, 4.0])
    result = mesh.run(KEY)
    assert result.success, failures(result)
    assert amounts(mesh) == [1.0, 3.0, 4.0]
    assert all(evaluations(result).values())
    (entry,) = mesh.environment.quarantine.list(KEY)
    assert (entry.kind, entry.rows) == ("rows", 1)
    (said,) = [e for e in result.get_asset_check_evaluations() if e.check_name == "range_amount"]
    assert entry.id in str(said.description)
    metadata = result.asset_materializations_for_node("order__orders")[0].metadata
    assert (metadata["rows quarantined"].value, metadata["quarantine"].value) == (1, entry.id)


def test_over_the_loss_budget_the_batch_is_refused_whole(mesh: TinyMesh) -> None:
    orders_product(mesh, lossBudgetPercent=25)
    land_orders(mesh, [1.0, -2.0, -3.0, 4.0])
    result = mesh.run(KEY)
    assert not result.success and "range_amount" in failures(result)
    assert mesh.versions(KEY) == []
    assert evaluations(result)["range_amount"] is False
    (entry,) = mesh.environment.quarantine.list(KEY)
    assert (entry.kind, entry.rows) == ("batch", 4)


def test_a_parquet_file_with_damaged_pages_is_kept_as_an_object(mesh: TinyMesh) -> None:
    orders_product(mesh)
    file = mesh.environment.landing_zone.root / KEY / "extract.parquet"
    file.parent.mkdir(parents=True)
    table = orders_table([float(n + 1) for n in range(20_000)])
    pq.write_table(table, file, compression="zstd", use_dictionary=False)
    damaged = _with_damaged_pages(file)

    result = mesh.run(KEY)

    assert not result.success
    assert "order/orders/extract.parquet" in failures(result)
    assert mesh.versions(KEY) == []
    (entry,) = mesh.environment.quarantine.list(KEY)
    assert entry.kind == "object"
    (kept,) = mesh.environment.quarantine.files(entry)
    assert kept.read_bytes() == damaged


def test_a_day_that_only_the_audits_engine_finds_damaged_is_kept_and_the_others_published(
    mesh: TinyMesh,
) -> None:
    daily_orders_product(mesh)
    land_day(mesh, "2024-01-01", [1.0])
    day = pa.array([date(2024, 1, 2)] * 1000, pa.date32())
    bad = overlooked_by_arrow(orders_table([2.0] * 1000).append_column("day", day), "order_id")
    (mesh.environment.landing_zone.root / KEY / "2024-01-02.parquet").write_bytes(bad)
    land_day(mesh, "2024-01-03", [3.0])

    result = mesh.run(KEY, partitions=("2024-01-01", "2024-01-03"))

    said = failures(result)
    assert "order/orders/2024-01-02.parquet: cannot be read (" in said
    assert "land it again; it is cut off or damaged" in said
    assert amounts(mesh) == [1.0, 3.0]
    (entry,) = mesh.environment.quarantine.list(KEY)
    assert (entry.kind, entry.partitions) == ("object", ("2024-01-02",))
    (kept,) = mesh.environment.quarantine.files(entry)
    assert kept.read_bytes() == bad


def _with_damaged_pages(file: Path) -> bytes:
    """Overwrite where the first column's data begins; footer and schema stay as they are."""
    start = pq.ParquetFile(file).metadata.row_group(0).column(0).data_page_offset
    data = bytearray(file.read_bytes())
    data[start : start + 64] = b"\xff" * 64
    file.write_bytes(bytes(data))
    return bytes(data)


def test_the_current_version_is_audited_again_when_only_checks_run(mesh: TinyMesh) -> None:
    orders_product(mesh)
    none = mesh.run(KEY, selection=dg.AssetSelection.checks_for_assets(asset_key(KEY)))
    assert not none.success and "is not published in the lake yet" in failures(none)
    land_orders(mesh, [1.0])
    assert mesh.run(KEY).success
    land_orders(mesh, [-1.0])
    result = mesh.run(KEY, selection=dg.AssetSelection.checks_for_assets(asset_key(KEY)))
    assert result.success and all(evaluations(result).values())
    assert result.get_asset_materialization_events() == []
    assert len(mesh.versions(KEY)) == 1
