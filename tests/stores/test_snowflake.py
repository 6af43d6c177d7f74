"""What only the Snowflake store does: its view, its local copies, what it drops and never drops.

Belongs here: what can be seen in Snowflake itself. Does not belong here: what every store promises
(`test_conformance.py`), statements (`test_snowflake_statements.py`), deaths (`…_crashes.py`).
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.types import ColumnType, Family
from shared_resources.evidence import keys
from shared_resources.stores.cloud_warehouse import loading as snowflake_loading
from shared_resources.stores.cloud_warehouse.loading import load
from shared_resources.stores.cloud_warehouse.record.entry import Head
from shared_resources.stores.cloud_warehouse.session import SnowflakeProblem
from shared_resources.stores.cloud_warehouse.sql import Name, text
from shared_resources.stores.cloud_warehouse.store import SnowflakeStore
from shared_resources.stores.protocol import (
    Damaged,
    NotPublished,
    PublishError,
    StagedBatch,
    StagedFile,
)
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.staging import write_staged
from tests.contract_factory import let_through
from tests.stores.conftest import Places
from tests.stores.products import (
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
from tests.stores.snowflake_statements import recorded

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key
VIEW = '"order"."sales"'


@pytest.fixture
def store(places: Places) -> SnowflakeStore:
    opened = places("snowflake").open()
    assert isinstance(opened, SnowflakeStore)
    return opened


def shown(store: SnowflakeStore) -> list[int]:
    """What a person's SQL finds in the product's view."""
    found = store.session.query(f'SELECT "id" FROM {VIEW} ORDER BY 1')
    return [int(number) for (number,) in found.rows]


def tables(store: SnowflakeStore) -> set[str]:
    """The names of the product's tables, versions and others."""
    return {table.name.name for table in store._tables(KEY).all()}


# -- the view and the tables ---------------------------------------------------------------------


def test_the_view_shows_the_current_version(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1, 2])
    assert shown(store) == [1, 2]
    publish(store, SALES, "b2", [3])
    assert shown(store) == [3]
    store.rollback(SALES, 1, WHY, batch_id="r1")
    assert shown(store) == [1, 2]


def test_a_relation_is_a_table_of_the_version_whatever_comes_after(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    first, again = store.relation(KEY), store.relation(KEY, 1)
    publish(store, SALES, "b2", [2])
    assert first == again != store.relation(KEY)
    assert store.session.query(f'SELECT "id" FROM {first}').rows == [(1,)]
    assert first.startswith(f'"{store.session.database}"."order__versions"."sales__')
    with pytest.raises(NotPublished):
        store.relation(KEY, 7)
    with pytest.raises(NotPublished):
        store.relation("order/other")


def test_a_rollback_copies_nothing(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    store.rollback(SALES, 1, WHY, batch_id="r1")
    assert store.relation(KEY, 3) == store.relation(KEY, 1)
    assert len(tables(store)) == 2


def test_a_view_that_was_left_behind_is_mended(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    old = store.record_of(KEY).head().entry
    assert old is not None
    publish(store, SALES, "b2", [2])
    store.session.execute(old.view)  # as a slow publisher would that died right after it
    assert shown(store) == [1]
    store.remove_orphans(KEY)
    assert shown(store) == [2]


def test_a_retried_run_finishes_what_its_death_left(store: SnowflakeStore) -> None:
    """It asks whether its batch is published: then the view must show it."""
    publish(store, SALES, "b1", [1])
    old = store.record_of(KEY).head().entry
    assert old is not None
    publish(store, SALES, "b2", [2])
    store.session.execute('UPDATE "order__versions"."heads" SET "shown" = 1')
    store.session.execute('DELETE FROM "order__versions"."versions" WHERE "number" = 2')
    store.session.execute(old.view)
    version = store.published_batch(KEY, "b2")
    assert version is not None
    assert shown(store) == [2]
    publish(store, SALES, "b3", [3])
    assert [v.number for v in store.versions(KEY)] == [1, 2, 3]


# -- values --------------------------------------------------------------------------------------


def test_values_at_the_edges_come_back(store: SnowflakeStore) -> None:
    values: dict[str, tuple[ColumnType, list[object]]] = {
        "order": (TEXT, ["\\N", "NULL", "", "x" * 1_000_000, 'it\'s \\ "quoted"\n']),
        "select": (LONG, [2**63 - 1, -(2**63), None, 0, 1]),
        "single": (ColumnType(Family.FLOAT, width=32), [0.1, 3.4e38, None, 1e-45, -0.0]),
        "money": (
            ColumnType(Family.DECIMAL, precision=38, scale=10),
            [Decimal("9" * 28 + "." + "9" * 10), Decimal("-0.0000000001"), None, None, Decimal(0)],
        ),
        "day": (
            ColumnType(Family.DATE),
            [date(1, 1, 1), date(9999, 12, 31), None, date(1582, 10, 15), date(1970, 1, 1)],
        ),
        "at": (
            ColumnType(Family.TIMESTAMP),
            [
                datetime(1, 1, 1),
                datetime(9999, 12, 31, 23, 59, 59, 999_999),
                None,
                datetime(1677, 9, 21),
                datetime(1969, 12, 31, 23, 59, 59, 1),
            ],
        ),
    }
    values["zoned"] = (
        ColumnType(Family.TIMESTAMP_TZ),
        [v.replace(tzinfo=UTC) if isinstance(v, datetime) else None for v in values["at"][1]],
    )
    made_for = contract(*((name, type_) for name, (type_, _) in values.items()))
    table = pa.table({n: pa.array(v, t.arrow) for n, (t, v) in values.items()})
    folder = store.staging_folder(made_for, "b1")
    files = write_staged(table.to_reader(), folder, made_for, ("",))
    store.publish(made_for, let_through(made_for, StagedBatch(KEY, "b1", folder, files)))
    snapshot = store.open(KEY)
    read = snapshot.batches().read_all()
    assert read.equals(table)
    with duckdb.connect() as connection:
        snapshot.register(connection, "sales")
        copied = connection.sql('SELECT count("at"), max(length("order")) FROM sales').fetchall()
    assert copied == [(4, 1_000_000)]


# -- reading -------------------------------------------------------------------------------------


def test_only_what_is_asked_for_crosses_the_network(store: SnowflakeStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    snapshot = store.open(KEY)
    with recorded() as said:
        snapshot.batches(["id"], [day(1)]).read_all()
    (statement,) = said.statements
    assert statement.startswith('SELECT "id" FROM "order__versions"."sales__')
    assert "'2017-01-02 00:00:00'" in statement
    assert "label" not in statement


def test_a_version_is_copied_once_and_then_read_without_snowflake(store: SnowflakeStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    (first,) = store.open(KEY).paths()
    snapshot = store.open(KEY)
    with duckdb.connect() as connection, recorded() as said:
        snapshot.register(connection, "sales")
        assert connection.sql("SELECT count(*) FROM sales").fetchall() == [(2,)]
    assert said.statements == []
    assert snapshot.paths() == (first,)
    publish(store, DAILY, "b2", {day(0): [3]})
    store.rollback(DAILY, 1, WHY, batch_id="r1")
    assert store.open(KEY).paths() == (first,)


def test_a_copy_that_is_not_whole_is_no_copy(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1, 2])
    store.session.execute(f'DELETE FROM {store.relation(KEY)} WHERE "id" = 1')
    with pytest.raises(Damaged, match="1 rows instead of 2"):
        store.open(KEY).paths()


def test_an_expired_version_says_so(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    snapshot = store.open(KEY)
    publish(store, SALES, "b2", [2])
    store.expire(SALES, datetime.now(UTC) + timedelta(days=1))
    with pytest.raises(NotPublished, match="expired"):
        snapshot.batches().read_all()


# -- loading -------------------------------------------------------------------------------------


def test_many_files_are_loaded_in_chunks(
    store: SnowflakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake_loading, "CHUNK_FILES", 3)
    with recorded() as said:
        publish(store, DAILY, "b1", {day(n): [n] for n in range(8)})
    assert len(said.starting("PUT")) == len(said.starting("COPY")) == 3
    assert published(store, KEY) == list(range(8))
    assert store.session.query('SHOW STAGES IN SCHEMA "order__versions"').rows == []


def test_a_large_file_is_sent_in_pieces(
    store: SnowflakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snowflake_loading, "PUT_BYTES", 8_000)
    numbers = list(range(5_000))
    folder = store.staging_folder(SALES, "b1")
    path = folder / "part-0.parquet"
    pq.write_table(rows(SALES, numbers), path, row_group_size=1_000, compression="zstd")
    with recorded() as said:
        staged = StagedBatch(KEY, "b1", folder, (StagedFile(path, "", 5_000),))
        store.publish(SALES, let_through(SALES, staged))
    assert len(said.starting("PUT")) > 2
    assert published(store, KEY) == numbers


def test_parquet_can_be_loaded_into_any_table(store: SnowflakeStore) -> None:
    staged = stage(store, SALES, "b1", [1, 2, 3])
    store.session.execute('CREATE SCHEMA "scratch"')
    table = Name("scratch", "seed")
    store.session.execute(f'CREATE TABLE {table} ("label" VARCHAR, "id" NUMBER(19,0))')
    load(store.session, table, (("id", LONG), ("label", TEXT)), staged.files)
    found = store.session.query(f"SELECT * FROM {table} ORDER BY 2").rows
    assert found == [("row 1", 1), ("row 2", 2), ("row 3", 3)]


def test_other_than_the_staged_rows_are_refused(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    staged = stage(store, SALES, "b2", [2, 3])
    lying = [replace(file, rows=file.rows + 1) for file in staged.files]
    table = Name("order__versions", "other")
    store.session.execute(
        f'CREATE TABLE {table} ("id" NUMBER(19,0), "label" VARCHAR, "amount" FLOAT)'
    )
    with pytest.raises(PublishError, match="3 rows in 1 files were staged, and Snowflake loaded 2"):
        load(store.session, table, [(c.name, c.type) for c in SALES.columns], lying)


def test_a_value_that_does_not_fit_is_not_in_the_message(store: SnowflakeStore) -> None:
    staged = stage(store, SALES, "b1", [1])
    store.session.execute('CREATE SCHEMA "scratch"')
    table = Name("scratch", "seed")
    store.session.execute(f'CREATE TABLE {table} ("label" NUMBER(19,0))')
    with pytest.raises(SnowflakeProblem) as refused:
        load(store.session, table, [("label", LONG)], staged.files)
    assert "row 1" not in str(refused.value)
    assert "…" in str(refused.value)


# -- versions and what is dropped ----------------------------------------------------------------


def test_what_expired_is_dropped_unless_a_kept_version_has_its_table(
    store: SnowflakeStore,
) -> None:
    for number in range(1, 5):
        publish(store, SALES, f"b{number}", [number])
    store.rollback(SALES, 2, WHY, batch_id="r1")
    expired = store.expire(SALES, datetime.now(UTC) + timedelta(days=1))
    assert [version.number for version in expired] == [1, 3, 4]
    assert [version.number for version in store.versions(KEY)] == [2, 5]
    assert len(tables(store)) == 1
    assert published(store, KEY) == shown(store) == [2]
    assert store.expire(SALES, datetime.now(UTC) + timedelta(days=1)) == []


def test_a_claim_from_before_the_fence_does_nothing(store: SnowflakeStore) -> None:
    """The UPDATE of a process that died while it was on its way, after its table was dropped."""
    publish(store, SALES, "b1", [1])
    versions = store.record_of(KEY)
    head = versions.head()
    assert head.entry is not None
    ghost = replace(
        head.entry,
        table="sales__dropped",
        properties={**head.entry.properties, keys.NUMBER: "2", keys.BATCH_ID: "b2"},
    )
    versions.raise_fence()
    assert not versions.claim(ghost, head)
    assert versions.of_batch("b2") is None
    assert versions.claim(ghost, versions.head())


def test_a_first_claim_from_before_the_fence_does_nothing(store: SnowflakeStore) -> None:
    """A fence before the first version stops who found none: also who inserts its row too late."""
    publish(store, contract(name="other"), "b1", [1])  # the domain's tables are there
    entry = store.record_of("order/other").head().entry
    versions = store.record_of(KEY)
    before = versions.head()
    assert entry is not None and before == Head()
    versions.raise_fence()
    assert not versions.claim(entry, before)
    late = "SELECT 'sales', 0, 0, 0"
    store.session.execute(
        f'INSERT INTO "order__versions"."heads" ("product", "number", "shown", "fence") {late}'
    )
    assert not versions.claim(entry, before)
    assert store.versions(KEY) == [] and store.products() == ["order/other"]
    versions.raise_fence()
    assert versions.head() == Head(fence=2)
    assert versions.claim(entry, versions.head())
    assert [version.number for version in store.versions(KEY)] == [1]


def test_a_discard_before_the_first_version_stops_who_counted_its_table(
    store: SnowflakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The table is dropped between its making and the UPDATE: it is made again."""
    publish(store, contract(name="other"), "b1", [1])
    versions = store.record_of(KEY)
    claim, dropped = versions.claim, list[int]()

    def late(*arguments: object) -> bool:
        if not dropped:
            dropped.append(len(tables(store)))
            store.discard(SALES, "b1")
            dropped.append(len(tables(store)))
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(versions, "claim", late)
    staged = stage(store, SALES, "b1", [1])
    monkeypatch.setattr(staging_area, "attempts_of", lambda *_: [])  # a discard elsewhere
    store.publish(SALES, let_through(SALES, staged))
    assert dropped[0] == dropped[1] + 1
    assert published(store, KEY) == [1]


def test_a_table_that_is_dropped_after_its_publisher_looked_again_is_made_again(
    store: SnowflakeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence is raised before its claim, and the table dropped between the next look and claim."""
    publish(store, contract(name="other"), "b1", [1])
    versions, doomed = store.record_of(KEY), list[Name]()
    claim = versions.claim

    def late(*arguments: object) -> bool:
        if not doomed:
            found = [table.name for table in store._tables(KEY).of_batch("b1")]
            versions.raise_fence()
            assert not claim(*arguments)  # type: ignore[arg-type]
            doomed.extend(found)
            return False
        for table in doomed:
            store._tables(KEY).drop(table)
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(versions, "claim", late)
    publish(store, SALES, "b1", [1])
    assert doomed
    assert published(store, KEY) == [1]


def test_of_two_first_publishes_one_wins(store: SnowflakeStore) -> None:
    """Both may insert the head's first row; neither row can be claimed twice."""
    publish(store, contract(name="other"), "b1", [1])  # the domain's tables are there
    versions = store.record_of(KEY)
    for _ in range(2):
        store.session.execute(
            'INSERT INTO "order__versions"."heads" ("product", "number", "shown", "fence") '
            "SELECT 'sales', 0, 0, 0"
        )
    publish(store, SALES, "b1", [1])
    store.session.execute(
        'INSERT INTO "order__versions"."heads" ("product", "number", "shown", "fence") '
        "SELECT 'sales', 0, 0, 0"
    )
    head = versions.head()
    assert head.entry is not None
    assert not versions.claim(head.entry, Head())
    publish(store, SALES, "b2", [2])
    assert [version.number for version in store.versions(KEY)] == [1, 2]


def test_a_conflict_builds_on_what_was_published_meanwhile(
    store: SnowflakeStore, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    versions = store.record_of(KEY)
    claim = versions.claim
    rival_first = [True]

    def late(*arguments: object) -> bool:
        if rival_first.pop() if rival_first else False:
            monkeypatch.setattr(versions, "claim", claim)
            with monkeypatch.context() as unlocked:
                unlocked.setattr("filelock.FileLock.acquire", _free)
                publish(store, DAILY, "rival", {day(1): [3]})
            monkeypatch.setattr(versions, "claim", late)
        return claim(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(versions, "claim", late)
    version = publish(store, DAILY, "b2", {day(0): [4]})
    assert version.number == 3
    assert published(store, KEY) == shown(store) == [3, 4]
    assert published(store, KEY, 2) == [1, 3]
    assert len(tables(store)) == 3  # the one that was built in vain is gone


def _free(*arguments: object, **options: object) -> object:
    """A lock that is always free."""
    import contextlib

    return contextlib.nullcontext()


def test_a_dead_process_table_is_named_before_it_is_dropped(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    table = store._tables(KEY).new_name("b2")
    dead = staging_area.this_process() | {"started": "0", "table": table.name}
    comment = f"COMMENT = {text(json.dumps(dead))}"
    store.session.execute(f"CREATE TRANSIENT TABLE {table} (id NUMBER) {comment}")
    assert store.orphans(KEY) == [str(table)]
    assert len(tables(store)) == 2
    assert store.remove_orphans(KEY) == [str(table)]
    assert store.orphans(KEY) == []
    assert published(store, KEY) == [1]


def test_a_table_of_another_product_is_nobodys_orphan(store: SnowflakeStore) -> None:
    """`sales` and `sales__old` share a prefix."""
    old = contract(name="sales__old")
    publish(store, old, "b1", [1])
    publish(store, SALES, "b1", [2])
    assert store.remove_orphans(KEY, timedelta(0)) == []
    store.discard(SALES, "b1")
    assert published(store, old.key) == [1]
    assert published(store, KEY) == [2]


def test_nothing_is_compacted(store: SnowflakeStore) -> None:
    publish(store, SALES, "b1", [1])
    assert store.compact(SALES) is None


def test_rows_are_what_they_were(store: SnowflakeStore) -> None:
    """Also after twenty days that were replaced in clones of clones."""
    publish(store, DAILY, "b0", {day(n): [n] for n in range(20)})
    for n in range(0, 20, 4):
        publish(store, DAILY, f"b{n + 1}", {day(n): [100 + n]})
    expected = pa.concat_tables([rows(DAILY, [n if n % 4 else 100 + n], day(n)) for n in range(20)])
    read = store.open(KEY).batches().read_all().sort_by("id")
    assert read.equals(expected.sort_by("id"))
