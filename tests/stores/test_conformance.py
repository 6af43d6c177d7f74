"""What every store promises: the publish protocol, run against each of them.

Belongs here: behaviour that a reader or a publisher can see through `ProductStore`.
Does not belong here: how one store keeps its files (`test_lake.py`, `test_warehouse.py`), many
processes (`test_concurrency.py`), dying ones (`test_crashes.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import duckdb
import pyarrow as pa
import pytest

from shared_resources.contracts.types import ColumnType, Family
from shared_resources.evidence import keys
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.protocol import (
    NotPublished,
    ProductStore,
    PublishError,
    StagedBatch,
)
from shared_resources.stores.staging.staging import write_staged
from tests.contract_factory import let_through
from tests.stores.places import Place, everywhere
from tests.stores.products import (
    FLOAT,
    INT,
    LONG,
    TEXT,
    WHY,
    contract,
    day,
    publish,
    published,
    rows,
    stage,
)

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


# -- publishing ----------------------------------------------------------------------------------


def test_nothing_is_published_at_first(store: ProductStore) -> None:
    assert store.versions(KEY) == []
    assert store.published_batch(KEY, "b1") is None
    with pytest.raises(NotPublished, match="order/sales"):
        store.open(KEY)


def test_a_staged_batch_is_invisible_until_it_is_published(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    staged = stage(store, SALES, "b2", [2])
    assert published(store, KEY) == [1]
    store.publish(SALES, let_through(SALES, staged))
    assert published(store, KEY) == [2]


def test_what_is_released_and_no_version_needs_is_gone(store: ProductStore) -> None:
    staged = stage(store, SALES, "b1", [1, 2])
    cleared = let_through(SALES, staged)
    store.publish(SALES, cleared)
    store.release(cleared.staged)
    assert set(staged.folder.rglob("*.parquet")) <= set(store.open(KEY).paths())
    assert published(store, KEY) == [1, 2]
    store.release(staged)


def test_the_published_rows_are_the_staged_rows(store: ProductStore) -> None:
    publish(store, SALES, "b1", [3, 1, 2])
    assert store.open(KEY).batches().read_all() == rows(SALES, [3, 1, 2])


@everywhere
def test_a_version_says_what_it_is_and_carries_its_evidence(store: ProductStore) -> None:
    before = datetime.now(UTC)
    staged = stage(store, SALES, "b1", [1, 2])
    cleared = let_through(SALES, staged, run_id="run-9", objects=(("key", "etag"),))
    version = store.publish(SALES, cleared)
    assert (version.product, version.store, version.number) == (KEY, store.name, 1)
    assert version.rows == 2
    assert version.rollback_of is None
    assert before <= version.published_at <= datetime.now(UTC)
    assert version.evidence == cleared.evidence
    assert version.evidence.run_id == "run-9" and version.evidence.objects == (("key", "etag"),)
    own = [version.properties[key] for key in (keys.NUMBER, keys.BATCH_ID, keys.ROWS)]
    assert own == ["1", "b1", "2"]
    assert store.versions(KEY) == [version]
    assert store.open(KEY).version == version


@everywhere
def test_a_batch_replaces_the_product(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1, 2, 3])
    version = publish(store, SALES, "b2", [4])
    assert version.number == 2
    assert version.rows == 1
    assert published(store, KEY) == [4]


@everywhere
def test_an_append_keeps_what_is_there(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1], append=True)
    version = publish(store, SALES, "b2", [2, 3], append=True)
    assert version.rows == 3
    assert published(store, KEY) == [1, 2, 3]


@everywhere
def test_publishing_a_batch_twice_publishes_once(store: ProductStore) -> None:
    staged = stage(store, SALES, "b1", [1])
    cleared = let_through(SALES, staged)
    first = store.publish(SALES, cleared)
    publish(store, SALES, "b2", [2], append=True)
    again = replace(cleared, evidence=replace(cleared.evidence, run_id="again"))
    assert store.publish(SALES, again) == first
    assert len(store.versions(KEY)) == 2
    assert published(store, KEY) == [1, 2]


def test_staging_a_published_batch_again_does_not_touch_what_is_published(
    store: ProductStore,
) -> None:
    first = publish(store, SALES, "b1", [1])
    again = publish(store, SALES, "b1", [99])
    assert again == first
    assert published(store, KEY) == [1]
    store.discard(SALES, "b1")
    assert published(store, KEY) == [1]


def test_published_batch_finds_the_version_of_a_batch(store: ProductStore) -> None:
    first = publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    assert store.published_batch(KEY, "b1") == first
    assert store.published_batch(KEY, "b3") is None


def test_another_products_batch_is_refused(store: ProductStore) -> None:
    staged = stage(store, SALES, "b1", [1])
    with pytest.raises(PublishError, match="order/other"):
        store.publish(contract(name="other"), let_through(contract(name="other"), staged))


def test_products_do_not_share_versions(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    other = contract(name="returns")
    assert publish(store, other, "b1", [7]).number == 1
    assert published(store, KEY) == [1]
    assert published(store, other.key) == [7]


@pytest.mark.parametrize("bad", ["../b1", "a/b", "", ".hidden", "x" * 300])
def test_a_batch_id_cannot_leave_its_folder(store: ProductStore, bad: str) -> None:
    with pytest.raises(ValueError, match="batch"):
        store.staging_folder(SALES, bad)


@pytest.mark.parametrize("bad", ["sales", "../sales", "a/b/c", "order/", "order/.."])
def test_a_product_key_cannot_leave_the_store(store: ProductStore, bad: str) -> None:
    with pytest.raises((ValueError, NotPublished)):
        store.open(bad)


# -- partitions ----------------------------------------------------------------------------------


@everywhere
def test_a_partition_replaces_exactly_its_own_rows(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1, 2], day(1): [3, 4], day(2): [5]})
    version = publish(store, DAILY, "b2", {day(1): [6]})
    assert published(store, KEY) == [1, 2, 5, 6]
    assert version.rows == 4
    assert store.open(KEY).partitions() == (day(0), day(1), day(2))


def test_several_partitions_are_one_version(store: ProductStore) -> None:
    version = publish(store, DAILY, "b1", {day(n): [n] for n in range(40)})
    assert version.number == 1
    assert published(store, KEY) == list(range(40))
    version = publish(store, DAILY, "b2", {day(n): [100 + n] for n in range(0, 40, 2)})
    assert version.number == 2
    odd = list(range(1, 40, 2))
    assert published(store, KEY) == odd + [100 + n for n in range(0, 40, 2)]


def test_a_partition_without_rows_replaces_its_rows_with_none(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(0): [], day(1): [3]})
    assert published(store, KEY) == [3]
    assert store.open(KEY).partitions() == (day(1),)


def test_a_batch_can_replace_all_partitions(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(2): [3]}, replaces_all=True)
    assert published(store, KEY) == [3]
    assert store.open(KEY).partitions() == (day(2),)


def test_a_partition_can_be_appended_to(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(1): [3]}, append=True)
    assert published(store, KEY) == [1, 2, 3]
    publish(store, DAILY, "b3", {day(1): [4]})
    assert published(store, KEY) == [1, 4]


def test_reading_only_some_partitions(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2], day(2): [3]})
    publish(store, DAILY, "b2", {day(2): [4]})
    snapshot = store.open(KEY)
    read = snapshot.batches(["id"], [day(0), day(2)]).read_all()["id"].to_pylist()
    assert sorted(read) == [1, 4]
    assert snapshot.batches(partitions=[day(9)]).read_all().num_rows == 0


@pytest.mark.parametrize("family", [Family.DATE, Family.TIMESTAMP, Family.TIMESTAMP_TZ])
def test_a_day_is_a_day_whatever_the_type_of_its_column(
    store: ProductStore, family: Family
) -> None:
    made_for = contract(("id", LONG), ("at", ColumnType(family)), partitioned=True)
    days = {
        day(0): [0, 86_399],
        day(1): [0, 86_399],
        day(2): [1],
    }
    publish(store, made_for, "b1", days)
    publish(store, made_for, "b2", {day(1): [7]})
    assert published(store, KEY) == [0, 1, 7, 86_399]
    read = store.open(KEY).batches(partitions=[day(0)]).read_all()
    assert sorted(read["id"].to_pylist()) == [0, 86_399]
    assert read.schema.field("at").type == ColumnType(family).arrow


def test_rows_staged_for_the_wrong_partition_are_refused(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1]})
    staged = stage(store, DAILY, "b2", {day(0): [2]})
    moved = replace(
        staged,
        files=tuple(replace(file, partition=day(1)) for file in staged.files),
        partitions=(day(1),),
    )
    with pytest.raises(PublishError, match=day(0)):
        store.publish(DAILY, let_through(DAILY, moved))
    assert published(store, KEY) == [1]


def test_a_file_of_a_partition_that_the_batch_does_not_replace_is_refused(
    store: ProductStore,
) -> None:
    staged = stage(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    with pytest.raises(PublishError, match=day(1)):
        store.publish(DAILY, let_through(DAILY, replace(staged, partitions=(day(0),))))


def test_partitions_cannot_change_under_readers(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1]})
    plain = contract(*((c.name, c.type) for c in DAILY.columns), version="2.0.0")
    with pytest.raises(PublishError, match="partitions"):
        publish(store, plain, "b2", [1])
    assert published(store, KEY) == [1]


# -- versions and rollback -----------------------------------------------------------------------


def test_versions_are_kept_and_readable_by_number(store: ProductStore) -> None:
    for number in range(1, 6):
        publish(store, SALES, f"b{number}", [number])
    assert [version.number for version in store.versions(KEY)] == [1, 2, 3, 4, 5]
    assert [published(store, KEY, number) for number in range(1, 6)] == [[1], [2], [3], [4], [5]]
    with pytest.raises(NotPublished, match=r"no version 6.*keeps 1 to 5"):
        store.open(KEY, 6)


@everywhere
def test_a_rollback_is_itself_a_version(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1, 2])
    publish(store, SALES, "b2", [3])
    version = store.rollback(SALES, 1, WHY, batch_id="r1")
    assert (version.number, version.rollback_of, version.rows) == (3, 1, 2)
    restored = store.versions(KEY)[0]
    why = replace(WHY, attestation=restored.properties["mesh.attestation"])
    assert version.evidence == replace(restored.evidence, rolled_back=why)
    assert published(store, KEY) == [1, 2]
    assert published(store, KEY, 2) == [3]
    assert store.rollback(SALES, 1, WHY, batch_id="r1") == version
    assert publish(store, SALES, "b3", [4], append=True).number == 4
    assert published(store, KEY) == [1, 2, 4]


def test_a_rollback_can_be_rolled_back(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(1): [3]})
    store.rollback(DAILY, 1, WHY, batch_id="r1")
    assert published(store, KEY) == [1, 2]
    store.rollback(DAILY, 2, WHY, batch_id="r2")
    assert published(store, KEY) == [1, 3]
    publish(store, DAILY, "b3", {day(0): [4]})
    assert published(store, KEY) == [3, 4]


def test_a_rollback_to_a_version_that_is_not_there_is_refused(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    with pytest.raises(NotPublished, match="no version 4"):
        store.rollback(SALES, 4, WHY, batch_id="r1")
    assert len(store.versions(KEY)) == 1
    with pytest.raises(NotPublished):
        store.rollback(contract(name="other"), 1, WHY, batch_id="r1")


# -- reading -------------------------------------------------------------------------------------


@everywhere
def test_a_pinned_version_does_not_change_under_its_reader(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    snapshot = store.open(KEY)
    with duckdb.connect() as connection:
        snapshot.register(connection, "sales")
        reader = snapshot.batches(["id"])
        publish(store, DAILY, "b2", {day(0): [3]})
        publish(store, DAILY, "b3", {day(5): [4]}, replaces_all=True)
        store.rollback(DAILY, 2, WHY, batch_id="r1")
        seen = connection.sql("SELECT id FROM sales ORDER BY id").fetchall()
    assert seen == [(1,), (2,)]
    assert sorted(reader.read_all()["id"].to_pylist()) == [1, 2]
    assert sorted(snapshot.batches().read_all()["id"].to_pylist()) == [1, 2]
    assert snapshot.version.number == 1
    assert published(store, KEY) == [2, 3]


def test_columns_come_as_asked(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1, 2])
    snapshot = store.open(KEY)
    assert snapshot.batches(["amount", "id"]).schema.names == ["amount", "id"]
    assert snapshot.schema == rows(SALES, []).schema
    with pytest.raises(KeyError, match="colour"):
        snapshot.batches(["colour"])


def test_a_registered_version_is_a_view_over_immutable_files(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1, 2, 3])
    snapshot = store.open(KEY)
    with duckdb.connect() as connection:
        snapshot.register(connection, "first")
        snapshot.register(connection, "sec ond")
        snapshot.register(connection, "first")  # replaces the view
        joined = 'SELECT count(*) FROM first JOIN "sec ond" USING (id)'
        assert connection.sql(joined).fetchall() == [(3,)]
    assert snapshot.paths()
    assert all(path.is_file() for path in snapshot.paths())


def test_two_versions_can_be_registered_together(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(store, DAILY, "b2", {day(1): [3]})
    with duckdb.connect() as connection:
        store.open(KEY, 1).register(connection, "before")
        store.open(KEY, 2).register(connection, "after")
        changed = "SELECT id FROM after EXCEPT SELECT id FROM before"
        assert connection.sql(changed).fetchall() == [(3,)]


@everywhere
def test_every_type_comes_back_as_it_went_in(store: ProductStore) -> None:
    instant = datetime(2017, 3, 1, 23, 59, 59, 999_999)
    values: dict[str, tuple[ColumnType, list[object]]] = {
        "text": (ColumnType(Family.STRING), ["007", "", None, "héllo 🛒", "a\nb"]),
        "int": (INT, [2**31 - 1, -(2**31), 0, None, 1]),
        "long": (LONG, [2**63 - 1, -(2**63), 0, None, 1]),
        "single": (ColumnType(Family.FLOAT, width=32), [1.5, float("inf"), None, -0.0, 2.25]),
        "double": (FLOAT, [0.1, float("-inf"), None, 1e308, 5e-324]),
        "money": (ColumnType(Family.DECIMAL, precision=38, scale=10), [None] * 5),
        "yes": (ColumnType(Family.BOOLEAN), [True, False, None, True, False]),
        "day": (ColumnType(Family.DATE), [instant.date(), None, None, None, None]),
        "at": (ColumnType(Family.TIMESTAMP), [instant, None, None, None, None]),
        "zoned": (ColumnType(Family.TIMESTAMP_TZ), [instant.replace(tzinfo=UTC)] + [None] * 4),
    }
    made_for = contract(*((name, type_) for name, (type_, _) in values.items()))
    table = pa.table({n: pa.array(v, t.arrow) for n, (t, v) in values.items()})
    folder = store.staging_folder(made_for, "b1")
    files = write_staged(table.to_reader(), folder, made_for, ("",))
    store.publish(made_for, let_through(made_for, StagedBatch(KEY, "b1", folder, files)))
    read = store.open(KEY).batches().read_all()
    assert read.schema == table.schema
    assert read.to_pylist() == table.to_pylist()


def test_not_a_number_survives(store: ProductStore) -> None:
    made_for = contract(("id", LONG), ("amount", FLOAT))
    table = pa.table({"id": [1, 2], "amount": [float("nan"), float("nan")]})
    folder = store.staging_folder(made_for, "b1")
    files = write_staged(table.to_reader(), folder, made_for, ("",))
    store.publish(made_for, let_through(made_for, StagedBatch(KEY, "b1", folder, files)))
    with duckdb.connect() as connection:
        store.open(KEY).register(connection, "sales")
        assert connection.sql("SELECT count(*) FROM sales WHERE isnan(amount)").fetchall() == [(2,)]


# -- the empty batch -----------------------------------------------------------------------------


@everywhere
def test_an_empty_batch_wipes_nothing(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    with pytest.raises(PublishError, match="empty"):
        publish(store, SALES, "b2", [])
    assert published(store, KEY) == [1]
    assert len(store.versions(KEY)) == 1


def test_an_empty_version_where_the_contract_allows_it(store: ProductStore) -> None:
    allowed = contract(allow_empty=True)
    assert publish(store, allowed, "b1", []).rows == 0
    snapshot = store.open(KEY)
    assert snapshot.batches().read_all() == rows(allowed, [])
    assert snapshot.paths() == ()
    with duckdb.connect() as connection:
        snapshot.register(connection, "sales")
        assert connection.sql("SELECT * FROM sales").fetchall() == []
        assert connection.sql("SELECT * FROM sales").types == ["BIGINT", "VARCHAR", "DOUBLE"]
    publish(store, allowed, "b2", [1])
    assert publish(store, allowed, "b3", []).number == 3
    assert published(store, KEY) == []
    assert published(store, KEY, 2) == [1]
    assert store.published_batch(KEY, "b3") is not None


# -- schemas -------------------------------------------------------------------------------------


def test_an_added_column_is_null_in_the_rows_that_stay(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    wider = contract(*((c.name, c.type) for c in DAILY.columns), ("extra", TEXT), partitioned=True)
    publish(store, wider, "b2", {day(1): [3]})
    read = store.open(KEY).batches(["id", "extra"]).read_all().sort_by("id")
    assert read.to_pydict() == {"id": [1, 3], "extra": [None, "row 3"]}
    only_old = store.open(KEY).batches(["extra"], [day(0)]).read_all()
    assert only_old == pa.table({"extra": pa.array([None], pa.string())})
    with duckdb.connect() as connection:
        store.open(KEY).register(connection, "sales")
        assert connection.sql("SELECT count(extra), count(*) FROM sales").fetchall() == [(1, 2)]


def test_old_versions_keep_their_own_schema(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    publish(
        store, contract(("amount", FLOAT), ("id", LONG), ("label", TEXT), ("x", LONG)), "b2", [2]
    )
    assert store.open(KEY, 1).schema.names == ["id", "label", "amount"]
    assert store.open(KEY, 2).schema.names == ["amount", "id", "label", "x"]
    assert store.open(KEY, 1).batches().read_all() == rows(SALES, [1])


@everywhere
def test_a_type_can_widen(store: ProductStore) -> None:
    narrow = contract(("id", INT), ("amount", ColumnType(Family.FLOAT, width=32)), partitioned=True)
    wide = contract(("id", LONG), ("amount", FLOAT), partitioned=True)
    publish(store, narrow, "b1", {day(0): [1], day(1): [2]})
    publish(store, wide, "b2", {day(1): [2**40]})
    read = store.open(KEY).batches().read_all().sort_by("id")
    assert read.schema == rows(wide, []).schema
    assert read["id"].to_pylist() == [1, 2**40]
    assert read["amount"].to_pylist() == [1.5, 2**40 + 0.5]
    old = store.open(KEY).batches(partitions=[day(0)]).read_all()
    assert old.schema == rows(wide, []).schema
    with pytest.raises(PublishError, match="BIGINT to INTEGER"):
        publish(store, narrow, "b3", {day(0): [1]})


@everywhere
def test_an_incompatible_schema_is_refused_and_changes_nothing(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    before = store.versions(KEY)
    changed = contract(("id", TEXT), ("label", TEXT), ("amount", FLOAT))
    with pytest.raises(PublishError, match=r"id from BIGINT to VARCHAR.*major version"):
        publish(store, changed, "b2", [2])
    with pytest.raises(PublishError, match="column amount is gone"):
        publish(store, contract(("id", LONG), ("label", TEXT)), "b3", [2])
    assert store.versions(KEY) == before
    assert store.open(KEY).schema == rows(SALES, []).schema
    assert publish(store, SALES, "b4", [4]).number == 2


def test_a_new_major_version_may_break_the_schema(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    broken = contract(("id", TEXT), ("label", TEXT), version="2.0.0")
    publish(store, broken, "b2", [7])
    assert store.open(KEY).batches().read_all() == rows(broken, [7])
    assert store.open(KEY, 1).batches().read_all() == rows(SALES, [1])
    store.rollback(SALES, 1, WHY, batch_id="r1")
    assert store.open(KEY).batches().read_all() == rows(SALES, [1])
    publish(store, SALES, "b3", [3], append=True)
    assert store.open(KEY).batches().read_all().sort_by("id") == rows(SALES, [1, 3])


def test_a_breaking_change_must_replace_every_row(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    broken = contract(("id", TEXT), partitioned=True, version="2.0.0")
    with pytest.raises(PublishError, match="every partition"):
        publish(store, broken, "b2", {day(0): [1]})
    publish(store, broken, "b3", {day(0): [1], day(1): [2]})
    read = store.open(KEY).batches(["id"]).read_all()["id"].to_pylist()
    assert sorted(read) == ["row 1", "row 2"]


def test_files_that_are_not_what_the_contract_says_are_refused(store: ProductStore) -> None:
    staged = stage(store, contract(("id", INT), ("label", TEXT), ("amount", FLOAT)), "b1", [1])
    with pytest.raises(PublishError, match="id int32"):
        store.publish(SALES, let_through(SALES, staged))
    staged = stage(store, SALES, "b2", [1, 2])
    lying = replace(staged, files=tuple(replace(file, rows=5) for file in staged.files))
    with pytest.raises(PublishError, match="holds 2 rows and 5 were staged"):
        store.publish(SALES, let_through(SALES, lying))
    assert store.versions(KEY) == []


# -- discarding and clearing up ------------------------------------------------------------------


def test_discard_removes_what_was_staged(store: ProductStore) -> None:
    first, second = stage(store, SALES, "b1", [1]), stage(store, SALES, "b1", [1])
    assert first.folder != second.folder
    store.discard(SALES, "b1")
    assert not first.folder.exists()
    assert not second.folder.exists()
    store.discard(SALES, "b1")
    store.discard(SALES, "never-staged")


def test_discard_of_a_published_batch_keeps_every_version(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    left_over = stage(store, SALES, "b1", [1])
    store.discard(SALES, "b1")
    assert not left_over.folder.exists()
    assert published(store, KEY, 1) == [1]
    assert published(store, KEY, 2) == [2]


@everywhere
def test_orphans_are_removed_and_versions_and_living_batches_are_not(
    store: ProductStore,
) -> None:
    publish(store, SALES, "b1", [1])
    living = stage(store, SALES, "b2", [2])
    dead = stage(store, SALES, "b3", [3])
    (dead.folder / "_owner.json").write_text(
        (dead.folder / "_owner.json").read_text().replace('"started": "', '"started": "1')
    )
    assert store.orphans(KEY) == [str(dead.folder)]
    assert store.remove_orphans(KEY) == [str(dead.folder)]
    assert store.orphans(KEY) == []
    assert living.folder.exists()
    assert not dead.folder.exists()
    assert str(living.folder) in store.remove_orphans(KEY, older_than=timedelta(0))
    assert not living.folder.exists()
    assert published(store, KEY) == [1]


# -- a product in both stores --------------------------------------------------------------------


def test_one_audited_batch_is_published_in_both_stores(
    lake: LakeStore, warehouse: WarehouseStore
) -> None:
    staged = stage(lake, DAILY, "b1", {day(0): [1], day(1): [2]})
    cleared = let_through(DAILY, staged)
    lake.publish(DAILY, cleared)
    warehouse.publish(DAILY, cleared)
    assert published(lake, KEY) == published(warehouse, KEY) == [1, 2]
    both = [store.open(KEY).batches().read_all().sort_by("id") for store in (lake, warehouse)]
    assert both[0] == both[1]


def test_a_version_can_be_copied_into_the_other_store(
    lake: LakeStore, warehouse: WarehouseStore
) -> None:
    """What levels the stores after a process died between two publishes."""
    emptyable = replace(DAILY, allow_empty=True)
    publish(lake, emptyable, "b1", {day(0): [1], day(1): [2]})
    publish(lake, emptyable, "b2", {day(0): [], day(1): []}, replaces_all=True)
    for number, days in ((1, (day(0), day(1))), (2, ("",))):
        snapshot = lake.open(KEY, number)
        folder = warehouse.staging_folder(emptyable, f"copy{number}")
        files = write_staged(snapshot.batches(), folder, emptyable, days)
        copy = StagedBatch(KEY, f"copy{number}", folder, files, days, replaces_all=True)
        version = warehouse.publish(emptyable, let_through(emptyable, copy))
        assert version.rows == snapshot.version.rows
    assert published(warehouse, KEY, 1) == [1, 2]
    assert published(warehouse, KEY, 2) == []


def test_a_store_is_found_again_by_another_object(place: Place) -> None:
    publish(place.open(), SALES, "b1", [1])
    again = place.open()
    assert published(again, KEY) == [1]
    assert again.products() == [KEY]


def test_an_empty_store_has_no_products(store: ProductStore) -> None:
    assert store.products() == []
