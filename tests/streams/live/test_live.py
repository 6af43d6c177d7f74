"""Served rows follow messages: which, with what rights, from where on, and what they fall back to."""

from __future__ import annotations

import gc
import json
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.access.grants import NoAgreement
from shared_resources.access.log import log_of
from shared_resources.data_products.function import ProductProblem, live
from shared_resources.environment import EnvironmentProblem
from shared_resources.serving_ports.following import bring_level
from shared_resources.serving_ports.live_position import LivePosition
from shared_resources.streams.live import process
from shared_resources.streams.live.granted import NoStream
from shared_resources.streams.live.making import LiveProblem
from shared_resources.streams.live.process import LiveProcess, NoLiveRows
from tests.streams import receipts
from tests.streams.live.made import (
    CODE,
    STREAM,
    TAKINGS,
    definition,
    follow,
    publish,
    publish_receipts,
    send,
    served,
    shop,
    takings_contract,
)


def current(mesh):
    return mesh.environment.serving_port.current(TAKINGS)


def test_rows_follow_messages_and_go_on_where_they_were(mesh):
    shop(mesh)
    assert served(mesh, "one") == (0, 0.0) and current(mesh).position is None
    send(mesh, (1, "one", 2.5), (2, "two", 1.0), (3, "one", 0.5))
    follow(mesh)
    assert served(mesh, "one") == (2, 3.0) and served(mesh, "two") == (1, 1.0)
    send(mesh, (4, "one", 1.0), (5, "three", 7.0))
    follow(mesh)
    assert served(mesh, "one") == (3, 4.0)
    assert served(mesh, "three") == (1, 7.0), "a key that the version does not have"
    held = current(mesh)
    at = LivePosition.of(held.note)
    assert held.position == 5 and at.positions == mesh.environment.log.topic("receipts").ends
    assert at.age() < 600 and at.topic == "receipts"


def test_nothing_is_kept_from_the_collector_once_it_has_ended(mesh):
    shop(mesh)
    follow(mesh)
    assert gc.get_freeze_count() == 0, (
        "libraries say of what is frozen as Python ends that it leaked"
    )


def test_the_position_says_what_is_in_though_it_changes_no_row(mesh):
    shop(mesh, code=CODE.replace("changed = {}", "rows, changed = rows.head(0), {}"))
    send(mesh, (1, "one", 1.0))
    follow(mesh)
    send(mesh, (2, "two", 1.0))
    publish_receipts(mesh)
    assert current(mesh).position == 1
    told = follow(mesh)
    assert current(mesh).position == 2
    assert told[-1].endswith(
        "is level with its topic: 0 messages, of which 0 broke their contract; 0 rows written"
    )


def test_who_waits_for_another_process_says_so_and_can_be_ended(mesh, monkeypatch):
    shop(mesh)
    monkeypatch.setattr(process, "_TURN", 0.05)
    told = []
    waiting = LiveProcess(mesh.environment, definition(mesh), lambda: bool(told), told.append)
    with mesh.environment.state.lock(f"live/{TAKINGS}"):
        waiting.run()
    assert told == [f"{TAKINGS}: another process of it is at work; it waits until that ends"]
    assert current(mesh).position is None


def test_what_breaks_the_streams_contract_changes_nothing(mesh):
    shop(mesh)
    send(mesh, (1, "one", 1.0), (2, "one", -1.0))
    receipts.send(mesh, [b"{", {"receipt_id": "x", "till": "one", "paid": 1}, None])
    follow(mesh)
    assert served(mesh, "one") == (1, 1.0)
    assert current(mesh).position == 5


@pytest.mark.slow
def test_a_row_that_breaks_the_products_own_rules_is_never_written(mesh, monkeypatch):
    shop(mesh)
    monkeypatch.setattr(process, "LOOKS_EACH", 0.0)
    send(mesh, (1, "one", 999.0), (2, "two", 1.0))
    follow(mesh)
    send(mesh, (3, "one", 999.0), (4, "two", 1.0))
    told = []
    stop = threading.Event()
    made = definition(mesh)
    done = threading.Thread(
        target=LiveProcess(mesh.environment, made, stop.is_set, told.append).run
    )
    done.start()
    wait_until(lambda: any("not written" in one for one in told))
    stop.set()
    done.join()
    assert served(mesh, "one") == (1, 999.0), "the row of before stays"
    assert served(mesh, "two") == (2, 2.0)
    assert any("not written: 1 broke range_paid" in one for one in told)


def test_another_version_is_brought_level_from_what_is_published_and_what_is_not(mesh):
    shop(mesh)
    send(mesh, (1, "one", 1.0))
    publish_receipts(mesh)
    send(mesh, (2, "one", 1.0))
    follow(mesh)
    assert served(mesh, "one") == (2, 2.0)
    publish(mesh, ["one", "two", "four"])
    assert served(mesh, "one") == (0, 0.0) and current(mesh).position is None
    follow(mesh)
    assert served(mesh, "one") == (2, 2.0) and served(mesh, "four") == (0, 0.0)


@pytest.mark.slow
def test_a_process_that_runs_notices_another_version_by_itself(mesh, monkeypatch):
    shop(mesh)
    monkeypatch.setattr(process, "LOOKS_EACH", 0.0)
    send(mesh, (1, "one", 1.0))
    stop = threading.Event()
    made = definition(mesh)
    running = threading.Thread(target=LiveProcess(mesh.environment, made, stop.is_set).run)
    running.start()
    try:
        wait_until(lambda: served(mesh, "one") == (1, 1.0))
        publish(mesh, ["one", "two", "three"])
        wait_until(lambda: served(mesh, "one") == (1, 1.0) and served(mesh, "three") == (0, 0.0))
    finally:
        stop.set()
        running.join()


@pytest.mark.slow
def test_messages_that_were_published_meanwhile_are_not_lost_to_who_was_away(mesh):
    shop(mesh)
    send(mesh, (1, "one", 1.0))
    follow(mesh)
    send(mesh, (2, "one", 1.0), (3, "two", 1.0))
    publish_receipts(mesh)
    follow(mesh)
    assert served(mesh, "one") == (2, 2.0) and served(mesh, "two") == (1, 1.0)


@pytest.mark.slow
def test_a_topic_that_was_made_anew_is_followed_from_its_beginning(mesh):
    shop(mesh)
    send(mesh, (1, "one", 1.0), (2, "one", 1.0))
    follow(mesh)
    mesh.environment.log.delete("receipts")
    mesh.environment.log.create("receipts", 2)
    send(mesh, (9, "two", 4.0))
    follow(mesh)
    assert served(mesh, "two") == (1, 4.0)
    assert current(mesh).position == 3, "it never goes back"


@pytest.mark.slow
def test_a_stale_version_is_served_as_it_was_published(mesh, monkeypatch):
    shop(mesh)
    send(mesh, (1, "one", 1.0))
    follow(mesh)

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + timedelta(days=3)

    monkeypatch.setattr(process, "datetime", Later)
    told = []
    stop = threading.Event()
    running = threading.Thread(
        target=LiveProcess(mesh.environment, definition(mesh), stop.is_set, told.append).run
    )
    running.start()
    wait_until(lambda: served(mesh, "one") == (0, 0.0))
    stop.set()
    running.join()
    assert current(mesh).position is None
    assert any("older than the contract's latency" in one for one in told)


@pytest.mark.slow
def test_who_was_overtaken_writes_nothing_and_begins_again(mesh):
    shop(mesh, partitions=1)
    send(mesh, (1, "one", 1.0))
    told = []

    def another_writes(at):
        if at.positions == {0: 1}:
            held = current(mesh)
            port = mesh.environment.serving_port
            port.upsert(held.generation, {}, held.position + 5, after=held.position, note=held.note)
            send(mesh, (2, "one", 1.0))

    one = LiveProcess(
        mesh.environment, definition(mesh), lambda: False, told.append, another_writes
    )
    one.run({0: 2})
    assert served(mesh, "one") == (2, 2.0)
    assert any("another process has written since" in said for said in told)
    assert current(mesh).position == 7


def test_no_agreement_no_rows_and_what_it_grants_holds_for_messages(mesh):
    shop(mesh)
    purposes = {"campaigns": {"description": "To plan.", "classifications": ["public", "internal"]}}
    mesh.central(open=[], purposes=purposes)
    with pytest.raises(NoAgreement, match="crm/takings may not read shop/receipts"):
        follow(mesh)
    roles = {
        "roles": [
            {
                "role": "small",
                "description": "Receipts of small amounts.",
                "customProperties": [
                    {
                        "property": "columns",
                        "vendor": "mesh",
                        "value": ["receipt_id", "till", "paid"],
                    },
                    {"property": "rows", "vendor": "mesh", "value": "paid < 5"},
                ],
            }
        ]
    }
    folder = mesh.product(STREAM, receipts.contract() + json_as_yaml(roles))
    agree(folder, "small")
    send(mesh, (1, "one", 1.0), (2, "one", 50.0))
    follow(mesh)
    assert served(mesh, "one") == (1, 1.0)
    readings = log_of(
        mesh.environment.home_of_readers, mesh.environment.shared_access_log
    ).readings(STREAM)
    read = [one for one in readings if one.store == "log"]
    assert (
        read
        and read[-1].purpose == "campaigns"
        and read[-1].columns == ("receipt_id", "till", "paid")
        and read[-1].rows == 1
    )


@pytest.mark.slow
def test_what_cannot_follow_is_told(mesh):
    shop(mesh)
    with pytest.raises(NoLiveRows, match="crm/tills has no live rows"):
        LiveProcess(mesh.environment, definition(mesh, "crm/tills"), lambda: True).run()
    mesh.product(TAKINGS, takings_contract(), CODE.replace("shop/receipts", "crm/tills"))
    with pytest.raises(NoStream, match="crm/tills is made of no topic"):
        follow(mesh)
    text = takings_contract().replace("- server: serving\n  type: custom\n", "")
    without = text[: text.index("  customProperties")] + text[text.index("slaProperties") :]
    mesh.product(TAKINGS, without, CODE)
    with pytest.raises(EnvironmentProblem, match="is served by its key nowhere"):
        follow(mesh)


@pytest.mark.slow
@pytest.mark.parametrize(
    "returned, said",
    [
        ("None", "returned a NoneType"),
        ("rows", "returned other columns than the contract's"),
        ("1 / 0", "raised ZeroDivisionError"),
        ("int(rows['till'][0]) if rows.height else rows", "raised ValueError"),
    ],
)
def test_what_the_code_gets_wrong_is_told_without_its_values(mesh, returned, said):
    code = CODE[: CODE.index("            changed = {}")] + f"            return {returned}\n"
    shop(mesh, code=code)
    send(mesh, (1, "one", 1.0))
    with pytest.raises(LiveProblem, match=said) as problem:
        follow(mesh)
    assert "'one'" not in str(problem.value) and problem.value.__context__ is None
    assert served(mesh, "one") == (0, 0.0)


@pytest.mark.slow
def test_a_class_that_cannot_follow_is_refused_where_it_stands(mesh):
    with pytest.raises(ProductProblem, match="no product key"):
        live(of="receipts")
    with pytest.raises(ProductProblem, match="has no method update"):
        live(of=STREAM)(type("Nothing", (), {}))
    shop(mesh)
    mesh.product(
        TAKINGS,
        takings_contract(),
        CODE.replace("tills: pl.DataFrame) -> None", "others: int) -> None"),
    )
    with pytest.raises(ProductProblem, match="takes others, which @data_product does not name"):
        definition(mesh)
    twice = CODE + CODE[CODE.index("    @live") :].replace("class Following", "class Other")
    mesh.product(TAKINGS, takings_contract(), twice)
    with pytest.raises(ProductProblem, match="holds 2 classes with @live"):
        definition(mesh)


@pytest.mark.slow
def test_it_waits_for_a_version_and_for_a_topic(mesh):
    shop(mesh)
    mesh.environment.log.delete("receipts")
    told = []
    stop = threading.Event()
    running = threading.Thread(
        target=LiveProcess(mesh.environment, definition(mesh), stop.is_set, told.append).run
    )
    running.start()
    wait_until(lambda: any("nobody has made the topic receipts" in one for one in told))
    mesh.environment.serving_port.forget(TAKINGS)
    wait_until(lambda: any("no version of crm/takings is served yet" in one for one in told))
    bring_level(mesh.environment, definition(mesh).contract)
    mesh.environment.log.create("receipts", 1)
    send(mesh, (1, "one", 1.0))
    wait_until(lambda: served(mesh, "one") == (1, 1.0))
    stop.set()
    running.join()


def test_a_note_that_is_not_ours_is_no_position():
    assert LivePosition.of("") is None and LivePosition.of("[1]") is None
    assert LivePosition.of('{"next": 3}') is None


def wait_until(holds, seconds=60.0):
    ends = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < ends, "it never came to that"
        time.sleep(0.02)


def json_as_yaml(said):
    return json.dumps(said)[1:-1].replace('"roles":', "roles:") + "\n"


def agree(folder, role):
    text = f"""
apiVersion: v0.9.0
kind: AccessAgreement
id: 00000000-0000-4000-8000-000000000001
status: approved
description: {{purpose: campaigns, usage: To try it.}}
provider:
  teamId: shop
  dataProductId: receipts
  outputPortId: receipts
  dataContractId: shop-receipts
  dataContractVersion: 1.0.0
consumer: {{teamId: crm}}
roles: [{{role: {role}}}]
customProperties:
  - {{property: decidedBy, vendor: mesh, value: shop@example.com}}
  - {{property: decidedAt, vendor: mesh, value: '2026-01-01T00:00:00Z'}}
"""
    (folder / "agreements").mkdir(exist_ok=True)
    (folder / "agreements" / "crm.oaas.yaml").write_text(text)
