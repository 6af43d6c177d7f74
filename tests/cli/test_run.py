"""`mesh run` in processes of its own: order, isolation, what is made again, how it ends."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.storage.partition_status_cache import (
    get_and_update_asset_status_cache_value,
)

from shared_resources.dagster_instance.asset_keys import asset_key
from shared_resources.dagster_instance.instance import open_instance
from shared_resources.mesh import read_mesh
from tests.cli.commands import (
    Called,
    call,
    interrupt_when,
    processes_of,
    readable,
    start,
    states,
)
from tests.guarantees.orders import (
    COLUMNS,
    DAILY,
    DAY,
    KEY,
    daily_orders_product,
    land_day,
    orders_product,
)
from tests.guarantees.orders import land_orders as land
from tests.stores.products import WHY
from tests.tiny_mesh import TinyMesh, contract_text

pytestmark = pytest.mark.slow  # each `mesh run` starts a process a domain

COPY = """
    import pandas as pd
    from shared_resources import data_product


    @data_product(orders="{upstream}")
    def copy(orders: pd.DataFrame) -> pd.DataFrame:
        {body}
        return orders
"""


KILL = """
    from pathlib import Path

    import pandas as pd
    import psutil

    from shared_resources import data_product


    @data_product(orders="dying/first")
    def kill(orders: pd.DataFrame) -> pd.DataFrame:
        process = psutil.Process(int(Path({file!r}).read_text()))
        process.kill()
        process.wait(60)
        return orders
"""


def copied(mesh: TinyMesh, key: str, upstream: str, body: str = "pass") -> None:
    mesh.product(key, contract_text(key, COLUMNS), COPY.format(upstream=upstream, body=body))


def made(mesh: TinyMesh, key: str, *body: str) -> None:
    """A product without inputs, whose function runs `body` before it returns two orders."""
    lines = "\n".join(f"    {line}" for line in body)
    code = (
        "import os\nimport time\nfrom pathlib import Path\n\n"
        "import pyarrow as pa\n\nfrom shared_resources import data_product\n\n\n"
        f"@data_product\ndef make() -> pa.Table:\n{lines}\n"
        '    return pa.table({"order_id": [1, 2], "amount": [1.0, 2.0]})\n'
    )
    mesh.product(key, contract_text(key, COLUMNS), code)


def test_what_is_unchanged_is_not_made_and_no_location_is_loaded(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land(mesh, [1.0, 2.0])
    copied(mesh, "finance/revenue", KEY)
    assert states(start("run", "--json")) == {KEY: "published", "finance/revenue": "published"}
    logs = mesh.environment.home / "logs"
    for log in logs.iterdir():
        log.unlink()

    second = start("run", "--json")

    assert (second.code, set(states(second).values())) == (0, {"unchanged"})
    assert "its code and its contract are as they were" in second.err
    assert list(logs.iterdir()) == [], "no process was started"
    asked = start("run", "finance", "--again", "--json")
    assert states(asked) == {"finance/revenue": "published"}
    # A location that does not load any more is told all the same.
    definitions = mesh.root / "domains/finance/definitions.py"
    definitions.write_text("import nothing_of_that_name\n" + definitions.read_text())
    broken = start("run", "--json")
    assert states(broken) == {KEY: "unchanged", "finance/revenue": "failed"}


def test_products_follow_their_producers_across_domains_and_are_recorded_in_dagster(
    mesh: TinyMesh,
) -> None:
    orders_product(mesh)
    land(mesh, [1.0, 2.0])
    copied(mesh, "finance/revenue", KEY)
    copied(mesh, "board/report", "finance/revenue")
    copied(mesh, "sales/other", KEY)

    done = start("run", "+board/report", "--json", "--jobs", 1)

    assert done.code == 0, done.err
    assert list(done.json["products"]) == [KEY, "finance/revenue", "board/report"]
    assert set(states(done).values()) == {"published"}
    entry = done.json["products"]["board/report"]
    assert (entry["rows"], entry["version"]) == (2, 1)
    assert "3 published, 0 unchanged, 0 failed, 0 held" in done.err
    assert mesh.rows("board/report") == mesh.rows(KEY)
    with open_instance(mesh.environment) as instance:
        run = instance.get_run_by_id(entry["run_id"])
        assert run is not None and run.status is dg.DagsterRunStatus.SUCCESS
        assert run.remote_job_origin is not None
        assert run.remote_job_origin.location_name == "board"
        key = dg.AssetKey(["board", "report"])
        assert instance.get_latest_materialization_event(key) is not None


def test_a_product_with_nothing_new_is_brought_level_in_its_stores(mesh: TinyMesh) -> None:
    """A process died between the commits of the two."""
    text = contract_text(KEY, (*COLUMNS, DAY), servers=("lake", "warehouse"), properties=DAILY)
    mesh.product(KEY, text)
    for day in ("2024-01-01", "2024-01-02"):
        land_day(mesh, day, [1.0])
        assert mesh.run(KEY, partitions=[day]).success
    (folder,) = read_mesh(mesh.root).products
    assert folder.contract is not None
    lake, warehouse = mesh.environment.stores_of(folder.contract)
    lake.rollback(folder.contract, 1, WHY, batch_id="died")

    done = start("run", "--json")

    assert states(done) == {KEY: "unchanged"}
    told = done.json["products"][KEY]["message"]
    assert told == "nothing new has landed; the warehouse got what the lake has"
    assert warehouse.open(KEY).version.rows == lake.open(KEY).version.rows == 1


def test_a_failing_domain_holds_its_consumers_and_stops_nobody_else(mesh: TinyMesh) -> None:
    orders_product(mesh)
    land(mesh, [1.0])
    copied(mesh, "finance/revenue", KEY, 'raise ValueError("no such rate")')
    copied(mesh, "board/report", "finance/revenue")
    copied(mesh, "board/pack", "board/report")
    made(mesh, "unloadable/first")
    code = mesh.root / "domains/unloadable/products/first/product.py"
    code.write_text("import nothing_of_that_name\n" + code.read_text())
    copied(mesh, "unloadable/second", "unloadable/first")
    copied(mesh, "partner/feed", "unloadable/second")
    made(mesh, "dying/now", "os._exit(7)")
    made(mesh, "dying/after")
    broken = mesh.product("torn/rows", contract_text("torn/rows", COLUMNS) + "colour: blue\n")

    done = start("run", "--json")

    assert done.code == 1
    readable(done.err)
    assert states(done) == {
        KEY: "published",
        "finance/revenue": "failed",
        "board/report": "held",
        "board/pack": "held",
        "unloadable/first": "failed",
        "unloadable/second": "held",
        "partner/feed": "held",
        "dying/now": "failed",
        "dying/after": "published",
        "torn/rows": "failed",
    }
    said = {key: entry.get("message", "") for key, entry in done.json["products"].items()}
    assert said["finance/revenue"].startswith("ValueError: no such rate (")
    assert "finance/products/revenue/product.py:8)" in said["finance/revenue"]
    assert said["board/pack"] == "waits for finance/revenue"
    assert "its process died (exit 7); see " in said["dying/now"]
    assert f"{broken / 'contract.odcs.yaml'}:" in said["torn/rows"]
    assert "colour" in said["torn/rows"]
    assert said["unloadable/second"] == "waits for unloadable/first"
    assert f"{code}:1: " in said["unloadable/first"]
    assert "nothing_of_that_name" in said["unloadable/first"]
    assert "10/10" in done.err and "11/10" not in done.err


def test_only_new_days_are_made_and_asked_ones_again(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    for day, amount in (("2024-01-01", 1.0), ("2024-01-02", -2.0), ("2024-01-04", 4.0)):
        land_day(mesh, day, [amount])

    first = start("run", "--json")

    # The bad day is refused; the day after the gap is a range of its own and is made all the same.
    assert states(first) == {KEY: "failed"}
    assert "2024-01-02" in first.json["products"][KEY]["message"]
    assert sorted(row["amount"] for row in mesh.rows(KEY)) == [1.0, 4.0]
    # What was published is told as such, by day.
    assert first.json["products"][KEY]["published"] == ["2024-01-01", "2024-01-04"]
    assert "published all the same: 2024-01-01, 2024-01-04" in first.err
    assert "1 failed (1 published in part)" in first.err
    assert red_days(mesh) == {"2024-01-02"}

    again = start("run", "--json")
    assert (again.code, states(again)) == (0, {KEY: "unchanged"})
    assert "nothing new has landed" in again.err
    assert "still holes: 2024-01-02 was refused" in again.err
    assert "2024-01-02 was refused" in again.json["products"][KEY]["message"]

    land_day(mesh, "2024-01-02", [2.0])
    mended = start("run", "order", "--json")
    assert (mended.code, states(mended)) == (0, {KEY: "published"})
    assert sorted(row["amount"] for row in mesh.rows(KEY)) == [1.0, 2.0, 4.0]
    assert red_days(mesh) == set()
    before = mesh.versions(KEY)[-1].number
    asked = start("run", KEY, "--partitions", "2024-01-01..2024-01-02", "--json")
    assert (asked.code, states(asked)) == (0, {KEY: "published"})
    assert mesh.versions(KEY)[-1].number == before + 1

    missing = start("run", "--partitions", "2024-01-03", "--json")
    assert "nothing has landed for partition 2024-01-03" in missing.json["products"][KEY]["message"]
    assert red_days(mesh) == {"2024-01-03"}


def red_days(mesh: TinyMesh) -> set[str]:
    """The days that the UI shows as failed."""
    key = asset_key(KEY)
    days = mesh.definitions("order").get_assets_def(key).partitions_def
    assert days is not None
    with open_instance(mesh.environment) as instance:
        status = get_and_update_asset_status_cache_value(instance, key, days)
    assert status is not None
    return set(status.deserialize_failed_partition_subsets(days).get_partition_keys())


@pytest.mark.parametrize("daily", [False, True], ids=["replace", "partition"])
def test_nothing_landed_is_the_same_in_either_mode(mesh: TinyMesh, daily: bool) -> None:
    if daily:
        daily_orders_product(mesh)
    else:
        orders_product(mesh)
    first = start("run", "--json")
    assert (first.code, states(first)) == (1, {KEY: "failed"})
    assert "nothing has landed; looked for order/orders/" in first.err
    (row,) = call("status", "--json").json
    assert (row["health"]["state"], row["health"]["reasons"][0]["failing"]) == ("holes", True)

    if daily:
        land_day(mesh, "2024-01-01", [1.0])
    else:
        land(mesh, [1.0])
    assert states(start("run", "--json")) == {KEY: "published"}
    assert call("status", "--json").code == 0
    for object_ in (mesh.environment.home / "landing" / KEY).iterdir():
        object_.unlink()

    after = start("run", "--json")
    assert (after.code, states(after)) == (0, {KEY: "unchanged"})


def test_a_product_whose_process_died_is_made_by_the_next_run(mesh: TinyMesh) -> None:
    flag = mesh.environment.home / "die"
    made(mesh, "dying/now", f"if Path({str(flag)!r}).exists():", "    os._exit(9)")
    flag.parent.mkdir(parents=True, exist_ok=True)
    flag.touch()
    assert states(start("run", "--json")) == {"dying/now": "failed"}
    flag.unlink()
    told = call("status", "--json")
    (row,) = told.json
    assert (told.code, row["health"]["state"]) == (1, "crashed")
    assert "the process of run" in row["health"]["reasons"][0]["reason"]

    assert states(start("run", "--json")) == {"dying/now": "published"}

    assert call("status").code == 0
    with open_instance(mesh.environment) as instance:
        found = [run.status for run in instance.get_runs()]
    assert found == [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


def test_an_object_at_which_the_process_breaks_down_is_read_apart_by_the_same_run(
    mesh: TinyMesh,
) -> None:
    """In this mesh every Parquet object but one apart ends the process that reads it: the domain's
    location sees to that, which no process that reads an object apart loads."""
    deadly = """
import os
import signal
import sys
import threading
import time


def end(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def watch() -> None:
    name = "shared_resources.landing.formats.parquet.reader"
    while not hasattr(sys.modules.get(name), "READER"):
        time.sleep(0.0005)
    type(sys.modules[name].READER).stage = end


threading.Thread(target=watch, daemon=True).start()
"""
    orders_product(mesh)
    definitions = mesh.root / "domains" / "order" / "definitions.py"
    definitions.write_text(definitions.read_text() + deadly)
    land(mesh, [1.0, 2.0])

    done = start("run", KEY, "--json")

    assert (done.code, states(done)) == (0, {KEY: "published"}), done.err
    assert f"{KEY} begins again: its process broke down" in done.err
    assert [row["amount"] for row in mesh.rows(KEY)] == [1.0, 2.0]


def test_a_process_that_dies_between_two_products_is_replaced(mesh: TinyMesh) -> None:
    its_number = str(mesh.environment.home / "number")
    made(mesh, "dying/first", f"Path({its_number!r}).write_text(str(os.getpid()))")
    code = KILL.format(file=its_number)
    mesh.product("between/kills", contract_text("between/kills", COLUMNS), code)
    copied(mesh, "dying/last", "between/kills")

    done = start("run", "--json")

    assert done.code == 0, done.err
    assert states(done)["dying/last"] == "published"


def test_ctrl_c_ends_it_with_one_word_and_leaves_no_process(mesh: TinyMesh) -> None:
    began = mesh.environment.home / "began"
    made(mesh, "slow/one", f"Path({str(began)!r}).touch()", "time.sleep(600)")
    copied(mesh, "other/one", "slow/one")

    stopped = interrupt_when(began, "run")

    assert stopped.code == 1
    assert stopped.err.strip().endswith("stopped")
    readable(stopped.err)
    assert processes_of(mesh.environment.home) == []
    with open_instance(mesh.environment) as instance:
        (run,) = instance.get_runs()
    assert run.is_finished


def test_many_processes_open_a_new_instance_at_once(mesh: TinyMesh) -> None:
    """Dagster would let each create the tables, and refuse the instance ever after."""
    for number in range(6):
        made(mesh, f"domain{number}/one")
    done = start("run", "--json", "--jobs", 6)
    assert set(states(done).values()) == {"published"}, done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ordr"], "did you mean order?"),
        (["order/ordes"], "did you mean order/orders?"),
        (["+order/ordes"], "did you mean order/orders?"),
        (["order", "--partitions", "yesterday"], "'yesterday' is no day or range of days"),
        (["--partitions", "2024-02-01..2024-01-01"], "is no day or range of days"),
        (["--jobs", "many"], "--jobs"),
        (["--partition"], "--partitions"),
    ],
)
def test_wrong_use_is_told_before_anything_starts(
    mesh: TinyMesh, arguments: list[str], said: str
) -> None:
    orders_product(mesh)
    called: Called = call("run", *arguments)
    called.refused(said)
    assert not mesh.environment.dagster.exists()
