"""`mesh read`, `mesh versions` and `mesh rollback`: what a consumer sees, and going back."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.dagster_instance.instance import open_instance
from shared_resources.evidence import keys
from shared_resources.evidence.record import RolledBack
from tests.cli.commands import call
from tests.guarantees.orders import (
    COLUMNS,
    KEY,
    LANDING,
    amounts,
    daily_orders_product,
    land_day,
    land_orders,
    orders_product,
)
from tests.tiny_mesh import TinyMesh, contract_text


@pytest.fixture
def published(mesh: TinyMesh) -> TinyMesh:
    """Two versions: amounts 1 and 2, then 10, 20 and 30."""
    orders_product(mesh)
    for batch in ([1.0, 2.0], [10.0, 20.0, 30.0]):
        land_orders(mesh, list(batch))
        assert mesh.run(KEY).success
    return mesh


def test_rows_are_shown_of_the_newest_version_or_the_one_asked_for(published: TinyMesh) -> None:
    newest = call("read", KEY)
    assert (newest.code, newest.err) == (0, "")
    assert "30.0" in newest.out and "3 of 3 rows, version 2 in the lake" in newest.out
    first = call("read", KEY, "--version", 1)
    assert "30.0" not in first.out and "2 of 2 rows, version 1" in first.out
    call("read", KEY, "--version", 9).refused("has no version 9", "1 to 2")


def test_only_the_columns_asked_for_in_their_order(published: TinyMesh, tmp_path: Path) -> None:
    shown = call("read", KEY, "--columns", "amount, order_id").out.splitlines()[0]
    assert shown.split() == ["amount", "order_id"]
    file = tmp_path / "rows.parquet"
    assert call("read", KEY, "--columns", "amount", "--output", file).code == 0
    assert pq.read_table(file).column_names == ["amount"]
    call("read", KEY, "--columns", "amount,price").refused("price", "it has order_id, amount")


def test_all_rows_go_to_a_file_that_is_there_whole_or_not_at_all(
    published: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "rows.parquet"
    told = call("read", KEY, "--output", file)
    assert told.code == 0 and f"3 rows of {KEY} version 2 in {file}" in told.out
    assert pq.read_table(file)["amount"].to_pylist() == [10.0, 20.0, 30.0]

    def dies(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", dies)
    failed = call("read", KEY, "--version", 1, "--output", file)
    assert failed.code == 1 and "no space left" in failed.err
    assert pq.read_table(file).num_rows == 3
    assert [one.name for one in tmp_path.glob("*rows*")] == ["rows.parquet"]


def test_versions_say_what_each_was_made_of(published: TinyMesh) -> None:
    table = call("versions", KEY)
    assert table.code == 0 and len(table.out.splitlines()) == 3
    told = call("versions", KEY, "--json").json
    assert [(one["version"], one["store"], one["rows"]) for one in told] == [
        (1, "lake", 2),
        (2, "lake", 3),
    ]
    assert told[0]["properties"][keys.CONTRACT_VERSION] == "1.0.0"
    assert told[0]["checks_passed"] > 0 and told[0]["rollback_of"] is None


def test_rollback_publishes_an_earlier_version_again_and_tells_dagster(
    published: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    told = call("rollback", KEY, "--to", 1, "--reason", "late extract")

    assert told.code == 0, told.err
    assert "version 3 in the lake has the content of version 1 (2 rows)" in told.out
    assert amounts(published) == [1.0, 2.0]
    assert amounts(published, 2) == [10.0, 20.0, 30.0]
    newest = published.versions(KEY)[-1]
    assert newest.rollback_of == 1
    said = newest.evidence.rolled_back
    assert said is not None and said.attestation
    assert said == RolledBack("late extract", "ada", attestation=said.attestation)
    with open_instance(published.environment) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["order", "orders"]))
    assert event is not None and event.asset_materialization is not None
    metadata = event.asset_materialization.metadata
    assert (metadata["version"].value, metadata["rollback of"].value) == (3, 1)
    assert metadata["dagster/row_count"].value == 2


def test_rollback_works_for_a_user_without_a_name(
    published: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr("getpass.getuser", nameless)
    assert call("rollback", KEY, "--to", 1).code == 0
    rolled_back = published.versions(KEY)[-1].evidence.rolled_back
    assert rolled_back is not None and rolled_back.by.startswith("uid ")


def test_rollback_to_what_is_not_there_changes_nothing(published: TinyMesh) -> None:
    call("rollback", KEY, "--to", 7).refused("has no version 7")
    assert len(published.versions(KEY)) == 2


def test_rollback_of_a_daily_product_tells_of_the_days_that_changed(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    for day, amount in (("2024-01-01", 1.0), ("2024-01-02", 2.0), ("2024-01-03", 3.0)):
        land_day(mesh, day, [amount])
        assert mesh.run(KEY, partitions=(day,)).success

    def told_days() -> set[str | None]:
        with open_instance(mesh.environment) as instance:
            records = instance.fetch_materializations(
                dg.AssetKey(["order", "orders"]), limit=100
            ).records
        return {record.partition_key for record in records}

    assert call("rollback", KEY, "--to", 2).code == 0
    assert amounts(mesh) == [1.0, 2.0]
    assert told_days() == {"2024-01-03"}
    # Version 4 restored 2; going to 3 from there brings the third day back.
    assert call("rollback", KEY, "--to", 3).code == 0
    assert amounts(mesh) == [1.0, 2.0, 3.0]
    assert told_days() == {"2024-01-03"}
    assert call("rollback", KEY, "--to", 1).code == 0
    assert told_days() == {"2024-01-02", "2024-01-03"}


def test_rollback_reaches_both_stores(mesh: TinyMesh) -> None:
    text = contract_text(
        KEY, COLUMNS, servers=("lake", "warehouse"), properties={"landing": LANDING}
    )
    mesh.product(KEY, text)
    for amount in (1.0, 2.0):
        land_orders(mesh, [amount])
        assert mesh.run(KEY).success
    assert call("rollback", KEY, "--to", 1).code == 0
    for store in mesh.environment.stores.values():
        table = store.open(KEY).batches().read_all()
        assert isinstance(table, pa.Table) and table["amount"].to_pylist() == [1.0]
    stores = [one["store"] for one in call("versions", KEY, "--json").json]
    assert stores == ["lake"] * 3 + ["warehouse"] * 3


def test_a_product_whose_contract_is_broken_can_still_be_read(published: TinyMesh) -> None:
    file = published.root / "domains/order/products/orders/contract.odcs.yaml"
    file.write_text(file.read_text() + "colour: blue\n")
    assert call("read", KEY).code == 0
    call("versions", KEY).refused("colour", "contract.odcs.yaml:")
    call("rollback", KEY, "--to", 1).refused("contract.odcs.yaml:")
