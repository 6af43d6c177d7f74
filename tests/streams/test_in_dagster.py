"""What Dagster and people are told of a stream, whose process waits for neither."""

import json
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from shared_resources.data_products import publishing
from shared_resources.data_products.definition import define_product
from shared_resources.locations.sensing import stream_sensor
from shared_resources.mesh import read_whole_mesh
from shared_resources.observing import messages_waiting
from shared_resources.observing.health import Kind
from shared_resources.observing.product_health import Observer
from shared_resources.running.pending import UpToDate, tasks_of
from shared_resources.state.attempt import OF_A_STREAM
from shared_resources.streams import draining
from shared_resources.streams.log.port import LogProblem
from shared_resources.streams.process import StreamProcess
from tests.cli.commands import call
from tests.streams.receipts import PRODUCT, contract, receipt, send


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract())
    return mesh


def made(mesh):
    read = read_whole_mesh(mesh.environment)
    return define_product(mesh.environment, read.domain("shop"), read.product(PRODUCT))


def commit(mesh, values):
    send(mesh, values)
    ends = mesh.environment.log.topic("receipts").ends
    StreamProcess(mesh.environment, made(mesh), f"{OF_A_STREAM}r", lambda: False).run(ends)


def tick(mesh, cursor=None):
    definitions = mesh.definitions("shop")
    [sensor] = [one for one in definitions.sensors if one.name == "shop_streams"]
    context = dg.build_sensor_context(
        instance=mesh.instance, cursor=cursor, definitions=definitions
    )
    return sensor.evaluate_tick(context)


def test_the_newest_version_is_told_once_with_its_offsets_and_checks(shop):
    commit(shop, [receipt(1), b"broken"])
    commit(shop, [receipt(2), receipt(3)])
    first = tick(shop)
    [told] = [one for one in first.asset_events if isinstance(one, dg.AssetMaterialization)]
    assert told.metadata["version"].value == 2
    assert told.metadata["offsets"].value == {"0": 4}
    assert told.metadata["dagster/row_count"].value == 3
    checks = {one.check_name: one.passed for one in first.asset_events if one is not told}
    assert checks["parse"] and checks["mesh_health"]
    assert tick(shop, first.cursor).asset_events == []
    commit(shop, [receipt(4)])
    [again] = [
        one
        for one in tick(shop, first.cursor).asset_events
        if isinstance(one, dg.AssetMaterialization)
    ]
    assert again.metadata["versions since the last one here"].value == 1
    assert again.metadata["messages rejected"].value == 0


def test_a_topic_without_a_version_tells_nothing(shop):
    assert tick(shop).asset_events == []


def test_a_run_takes_what_is_there_and_says_how_far_it_is(shop):
    send(shop, [receipt(1)])
    result = shop.run(PRODUCT)
    [event] = result.asset_materializations_for_node("shop__receipts")
    assert event.metadata["messages"].value == 1
    assert event.metadata["windows in this run"].value == 1


def health(mesh):
    return Observer(mesh.environment).observe_contract(made(mesh).contract).health


def test_health_says_what_waits_when_nothing_was_committed_for_a_while(shop, monkeypatch):
    commit(shop, [receipt(1)])
    send(shop, [receipt(2), receipt(3)])
    assert health(shop).reasons == ()

    class Later(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(UTC) + timedelta(minutes=2)

    monkeypatch.setattr(messages_waiting, "datetime", Later)
    [reason] = health(shop).reasons
    assert reason.kind is Kind.BEHIND
    assert "up to 2 messages of receipts wait" in reason.reason


def test_a_window_that_was_refused_whole_is_a_reason_until_it_is_settled(shop):
    commit(shop, [receipt(1)])
    commit(shop, [b"one", b"two", receipt(2)])
    [reason] = health(shop).reasons
    assert reason.failing
    [entry] = [one for one in shop.environment.quarantine.list(PRODUCT) if one.open]
    assert entry.kind == "window"
    assert reason.kind is Kind.HOLES
    assert "3 messages are lacking: a window of shop/receipts was refused whole" in reason.reason
    assert f"`mesh quarantine replay {entry.id}`" in reason.remedy
    commit(shop, [receipt(3)])  # the stream goes on, and brings nothing of it
    assert health(shop).reasons == (reason,)
    shop.environment.quarantine.close(entry.id, by="me", reason="a test of the till")
    assert health(shop).reasons == ()


def test_what_a_run_failed_of_is_told_until_the_process_of_the_stream_makes_the_product(shop):
    log = shop.environment.log
    log.delete("receipts")
    assert not shop.run(PRODUCT).success
    reasons = [one.reason for one in health(shop).reasons]
    assert any("there is no topic 'receipts' in" in one for one in reasons)
    assert not any("cannot be read (LogProblem" in one for one in reasons)
    log.create("receipts", 1)
    commit(shop, [receipt(1)])  # as `mesh stream` does, which is no run of Dagster's
    assert health(shop).reasons == ()


def test_a_topic_that_nobody_has_made_yet_is_nothing_to_take_and_no_failure(mesh):
    """Who produces makes it; one that is gone is another matter."""
    mesh.product(PRODUCT, contract())
    with pytest.raises(UpToDate, match="nobody has made its topic receipts yet"):
        tasks_of(mesh.environment, PRODUCT, None)
    assert [one.kind for one in health(mesh).reasons] == [Kind.NEVER]
    mesh.environment.log.create("receipts", 1)
    commit(mesh, [receipt(1)])
    mesh.environment.log.delete("receipts")
    with pytest.raises(LogProblem, match="there is no topic"):
        tasks_of(mesh.environment, PRODUCT, None)


def materializations(result):
    return [one for one in result.asset_events if isinstance(one, dg.AssetMaterialization)]


def evaluations(result, name="mesh_health"):
    checks = [one for one in result.asset_events if isinstance(one, dg.AssetCheckEvaluation)]
    return [one for one in checks if one.check_name == name]


def later(monkeypatch, **by):
    """The sensor, and health, so much later."""

    class Later(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(UTC) + timedelta(**by)

    monkeypatch.setattr(messages_waiting, "datetime", Later)
    monkeypatch.setattr(stream_sensor, "datetime", Later)


def test_a_thousand_windows_since_the_last_tick_are_one_materialization_that_counts_them(shop):
    commit(shop, [receipt(0)])
    first = tick(shop)
    for number in range(1, 8):
        commit(shop, [receipt(number), b"broken"])
    send(shop, [receipt(9), receipt(10)])
    [told] = materializations(second := tick(shop, first.cursor))
    assert told.metadata["version"].value == 8
    assert told.metadata["versions since the last one here"].value == 7
    assert told.metadata["messages in these"].value == 14
    assert told.metadata["messages rejected of these"].value == 7
    assert told.metadata["messages"].value == 2  # of the version itself
    assert told.metadata["messages waiting"].value == 2
    assert materializations(tick(shop, second.cursor)) == []


@pytest.mark.parametrize("cursor", ["not json", "[1]", '{"shop/receipts": 7}', '{"gone/away": {}}'])
def test_a_cursor_that_is_none_costs_nothing_but_that_the_newest_version_is_told(shop, cursor):
    commit(shop, [receipt(1)])
    result = tick(shop, cursor)
    assert [one.metadata["version"].value for one in materializations(result)] == [1]
    assert set(json.loads(result.cursor)) == {PRODUCT}


def test_what_a_run_has_told_is_not_told_again(shop):
    commit(shop, [receipt(1)])
    first = tick(shop)
    send(shop, [receipt(2)])
    assert shop.run(PRODUCT).success
    assert materializations(second := tick(shop, first.cursor)) == []
    assert json.loads(second.cursor)[PRODUCT]["version"] == 2
    assert materializations(tick(shop)) == []  # under a cursor that was cleared


def test_a_product_that_was_made_anew_is_told_although_its_number_is_known(shop):
    commit(shop, [receipt(1)])
    cursor = json.loads(tick(shop).cursor)
    cursor[PRODUCT] |= {"version": 1, "published": "2020-01-01T00:00:00+00:00"}
    [told] = materializations(tick(shop, json.dumps(cursor)))
    assert told.metadata["version"].value == 1
    cursor[PRODUCT]["version"] = 5
    [told] = materializations(tick(shop, json.dumps(cursor)))
    assert "versions since the last one here" not in told.metadata


def test_a_rollback_is_told_as_the_version_that_it_is(shop):
    commit(shop, [receipt(1)])
    commit(shop, [receipt(2)])
    first = tick(shop)
    publishing.rollback(shop.environment, made(shop).contract, 1, by="us")
    [told] = materializations(tick(shop, first.cursor))
    assert told.metadata["version"].value == 3
    assert told.metadata["offsets"].value == {"0": 1}
    assert told.metadata["messages waiting"].value == 1


def test_that_a_process_died_is_told_although_there_is_no_new_version(shop, monkeypatch):
    commit(shop, [receipt(1)])
    first = tick(shop)
    assert [one.passed for one in evaluations(first)] == [True]
    send(shop, [receipt(2)])
    assert tick(shop, first.cursor).asset_events == []
    later(monkeypatch, minutes=2)
    second = tick(shop, first.cursor)
    [told] = evaluations(second)
    assert told.metadata["state"].value == "behind"
    assert "up to 1 messages of receipts wait" in told.metadata["reason 1"].value
    send(shop, [receipt(3)])
    later(monkeypatch, minutes=4)
    third = tick(shop, second.cursor)
    assert third.asset_events == []  # it is behind as before, by more
    assert "up to 2 messages of receipts wait" in third.skip_message
    shop.environment.log.delete("receipts")
    shop.environment.log.create("receipts", 1)
    later(monkeypatch, minutes=6)
    [told] = evaluations(tick(shop, third.cursor))
    assert not told.passed
    assert "the topic was deleted and made anew" in told.description


def test_a_log_that_does_not_answer_keeps_no_version_from_being_told(shop):
    commit(shop, [receipt(1)])
    shop.environment.log.delete("receipts")
    result = tick(shop)
    [told] = materializations(result)
    assert "messages waiting" not in told.metadata
    assert [one.passed for one in evaluations(result)] == [False]


def test_a_tick_without_news_says_what_it_has_seen(shop):
    result = tick(shop)
    assert tick(shop, result.cursor).skip_message == "receipts: no version yet (nothing new)"
    commit(shop, [receipt(1)])
    result = tick(shop, result.cursor)
    assert result.skip_message == "receipts: version 1 (told), whole"
    assert tick(shop).skip_message == "receipts: version 1 (told), whole"  # nobody recorded it here


def test_the_status_says_how_far_a_stream_is_and_what_waits(shop):
    commit(shop, [receipt(1), receipt(2)])
    send(shop, [receipt(3)])
    [row] = call("status", "--json").json
    assert row["stream"] == {"topic": "receipts", "positions": {"0": 2}, "waiting": 1}
    assert f"{PRODUCT}: 2 messages of the topic receipts are read, 1 wait" in call("status").out
    shop.environment.log.delete("receipts")
    assert "2 messages of the topic receipts are read\n" in call("status").out


def test_a_run_beside_a_process_that_has_all_partitions_says_who_takes_the_messages(
    shop, monkeypatch
):
    monkeypatch.setattr(draining.StreamProcess, "run", lambda self, until: None)
    assert draining.drain(shop.environment, made(shop), "r").told == "nothing new is in its topic"
    send(shop, [receipt(1), receipt(2)])
    told = draining.drain(shop.environment, made(shop), "r").told
    assert told.endswith("have all partitions of its topic, and up to 2 messages before them")
    monkeypatch.undo()

    class Other:
        def __init__(self, environment, definition, *_):
            self.made = environment, definition

        def run(self, until):
            StreamProcess(*self.made, f"{OF_A_STREAM}r", lambda: False).run(until)

    monkeypatch.setattr(draining, "StreamProcess", Other)
    told = draining.drain(shop.environment, made(shop), "r").told
    assert told.endswith("have taken the 2 messages that were in its topic")
