"""`mesh landing`: what waits is shown with its age, and what was ingested can be ingested again."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest

from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.mesh import read_mesh
from shared_resources.observing.product_health import Observer
from shared_resources.running.pending import UpToDate, tasks_of
from tests.cli.commands import call
from tests.stand_ins.servers import environment
from tests.tiny_mesh import TinyMesh, column, contract_text

KEY = "shop/items"


@pytest.fixture
def items(mesh: TinyMesh) -> TinyMesh:
    """A product of one CSV object a day, and one that is made of it."""
    landing = {
        "prefix": KEY,
        "format": "csv",
        "mode": "partition",
        "object": "{partition}.csv",
    }
    span = {"cadence": "daily", "column": "day", "start": "2026-01-01", "end": "2027-01-01"}
    properties = {"landing": landing, "partitions": span}
    columns = [column("id"), column("day", "DATE")]
    mesh.product(KEY, contract_text(KEY, columns, properties=properties))
    return mesh


def land(mesh: TinyMesh, *days: str, hours_ago: float = 0) -> list[Path]:
    files = [mesh.land(f"{KEY}/{day}.csv", f"id,day\n1,{day}\n") for day in days]
    for file in files:
        os.utime(file, (time.time() - hours_ago * 3600,) * 2)
    return files


def tick(mesh: TinyMesh, *, run: bool = True, cursor: str | None = None) -> str | None:
    """One tick of the product's sensor and its runs; the cursor."""
    definitions = mesh.definitions("shop")
    sensor = definitions.resolve_sensor_def("shop_landing")
    with dg.build_sensor_context(
        instance=mesh.instance, cursor=cursor, definitions=definitions
    ) as context:
        result = sensor(context)
    assert isinstance(result, dg.SensorResult)
    for request in result.run_requests or [] if run else []:
        partition = (request.partition_key,) if request.partition_key else ()
        tags = {**request.tags, "dagster/run_key": request.run_key or ""}
        assert mesh.run(KEY, tags=tags, partitions=partition).success
    return result.cursor


def test_it_says_what_waits_and_since_when(items: TinyMesh) -> None:
    land(items, "2026-03-01", hours_ago=5)
    land(items, "2026-03-02", hours_ago=1)
    tick(items, run=False)
    (row,) = call("landing", "--json").json
    assert (row["product"], row["pending"], row["stuck"]) == (KEY, 2, 0)
    assert 5 * 3600 <= row["lag_seconds"] < 5 * 3600 + 120
    assert row["oldest"] == f"{KEY}/2026-03-01.csv"
    assert row["caught_up"] and row["sweep_round"] == 0 and row["queue"] is None
    shown = call("landing")
    assert KEY in shown.out and "5:00:" in shown.out
    one = call("landing", KEY)
    assert f"{KEY}/2026-03-02.csv" in one.out and "asked" in one.out and "lag 5:00:" in one.out


def test_what_is_ingested_does_not_wait(items: TinyMesh) -> None:
    land(items, "2026-03-01")
    tick(items)
    (row,) = call("landing", KEY, "--json").json
    assert (row["pending"], row["lag_seconds"], row["unprocessed"]) == (0, 0, [])


def test_a_product_is_ingested_again_after_a_reset(items: TinyMesh) -> None:
    land(items, "2026-03-01", "2026-03-02")
    cursor = tick(items)
    assert len(items.versions(KEY)) == 2
    done = call("landing", "reset", KEY)
    assert done.code == 0 and "2 objects are forgotten" in done.out
    cursor = tick(items, cursor=cursor)
    assert len(items.versions(KEY)) == 4
    tick(items, cursor=cursor)
    assert len(items.versions(KEY)) == 4


def test_from_a_key_on_and_one_object(items: TinyMesh) -> None:
    land(items, "2026-03-01", "2026-03-02", "2026-03-03")
    cursor = tick(items)
    assert "2 objects" in call("landing", "reset", KEY, "--from", f"{KEY}/2026-03-02").out
    cursor = tick(items, cursor=cursor)
    assert len(items.versions(KEY)) == 5
    one = f"{KEY}/2026-03-01.csv"
    assert f"{one} is ingested again" in call("landing", "reset", KEY, "--object", one).out
    assert "waits for its run already" in call("landing", "reset", KEY, "--object", one).out
    tick(items, cursor=cursor)
    assert len(items.versions(KEY)) == 6


def test_what_failed_is_tried_at_once_when_it_is_asked_for(items: TinyMesh) -> None:
    land(items, "2026-03-01", "2026-03-02")
    cursor = tick(items, run=False)
    ledger = Ledger(items.environment.state, KEY)
    for entry in ledger.questions.under_way():
        ledger.release(entry, failures=9, wait=timedelta(hours=6), state=State.STUCK)
    cursor = tick(items, cursor=cursor)
    assert not items.versions(KEY)
    assert call("landing", KEY, "--json").json[0]["stuck"] == 2
    # Asked of all products at once, as of one.
    told = call("status", "--json")
    (reason,) = [one for one in told.json[0]["health"]["reasons"] if one["failing"]]
    assert told.code == 1
    assert "every run of it ended without a result" in reason["reason"]
    (folder,) = [one for one in read_mesh(items.root).products if one.key == KEY]
    assert Observer(items.environment).observe(folder).health.failing
    assert "2 objects are tried again" in call("landing", "retry", KEY).out
    assert "0 objects are tried again" in call("landing", "retry", KEY).out
    tick(items, cursor=cursor)
    assert len(items.versions(KEY)) == 2


def test_a_name_that_nobody_can_use_keeps_no_other_object_back(items: TinyMesh) -> None:
    folder = land(items, "2026-03-01")[0].parent
    (folder / os.fsdecode(b"bad\xff.csv")).write_bytes(b"")
    (folder / "2026-03-02.csv").symlink_to("/etc/passwd")
    (folder / "bell\x07.csv").write_text("id")
    cursor = tick(items)
    assert len(items.versions(KEY)) == 1
    said = call("landing", KEY).out
    assert "is not UTF-8" in said and "leads out of the landing zone" in said
    assert "\\x07" in said and "\x07" not in said, "a terminal would ring"
    (folder / "2026-03-02.csv").unlink()
    land(items, "2026-03-02")
    tick(items, cursor=cursor)
    assert len(items.versions(KEY)) == 2


def test_a_tick_that_could_not_look_says_why(items: TinyMesh) -> None:
    file = items.environment.landing_zone.root / KEY
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("no folder")
    tick(items)
    assert "is a file; a landing prefix is a folder" in call("landing", KEY).out


def test_a_queue_and_a_bucket_that_are_not_there_are_said(production_mesh: TinyMesh) -> None:
    declared = {"landing": {"prefix": KEY, "format": "csv", "mode": "replace", "object": "*.csv"}}
    production_mesh.product(KEY, contract_text(KEY, [column("id")], properties=declared))
    told = {"MESH_LANDING_EVENTS": "sqs", "MESH_LANDING_QUEUE": "no-{domain}-{product}"}
    with environment(told):
        shown = call("landing")
        assert "shop/items: there is no queue no-shop-items" in shown.out
        assert call("landing", "--json").json[0]["queue_depth"] is None
    with environment({"MESH_LANDING": "s3://no-such-bucket/landing"}):
        call("landing").refused("NoSuchBucket", code=1)


def days_to_run(mesh: TinyMesh) -> list[str]:
    """The days that `mesh run` would ingest."""
    try:
        return [day for task in tasks_of(mesh.environment, KEY, None) for day in task.partitions]
    except UpToDate:
        return []


def test_mesh_run_and_the_sensor_know_of_each_other(items: TinyMesh) -> None:
    land(items, "2026-03-01")
    assert days_to_run(items) == ["2026-03-01"]
    assert items.run(KEY, partitions=["2026-03-01"]).success
    assert days_to_run(items) == []
    tick(items)
    assert len(items.versions(KEY)) == 1, "the sensor knows what mesh run ingested"
    call("landing", "reset", KEY)
    assert days_to_run(items) == ["2026-03-01"]


def test_wrong_use_is_said(items: TinyMesh) -> None:
    (file,) = land(items, "2026-03-01")
    key = f"{KEY}/2026-03-01.csv"
    call("landing", "shop/itms").refused("did you mean shop/items?")
    call("landing", "reset", KEY, "--object", "2026-03-01.csv").refused("is not below shop/items/")
    call("landing", "reset", KEY, "--object", key, "--from", key).refused("exclude each other")
    file.unlink()
    call("landing", "reset", KEY, "--object", key).refused("no such object", code=1)


def test_a_product_without_a_landing_is_said(mesh: TinyMesh) -> None:
    mesh.product(
        "shop/made",
        contract_text("shop/made", [column("id")]),
        "import pandas as pd\nfrom shared_resources import data_product\n\n@data_product()\n"
        "def made() -> pd.DataFrame:\n    return pd.DataFrame({'id': [1]})\n",
    )
    call("landing", "shop/made").refused("its contract has no landing")
    assert "no product is ingested" in call("landing").out
    assert call("landing", "--json").json == []
