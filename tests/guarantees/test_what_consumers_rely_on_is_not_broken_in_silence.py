"""A contract that no longer keeps what is published under it is found, and refused, with who it hits."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from shared_resources.cli.commands.check import check
from shared_resources.stores.opening import open_product
from tests.guarantees.orders import DAILY, DAY, KEY, land_orders, orders_table
from tests.tiny_mesh import TinyMesh, column, contract_text, failures

LANDING = {"prefix": KEY, "format": "parquet", "object": "*.parquet"}
READER = """
    import pandas as pd
    from shared_resources import data_product, product_input

    @data_product(orders=product_input("order/orders", columns=["amount"]))
    def reader(orders):
        return pd.DataFrame({"id": [1]})
"""
Columns = list[dict[str, Any]]


def columns() -> Columns:
    return [
        column("order_id", required=True, primaryKey=True, primaryKeyPosition=1),
        column("amount", "DOUBLE", required=True),
    ]


def renamed(c: Columns) -> None:
    c[1]["name"] = "total"


def dropped(c: Columns) -> None:
    del c[1]


def another_type(c: Columns) -> None:
    c[1] |= {"logicalType": "integer", "physicalType": "BIGINT"}


def nullable(c: Columns) -> None:
    c[1]["required"] = False


def without_key(c: Columns) -> None:
    del c[0]["primaryKey"], c[0]["primaryKeyPosition"]


def another_key(c: Columns) -> None:
    c[1] |= {"primaryKey": True, "primaryKeyPosition": 2}


def contract(mesh: TinyMesh, of: Columns, version: str = "1.1.0") -> None:
    properties = {"landing": LANDING}
    mesh.product(KEY, contract_text(KEY, of, properties=properties, version=version))


def daily(mesh: TinyMesh, servers: Sequence[str], version: str = "1.0.0", by: str = "day") -> None:
    """A product of days, in these stores; without `by`, of no days."""
    properties = {"partitions": {**DAILY["partitions"], "column": by}, "landing": DAILY["landing"]}
    if not by:
        properties = {"landing": LANDING}
    of = [*columns(), DAY, column("booked", "DATE")]
    mesh.product(
        KEY, contract_text(KEY, of, servers=servers, properties=properties, version=version)
    )


def land_booked(mesh: TinyMesh, day: str) -> None:
    on = pa.array([date.fromisoformat(day)], pa.date32())
    rows = orders_table([1.5]).append_column("day", on).append_column("booked", on)
    mesh.land(f"{KEY}/{day}.parquet", rows)


@pytest.fixture
def published(mesh: TinyMesh) -> TinyMesh:
    contract(mesh, columns())
    mesh.product("sales/reader", contract_text("sales/reader", [column("id")]), READER)
    land_orders(mesh, [1.5, 2.5])
    assert mesh.run(KEY).success and mesh.run("sales/reader").success
    assert checked() == []
    return mesh


def checked(*options: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(check, ["--json", *options])
    found: list[dict[str, Any]] = json.loads(result.stdout)["findings"]
    assert result.exit_code == bool(found)
    return [one for one in found if one["rule"] == "breaking_change"]


BREAKS: list[tuple[Callable[[Columns], None], str, str]] = [
    (renamed, "column amount is gone", "sales/reader (amount)"),
    (dropped, "column amount is gone", "sales/reader (amount)"),
    (another_type, "amount from DOUBLE to BIGINT", "sales/reader (amount)"),
    (nullable, "amount may now be null", "sales/reader (amount)"),
    (without_key, "the primary key was (order_id) and is none", "nothing in this mesh"),
    (another_key, "was (order_id) and is (order_id, amount)", "nothing in this mesh"),
]


def test_a_break_is_found_with_its_consumers_unless_the_major_version_is_new(
    published: TinyMesh,
) -> None:
    for change, said, hit in BREAKS:
        changed = columns()
        change(changed)
        for version in ("1.1.0", "1.0.0", "1.2.0", "0.9.0"):
            contract(published, changed, version)
            (found,) = checked()
            assert said in found["message"] and hit in found["message"], (change, version)
            assert (
                "under which version 1 of order/orders in the lake is published"
                in (found["message"])
            )
            assert found["line"] > 0 and "new major version" in found["remedy"]
        assert checked("--static") == []
        contract(published, changed, "2.0.0")
        assert checked() == [], change


def test_a_version_that_goes_back_is_found_and_not_published(published: TinyMesh) -> None:
    contract(published, columns(), "1.0.9")
    (found,) = checked()
    assert "published under version 1.1.0" in found["message"] and found["line"] > 0
    land_orders(published, [3.5])
    assert not published.run(KEY).success
    contract(published, columns(), "1.1.0")
    assert published.run(KEY).success


def test_publication_refuses_what_is_found(published: TinyMesh) -> None:
    rows = published_rows(published)
    for number, change in enumerate((dropped, nullable, without_key), start=1):
        changed = columns()
        change(changed)
        contract(published, changed)
        landed = rows.select(["order_id"]) if change is dropped else rows
        published.land(f"{KEY}/{number}.parquet", landed)
        refused = published.run(KEY)
        assert not refused.success, change
        assert "the contract no longer fits what is published" in failures(refused)
        assert len(published.versions(KEY)) == 1
    contract(published, changed, "2.0.0")
    assert published.run(KEY).success


DAYS = ("2024-01-01", "2024-01-02")


def days(mesh: TinyMesh) -> list[str]:
    return sorted(str(row["day"]) for row in mesh.rows(KEY))


@pytest.fixture
def two_days(mesh: TinyMesh) -> Callable[[Sequence[str]], None]:
    def publish(servers: Sequence[str]) -> None:
        daily(mesh, servers)
        for day in DAYS:
            land_booked(mesh, day)
        assert mesh.run(KEY, partitions=DAYS).success

    return publish


@pytest.mark.parametrize("servers", [("lake",), ("warehouse",)])
def test_a_further_store_is_given_what_readers_have(
    mesh: TinyMesh, two_days: Callable[[Sequence[str]], None], servers: Sequence[str]
) -> None:
    two_days(servers)
    daily(mesh, ("lake", "warehouse"), "1.1.0")
    assert checked() == []
    result = mesh.run(KEY, partitions=DAYS[:1])
    assert result.success, failures(result)
    assert days(mesh) == list(DAYS)
    for store in mesh.environment.stores.values():
        assert store.open(KEY).version.rows == 2


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (("lake",), ("warehouse",)),
        (("warehouse",), ("lake",)),
        (("lake", "warehouse"), ("warehouse",)),
    ],
)
def test_a_store_that_readers_look_into_is_not_left(
    mesh: TinyMesh,
    two_days: Callable[[Sequence[str]], None],
    before: Sequence[str],
    after: Sequence[str],
) -> None:
    two_days(before)
    daily(mesh, after, "2.0.0")
    (found,) = checked()
    assert "readers would go on reading" in found["message"] and found["line"] > 0
    refused = mesh.run(KEY, partitions=DAYS[:1])
    assert not refused.success and "names only the" in failures(refused)
    assert days(mesh) == list(DAYS)


def test_a_second_store_is_left_with_a_new_major_version(
    mesh: TinyMesh, two_days: Callable[[Sequence[str]], None]
) -> None:
    two_days(("lake", "warehouse"))
    for version, may in (("1.1.0", False), ("2.0.0", True)):
        daily(mesh, ("lake",), version)
        assert [f["message"].count("no longer published in the warehouse") for f in checked()] == (
            [] if may else [1]
        )
        assert mesh.run(KEY, partitions=DAYS[:1]).success is may


@pytest.mark.parametrize("server", ["lake", "warehouse"])
def test_other_partitions_are_found_as_they_are_refused(
    mesh: TinyMesh, two_days: Callable[[Sequence[str]], None], server: str
) -> None:
    two_days((server,))
    for by in ("booked", ""):
        daily(mesh, (server,), "2.0.0", by)
        (found,) = checked()
        assert "Partitions cannot change" in found["message"] and found["line"] > 0
        refused = mesh.run(KEY, partitions=DAYS[:1] if by else ())
        assert "Partitions cannot change" in failures(refused)
    assert days(mesh) == list(DAYS)


def test_what_only_adds_to_the_promise_is_no_break(published: TinyMesh) -> None:
    wider = [*columns(), column("note", "VARCHAR")]
    contract(published, wider, "1.1.0")
    assert checked() == []


def test_a_promise_is_read_back_as_it_was_written(published: TinyMesh) -> None:
    from shared_resources.contracts.odcs import read_contract
    from shared_resources.contracts.promise import Promise
    from shared_resources.evidence.record import Evidence

    file = published.root / "domains" / "order" / "products" / "orders" / "contract.odcs.yaml"
    evidence = Evidence.read(published.versions(KEY)[-1].properties)
    assert evidence.promise == Promise.of(read_contract(file))


def published_rows(mesh: TinyMesh) -> Any:
    return open_product(mesh.environment, KEY).batches().read_all()
