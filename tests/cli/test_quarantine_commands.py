"""`mesh quarantine`: what was rejected is listed, shown masked, and replayed once."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.dagster_instance.instance import open_instance
from shared_resources.governance.quarantine.quarantine import Rejection
from tests.cli.commands import Called, call
from tests.guarantees.orders import (
    COLUMNS,
    DAILY,
    DAY,
    KEY,
    LANDING,
    amounts,
    land_day,
    land_orders,
    orders_table,
)
from tests.tiny_mesh import TinyMesh, column, contract_text

EMAIL = column("email", "VARCHAR", classification="restricted")
POSITIVE, ANY = {"exclusiveMinimum": 0}, {"minimum": -1000}


def orders(mesh: TinyMesh, bounds: dict[str, int], **properties: object) -> Path:
    """The orders product whose amounts lie within `bounds`, its contract as strict as that. It is being
    made: from version 1.0.0 on, to let more through would need a new major version."""
    amount = column("amount", "DOUBLE", required=True, logicalTypeOptions=bounds)
    given = {"landing": LANDING, **properties}
    text = contract_text(KEY, (COLUMNS[0], amount), properties=given, version="0.1.0")
    return mesh.product(KEY, text)


def entries(product: str = KEY) -> list[dict[str, object]]:
    told = call("quarantine", "list", product, "--all", "--json")
    assert (told.code, told.err) == (0, "")
    return list(told.json)


def replay(entry: object, *options: str) -> Called:
    return call("quarantine", "replay", entry, *options)


def refuse(mesh: TinyMesh) -> str:
    """A batch that is refused whole; the id of its entry."""
    orders(mesh, POSITIVE)
    land_orders(mesh, [1.0, -2.0])
    assert not mesh.run(KEY).success
    (entry,) = entries()
    return str(entry["id"])


def test_nothing_in_quarantine_is_said(mesh: TinyMesh) -> None:
    orders(mesh, POSITIVE)
    assert call("quarantine", "list").out.strip() == "nothing is in quarantine"
    assert entries() == []


def test_an_entry_says_what_was_rejected_and_why(mesh: TinyMesh) -> None:
    id_ = refuse(mesh)
    (entry,) = entries()
    assert (entry["kind"], entry["rows"], entry["broke"]) == ("batch", 2, "range_amount")
    assert id_ in call("quarantine", "list").out
    told = call("quarantine", "show", id_[:6], "--json").json
    assert told["objects"] == ["order/orders/extract.parquet"]
    assert told["contract_version"] == "0.1.0" and told["parent"] is None
    ((rule, clause, rows, found),) = told["reasons"]
    assert (rule, rows) == ("range_amount", 1) and clause and found
    assert [row["amount"] for row in told["rows_shown"]] == [-2.0], "the rows that failed"
    assert len(call("quarantine", "show", id_, "--limit", 1, "--json").json["rows_shown"]) == 1
    shown = call("quarantine", "show", id_)
    assert shown.code == 0 and "range_amount" in shown.out and "-2.0" in shown.out


def test_classified_columns_are_masked(mesh: TinyMesh) -> None:
    text = contract_text(KEY, (*COLUMNS, EMAIL), properties={"landing": LANDING})
    mesh.product(KEY, text)
    table = pa.table({"order_id": [1], "amount": [-1.0], "email": ["ada@example.com"]})
    mesh.land(f"{KEY}/extract.parquet", table)
    assert not mesh.run(KEY).success
    (entry,) = entries()
    for options in ([], ["--json"]):
        shown = call("quarantine", "show", entry["id"], *options)
        assert shown.code == 0 and "***" in shown.out
        assert "ada@example.com" not in shown.out + shown.err


def test_rows_that_could_not_be_read_are_shown_beside_the_others(mesh: TinyMesh) -> None:
    landing = {**LANDING, "format": "csv", "object": "*.csv"}
    mesh.product(KEY, contract_text(KEY, COLUMNS, properties={"landing": landing}))
    mesh.land(f"{KEY}/extract.csv", "order_id,amount\n1,1.5\ntwo,2.5\n")
    assert not mesh.run(KEY).success
    (entry,) = entries()
    shown = call("quarantine", "show", entry["id"])
    assert shown.code == 0
    assert "two" in shown.out and "_problems" in shown.out and "amount" in shown.out


def test_a_replay_publishes_once_what_a_mended_contract_lets_through(mesh: TinyMesh) -> None:
    id_ = refuse(mesh)
    again = replay(id_)
    again.refused("refused again, nothing changed", "range_amount", code=1)
    assert mesh.versions(KEY) == [] and len(entries()) == 1

    orders(mesh, ANY)
    done = replay(id_)

    assert done.code == 0, done.err
    assert "published as version 1 in the lake (2 rows)" in done.out
    assert amounts(mesh) == [-2.0, 1.0]
    assert entries()[0]["replayed_as"] == "v1"
    with open_instance(mesh.environment) as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey(["order", "orders"]))
    assert event is not None and event.asset_materialization is not None
    assert event.asset_materialization.metadata["version"].value == 1
    replay(id_).refused("was replayed before, as version 1", code=1)
    assert len(mesh.versions(KEY)) == 1


def test_a_newer_batch_is_not_overwritten_unless_forced(mesh: TinyMesh) -> None:
    id_ = refuse(mesh)
    land_orders(mesh, [7.0])
    assert mesh.run(KEY).success
    orders(mesh, ANY)
    replay(id_).refused("is older than version 1", "--force", code=1)
    assert amounts(mesh) == [7.0]
    assert replay(id_, "--force").code == 0
    assert amounts(mesh) == [-2.0, 1.0]


def lose_rows(mesh: TinyMesh) -> str:
    """A batch of which two rows of five are set aside within the loss budget."""
    orders(mesh, POSITIVE, lossBudgetPercent=50)
    land_orders(mesh, [1.0, -2.0, 3.0, -4.0, 5.0])
    assert mesh.run(KEY).success
    assert amounts(mesh) == [1.0, 3.0, 5.0]
    (entry,) = entries()
    assert (entry["kind"], entry["rows"]) == ("rows", 2)
    return str(entry["id"])


def test_rows_set_aside_join_what_is_published(mesh: TinyMesh) -> None:
    id_ = lose_rows(mesh)
    replay(id_).refused("range_amount", code=1)
    assert amounts(mesh) == [1.0, 3.0, 5.0]
    orders(mesh, ANY, lossBudgetPercent=50)
    done = replay(id_)
    assert done.code == 0, done.err
    assert amounts(mesh) == [-4.0, -2.0, 1.0, 3.0, 5.0]
    replay(id_).refused("was replayed before", code=1)


def daily_orders(mesh: TinyMesh, bounds: dict[str, int]) -> None:
    amount = column("amount", "DOUBLE", required=True, logicalTypeOptions=bounds)
    properties = {**DAILY, "lossBudgetPercent": 60}
    columns = (COLUMNS[0], amount, DAY)
    mesh.product(KEY, contract_text(KEY, columns, properties=properties, version="0.1.0"))


def test_rows_of_a_day_that_was_rolled_back_are_not_published_without_the_others(
    mesh: TinyMesh,
) -> None:
    daily_orders(mesh, POSITIVE)
    for day, landed in (("2024-01-01", [1.0]), ("2024-01-02", [2.0, -2.0, 3.0])):
        land_day(mesh, day, landed)
        assert mesh.run(KEY, partitions=[day]).success
    (entry,) = entries()
    assert (entry["kind"], entry["rows"]) == ("rows", 1)
    assert call("rollback", KEY, "--to", 1).code == 0
    daily_orders(mesh, ANY)

    replay(entry["id"]).refused("it was rolled back, or never published", "--force", code=1)
    assert amounts(mesh) == [1.0]

    assert call("rollback", KEY, "--to", 2).code == 0
    assert amounts(mesh) == [1.0, 2.0, 3.0]
    done = replay(entry["id"])
    assert done.code == 0, done.err
    assert amounts(mesh) == [-2.0, 1.0, 2.0, 3.0]


def test_rows_that_still_fail_stay_as_an_entry_of_their_own(mesh: TinyMesh) -> None:
    id_ = lose_rows(mesh)
    orders(mesh, {"minimum": -3}, lossBudgetPercent=50)
    done = replay(id_)
    assert done.code == 0, done.err
    assert amounts(mesh) == [-2.0, 1.0, 3.0, 5.0]
    assert "1 rows still fail and stay in quarantine as" in done.out
    first, rest = entries()
    assert (first["id"], first["replayed_as"]) == (id_, "v2")
    assert (rest["kind"], rest["rows"], rest["replayed_as"]) == ("rows", 1, "")
    details = call("quarantine", "show", rest["id"], "--json").json
    assert details["parent"] == id_
    assert [row["amount"] for row in details["rows_shown"]] == [-4.0]

    orders(mesh, ANY, lossBudgetPercent=50)
    assert replay(rest["id"]).code == 0
    assert amounts(mesh) == [-4.0, -2.0, 1.0, 3.0, 5.0]


def test_cells_that_are_still_no_values_stay_with_their_text(mesh: TinyMesh) -> None:
    csv = {**LANDING, "format": "csv", "object": "*.csv"}
    orders(mesh, POSITIVE, landing=csv, lossBudgetPercent=60)
    mesh.land(f"{KEY}/extract.csv", b"order_id,amount\n1,1\n2,-2\n3,three\n4,4\n")
    assert mesh.run(KEY).success
    (entry,) = entries()
    orders(mesh, ANY, landing=csv, lossBudgetPercent=60)
    assert replay(entry["id"]).code == 0
    assert amounts(mesh) == [-2.0, 1.0, 4.0]
    _, rest = entries()
    (row,) = call("quarantine", "show", rest["id"], "--json").json["rows_shown"]
    assert (rest["rows"], "three" in str(row)) == (1, True)


def test_an_object_that_could_not_be_read_is_kept_and_can_be_tried(mesh: TinyMesh) -> None:
    orders(mesh, POSITIVE)
    mesh.land(f"{KEY}/extract.parquet", b"no parquet at all")
    assert not mesh.run(KEY).success
    (entry,) = entries()
    assert entry["kind"] == "object"
    shown = call("quarantine", "show", entry["id"])
    assert shown.code == 0 and "order/orders/extract.parquet" in shown.out
    tried = replay(entry["id"])
    assert tried.code != 0 and "extract.parquet" in tried.err
    assert "Traceback" not in tried.err and "MESH_DEBUG" not in tried.err


def test_an_entry_of_a_product_whose_domain_does_not_load_is_not_replayed(mesh: TinyMesh) -> None:
    id_ = refuse(mesh)
    file = mesh.root / "domains/order/products/orders/contract.odcs.yaml"
    file.write_text(file.read_text() + "colour: blue\n")
    told = replay(id_)
    told.refused("colour", "contract.odcs.yaml:", code=1)


def test_of_two_entries_of_one_batch_the_later_counts(mesh: TinyMesh) -> None:
    first = refuse(mesh)
    quarantine = mesh.environment.quarantine
    entry = quarantine.get(first)
    values = {one.name: getattr(entry, one.name) for one in fields(Rejection)}
    retried = mesh.environment.home / "retried.parquet"
    pq.write_table(orders_table([8.0, -9.0]), retried)
    second = quarantine.put(Rejection(**values), [retried]).id

    assert call("quarantine", "show", first, "--json").json["superseded_by"] == second
    orders(mesh, ANY)
    replay(first).refused(f"is superseded by {second}", code=1)
    assert replay(second).code == 0
    assert amounts(mesh) == [-9.0, 8.0]
