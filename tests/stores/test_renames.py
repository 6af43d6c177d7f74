"""A published column is called otherwise, and widened, and joined by others: no file is written anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.types import ColumnType, Family, FormerName
from shared_resources.erasing.subjects import Known
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.erased import Without
from shared_resources.stores.protocol import ProductStore, PublishError
from shared_resources.stores.reading.called import in_names_of
from shared_resources.stores.reading.frames import as_frame
from tests.stores.places import Place, everywhere
from tests.stores.products import FLOAT, INT, LONG, TEXT, WHY, contract, day, publish

KEY = "order/sales"
LATER = date(2999, 12, 31)
FEW = ColumnType(Family.DECIMAL, precision=9, scale=2)
MANY = ColumnType(Family.DECIMAL, precision=18, scale=2)
SMALL = ColumnType(Family.FLOAT, width=32)
BEFORE = contract(("id", INT), ("label", TEXT), ("weight", SMALL), partitioned=True)
AFTER = contract(("id", LONG), ("name", TEXT), ("weight", FLOAT), ("extra", TEXT), partitioned=True)


def called(made_for: Contract, name: str, *former: str | FormerName) -> Contract:
    """The contract with what one of its columns was called."""
    names = tuple(FormerName(one, LATER) if isinstance(one, str) else one for one in former)

    def of(column: Column) -> Column:
        return replace(column, former=names) if column.name == name else column

    return replace(made_for, columns=tuple(map(of, made_for.columns)))


NOW = called(AFTER, "name", "label")


def rows(
    store: ProductStore, number: int | None = None, under: Contract = NOW
) -> list[dict[str, Any]]:
    """What readers see, in the names of the contract."""
    table = in_names_of(under, store.open(KEY, number)).batches().read_all()
    return sorted(table.to_pylist(), key=lambda row: row["id"])


def kept(store: ProductStore, number: int | None = None) -> set[tuple[object, ...]]:
    return {(f.name, f.sha256) for f in store.open(KEY, number).attested()}


@everywhere
def test_nothing_is_written_anew(store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    files = kept(store)
    publish(store, NOW, "b2", {day(2): [2**40]})
    assert [(row["id"], row["name"], row["label"], row["extra"]) for row in rows(store)] == [
        (1, "row 1", "row 1", None),
        (2, "row 2", "row 2", None),
        (2**40, f"row {2**40}", f"row {2**40}", f"row {2**40}"),
    ]
    assert store.open(KEY).schema.names == ["id", "name", "weight", "extra", "at"]
    # Snowflake shows no files: there the version is a clone whose columns are changed in place.
    if store.open(KEY).attested()[0].sha256 is not None:
        assert files < kept(store)
    assert store.open(KEY, 1).schema.names == ["id", "label", "weight", "at"]
    assert store.open(KEY, 1).batches(["label"]).read_all()["label"].to_pylist() == [
        "row 1",
        "row 2",
    ]
    assert [row["name"] for row in rows(store, 1)] == ["row 1", "row 2"]
    # A day that was written before is written again, and one after another column's name.
    publish(store, NOW, "b3", {day(0): [3]})
    later = called(
        contract(
            ("id", LONG), ("title", TEXT), ("weight", FLOAT), ("extra", TEXT), partitioned=True
        ),
        "title",
        "name",
        "label",
    )
    publish(store, later, "b4", {day(3): [4]})
    found = rows(store, under=later)
    assert [(row["id"], row["title"], row["name"], row["label"]) for row in found] == [
        (n, *(f"row {n}",) * 3) for n in (2, 3, 4, 2**40)
    ]
    assert [row["title"] for row in rows(store, 1, later)] == ["row 1", "row 2"]


@everywhere
def test_a_rollback_over_a_rename_and_back(store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    publish(store, NOW, "b2", {day(1): [3]})
    store.rollback(NOW, 1, WHY, batch_id="r1")
    assert store.open(KEY).schema.names == ["id", "label", "weight", "at"]
    assert [(row["id"], row["name"], row["label"]) for row in rows(store)] == [
        (1, "row 1", "row 1"),
        (2, "row 2", "row 2"),
    ]
    publish(store, NOW, "b3", {day(2): [4]})
    store.rollback(NOW, 2, WHY, batch_id="r2")
    assert [row["name"] for row in rows(store)] == ["row 1", "row 3"]
    publish(store, NOW, "b4", {day(0): [5]})
    assert [row["name"] for row in rows(store)] == ["row 3", "row 5"]
    assert [row["label"] for row in rows(store, 1)] == ["row 1", "row 2"]


@everywhere
def test_a_branch_renames_and_is_promoted(place: Place, store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    branch: BranchStore = place.branch("feature", store)
    publish(branch, NOW, "b2", {day(1): [3]})
    assert [row["name"] for row in rows(branch)] == ["row 1", "row 3"]
    assert [row["name"] for row in rows(branch, 1)] == ["row 1", "row 2"]
    assert [row["label"] for row in rows(store)] == ["row 1", "row 2"]
    number = branch.own_versions(KEY)[-1].number
    source = f"{branch._key(KEY)}"
    evidence = branch.own_versions(KEY)[-1].evidence
    branch.sharing.take(NOW, source, number, evidence, 1)
    assert [row["name"] for row in rows(store)] == ["row 1", "row 3"]
    publish(store, NOW, "b3", {day(2): [4]})
    assert [row["name"] for row in rows(store)] == ["row 1", "row 3", "row 4"]


def test_every_frame_has_the_rows_under_both_names(store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    publish(store, NOW, "b2", {day(1): [3]})
    import pandas as pd
    import polars as pl

    for number, wanted in ((None, ["row 1", "row 3"]), (1, ["row 1", "row 2"])):
        snapshot = in_names_of(NOW, store.open(KEY, number))
        for column in ("name", "label"):
            for type_ in (pd.DataFrame, pl.DataFrame, pa.Table):
                assert (
                    sorted(
                        as_frame(snapshot, type_, [column])[column].to_pylist()
                        if type_ is pa.Table
                        else as_frame(snapshot, type_, [column])[column]
                    )
                    == wanted
                )
            lazy = as_frame(snapshot, pl.LazyFrame, [column]).collect()
            assert sorted(lazy[column]) == wanted
        with duckdb.connect() as connection:
            snapshot.register(connection, "sales")
            query = "SELECT name FROM sales WHERE label = name ORDER BY name"
            assert [row[0] for row in connection.sql(query).fetchall()] == wanted
            days = connection.sql("SELECT * FROM sales LIMIT 0").columns
            assert days[-1] == "label" and "name" in days


def test_a_lazy_frame_of_a_renamed_version_has_the_rows_of_every_file(store: ProductStore) -> None:
    """polars finds columns of Parquet by name: files from before a rename would be nulls to it."""
    import polars as pl

    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    publish(store, NOW, "b2", {day(1): [3]})
    frame = as_frame(store.open(KEY), pl.LazyFrame).collect()
    assert sorted(frame["name"]) == ["row 1", "row 3"]


def test_the_column_of_the_days_can_be_called_otherwise(store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1, 2], day(1): [3]})
    assert BEFORE.partitioning is not None
    columns = tuple(
        replace(c, name="sold_at", former=(FormerName("at", LATER),)) if c.name == "at" else c
        for c in BEFORE.columns
    )
    days = replace(BEFORE.partitioning, column="sold_at")
    later = replace(BEFORE, columns=columns, partitioning=days)
    publish(store, later, "b2", {day(1): [4]})
    assert [row["id"] for row in rows(store, under=later)] == [1, 2, 4]
    read = in_names_of(later, store.open(KEY)).batches(["id", "at"], [day(0)]).read_all()
    assert sorted(read["id"].to_pylist()) == [1, 2]


def test_a_name_that_is_free_again_is_another_column(store: ProductStore) -> None:
    """Rows that were published under the name are never read as the other column's."""
    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    publish(store, NOW, "b2", {day(1): [3]})
    reused = contract(
        *((c.name, c.type) for c in AFTER.columns if c.name != "at"),
        ("label", TEXT),
        partitioned=True,
    )
    try:
        publish(store, reused, "b3", {day(2): [4]})
    except PublishError as problem:
        assert "label" in str(problem)
        return
    assert [(row["name"], row["label"]) for row in rows(store, under=reused)] == [
        ("row 1", None),
        ("row 3", None),
        ("row 4", "row 4"),
    ]


@everywhere
def test_a_former_name_that_nobody_is_served_needs_a_new_major_version(store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1], day(1): [2]})
    hard = called(AFTER, "name", FormerName("label"))
    with pytest.raises(PublishError, match="label, which is called name, is gone"):
        publish(store, hard, "b2", {day(1): [3]})
    # And the rows that stay are no obstacle, as they are of the same shape.
    publish(store, replace(hard, version="2.0.0"), "b3", {day(1): [3]})
    assert [row["name"] for row in rows(store, under=hard)] == ["row 1", "row 3"]
    assert "label" not in rows(store, under=hard)[0]


@everywhere
def test_more_digits_and_no_nulls_any_more_or_again(store: ProductStore) -> None:
    required = contract(("id", LONG), ("price", FEW), partitioned=True)
    wide = called(contract(("id", LONG), ("amount", MANY), partitioned=True), "amount", "price")
    folder = store.staging_folder(required, "none")
    assert folder.is_dir()
    stores_rows(store, required, "b1", {day(0): 1}, "price")
    stores_rows(store, wide, "b2", {day(1): 10**12}, "amount")
    found = [(row["id"], int(row["amount"]), int(row["price"])) for row in rows(store, under=wide)]
    assert found == [(1, 1, 1), (10**12, 10**12, 10**12)]


def stores_rows(
    store: ProductStore, made_for: Contract, batch: str, wanted: dict[str, int], amount: str
) -> None:
    from datetime import datetime
    from decimal import Decimal

    from shared_resources.contracts.types import arrow_schema
    from shared_resources.stores.protocol import StagedBatch
    from shared_resources.stores.staging.staging import write_staged
    from tests.contract_factory import let_through

    schema = arrow_schema(tuple((c.name, c.type) for c in made_for.columns))
    made = [
        {"id": n, amount: Decimal(n), "at": datetime.fromisoformat(day_)}
        for day_, n in wanted.items()
    ]
    folder = store.staging_folder(made_for, batch)
    files = write_staged(
        pa.Table.from_pylist(made, schema).to_reader(), folder, made_for, tuple(wanted)
    )
    staged = StagedBatch(made_for.key, batch, folder, files, tuple(wanted))
    store.publish(made_for, let_through(made_for, staged, run_id=batch))


@everywhere
def test_a_subject_is_erased_from_before_and_after_a_rename(store: ProductStore) -> None:
    publish(store, BEFORE, "b1", {day(0): [1, 2], day(1): [3]})
    publish(store, NOW, "b2", {day(1): [4]})
    column = replace(NOW.column("name"), subject="label")
    names = Known(NOW, (column,)).names
    assert names == ("name", "label")
    store.erase(NOW, Without("e-1", names, frozenset({"row 1", "row 4"})))
    assert [row["id"] for row in rows(store)] == [2]
    assert [row["id"] for row in rows(store, 1)] == [2, 3]
    publish(store, NOW, "b3", {day(2): [5]})
    assert [(row["name"], row["label"]) for row in rows(store)] == [
        ("row 2", "row 2"),
        ("row 5", "row 5"),
    ]
