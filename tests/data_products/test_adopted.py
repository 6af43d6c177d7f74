"""A landed Parquet file that conforms is published as it is: its pages, whoever reads them."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.expressions import EqualTo, IsNull

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.contracts.model import Server
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.makers import making
from shared_resources.landing.formats.parquet import reader
from shared_resources.landing.formats.parquet.claims import write_footer
from shared_resources.landing.reader import stage_object
from shared_resources.landing.staged_object import StagedObject
from shared_resources.landing.zones.zone import LandingObject
from tests.guarantees.orders import (
    COLUMNS,
    KEY,
    LANDING,
    amounts,
    orders_product,
    orders_table,
)
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

ROWS = orders_table([float(n % 7 + 1) for n in range(5000)])
OPTIONS: dict[str, dict[str, Any]] = {
    "pyarrow": {},
    "an index of its pages": {"write_page_index": True, "row_group_size": 500},
}


def land(mesh: TinyMesh, writer: str) -> tuple[Path, bytes]:
    file = mesh.environment.landing_zone.root / KEY / "extract.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    if writer == "duckdb":
        duckdb.from_arrow(ROWS).write_parquet(str(file), compression="zstd")
    elif writer == "other types":
        pq.write_table(ROWS.set_column(0, "order_id", ROWS["order_id"].cast(pa.int32())), file)
    else:
        pq.write_table(ROWS, file, **OPTIONS[writer])
    return file, file.read_bytes()


def table_of(mesh: TinyMesh) -> Any:
    root = mesh.environment.stores[Server.LAKE].root
    catalog = SqlCatalog("lake", uri=f"sqlite:///{root}/catalog.db", warehouse=str(root))
    with closing(catalog):
        return catalog.load_table("order.orders")


@pytest.mark.parametrize("writer", ["pyarrow", "an index of its pages", "duckdb", "other types"])
def test_what_is_adopted_reads_as_what_is_rewritten(mesh: TinyMesh, writer: str) -> None:
    orders_product(mesh)
    _, content = land(mesh, writer)
    result = mesh.run(KEY)
    assert result.success, failures(result)

    table = table_of(mesh)
    (location,) = [task.file.file_path for task in table.scan().plan_files()]
    published = Path(location)
    pages = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    same = published.read_bytes()[:pages] == content[:pages]
    assert same is (writer != "other types")

    wanted = sorted(ROWS.to_pylist(), key=lambda row: row["order_id"])
    ours = sorted(mesh.rows(KEY), key=lambda row: row["order_id"])
    theirs = table.scan().to_arrow().sort_by("order_id").to_pylist()
    by_duckdb = duckdb.read_parquet(location).order("order_id").to_arrow_table().to_pylist()
    by_polars = polars.read_parquet(location).sort("order_id").to_dicts()
    assert ours == theirs == by_duckdb == by_polars == wanted
    few = [row for row in wanted if row["amount"] == 3]
    assert len(table.scan(row_filter="amount == 3").to_arrow()) == len(few) > 0
    assert len(duckdb.read_parquet(location).filter("amount = 3").fetchall()) == len(few)
    assert duckdb.read_parquet(location).max("order_id").fetchall() == [(5000,)]


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("writer", ["pyarrow", "duckdb"])
def test_what_was_audited_is_published_whatever_becomes_of_the_object(
    mesh: TinyMesh, writer: str, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner may write over it in place: what is published shares nothing with it."""
    if large:
        monkeypatch.setattr(reader, "DIGESTED_BESIDE_BYTES", 0)
    orders_product(mesh)
    landed, content = land(mesh, writer)
    assert mesh.run(KEY).success
    (version,) = mesh.versions(KEY)
    with landed.open("r+b") as file:
        file.write(bytes(len(content)))
    assert amounts(mesh) == sorted(ROWS["amount"].to_pylist())
    (task,) = table_of(mesh).scan().plan_files()
    published = Path(task.file.file_path)
    assert [one.sha256 for one in version.evidence.files] == [
        hashlib.sha256(published.read_bytes()).hexdigest()
    ]
    assert [key for key, _ in version.evidence.objects] == ["order/orders/extract.parquet"]


def test_a_large_file_that_changes_before_the_audit_is_not_published(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its digest is from when its pages were proven: what is true of another file proves nothing."""
    monkeypatch.setattr(reader, "DIGESTED_BESIDE_BYTES", 0)
    orders_product(mesh)
    land(mesh, "pyarrow")

    def changed(*given: Any, **more: Any) -> StagedObject:
        staged = stage_object(*given, **more)
        (file,) = staged.files
        assert file.sha256 == hashlib.sha256(file.path.read_bytes()).hexdigest()
        pq.write_table(ROWS.slice(1), file.path)
        return StagedObject((replace(file, rows=len(ROWS) - 1),))

    monkeypatch.setattr(making, "stage_object", changed)
    result = mesh.run(KEY)
    assert not result.success and "was changed after it was staged" in failures(result)
    assert not mesh.versions(KEY)


def test_a_file_with_another_footer_than_landed_has_no_digest_of_it(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(reader, "DIGESTED_BESIDE_BYTES", 0)
    orders_product(mesh)
    landed, content = land(mesh, "an index of its pages")
    folder = mesh.root / "domains" / KEY.replace("/", "/products/")
    contract = read_contract(folder / "contract.odcs.yaml")
    (file,) = stage_object(contract, landed, KEY, tmp_path / "s").files
    assert file.path.read_bytes() != content and file.sha256 is None


def test_bounds_that_only_some_row_groups_have_are_not_the_files(mesh: TinyMesh) -> None:
    """Writers leave out those of long texts; a group without any value has none to say."""
    columns = [*COLUMNS, column("note", "VARCHAR"), column("shop", "VARCHAR")]
    mesh.product(KEY, contract_text(KEY, columns, properties={"landing": LANDING}))
    notes, shops = ["able", "mild", "yes", "z" * 5000], ["north", "south", None, None]
    rows = orders_table([1.0, 2.0, 3.0, 4.0])
    rows = rows.append_column("note", pa.array(notes)).append_column("shop", pa.array(shops))
    file = mesh.environment.landing_zone.root / KEY / "extract.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file, row_group_size=2)
    groups = [pq.read_metadata(file).row_group(number).column(2).statistics for number in (0, 1)]
    assert [one.has_min_max for one in groups] == [True, False]
    result = mesh.run(KEY)
    assert result.success, failures(result)

    scan = table_of(mesh).scan
    for note in notes:
        assert scan(row_filter=EqualTo("note", note)).to_arrow()["note"].to_pylist() == [note]
    (task,) = scan().plan_files()
    assert sorted(task.file.upper_bounds) == [1, 2, 4]


def test_a_count_of_nulls_that_only_some_row_groups_have_is_not_the_files(mesh: TinyMesh) -> None:
    columns = [*COLUMNS, column("shop", "VARCHAR")]
    mesh.product(KEY, contract_text(KEY, columns, properties={"landing": LANDING}))
    shops = ["able", "mild", "zone", None]
    rows = orders_table([1.0, 2.0, 3.0, 4.0]).append_column("shop", pa.array(shops))
    file = mesh.environment.landing_zone.root / KEY / "extract.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(rows, file, row_group_size=2, store_schema=False)
    content = file.read_bytes()
    footer = content[len(content) - 8 - int.from_bytes(content[-8:-4], "little") : -8]
    # Of the statistics the third field, a count of 1, and the fifth; and the fifth alone.
    counted, alone = b"\x36\x02\x28\x04zone", b"\x58\x04zone"
    assert footer.count(counted) == 1
    write_footer(file, footer.replace(counted, alone))
    groups = [pq.read_metadata(file).row_group(number).column(2).statistics for number in (0, 1)]
    assert [one.has_null_count for one in groups] == [True, False]
    result = mesh.run(KEY)
    assert result.success, failures(result)
    found = table_of(mesh).scan(row_filter=IsNull("shop")).to_arrow()
    assert found["order_id"].to_pylist() == [4]


def test_after_a_run_that_died_an_object_is_decoded_before_the_next_is_taken(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit decodes all days at once: it may have died of any of them, not of the last alone."""
    orders_product(mesh)
    left_to_the_audit: list[bool] = []

    def noted(*given: Any, **more: Any) -> StagedObject:
        staged = stage_object(*given, **more)
        left_to_the_audit.extend(file.half_decoded for file in staged.files)
        return staged

    monkeypatch.setattr(making, "stage_object", noted)
    for name in ("extract", "another"):
        land(mesh, "pyarrow")[0].rename(
            mesh.environment.landing_zone.root / KEY / f"{name}.parquet"
        )
        ledger = Ledger(mesh.environment.state, KEY)
        if name == "another":
            died = LandingObject(f"{KEY}/of-that-run.parquet", 4, datetime.now(UTC), "etag")
            ledger.take([died], "run-1", "batch-1")
        assert mesh.run(KEY).success
    assert left_to_the_audit == [True, False]
