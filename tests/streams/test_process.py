"""The process of a stream: it goes on from the product's own position, whatever ends or overtakes it."""

import dataclasses
import sqlite3
import threading
from contextlib import closing

import pytest

from shared_resources.cli.main import main
from shared_resources.data_products.compared.standing import entries_of
from shared_resources.data_products.definition import define_product
from shared_resources.housekeeping.tasks import Task, perform
from shared_resources.mesh import read_whole_mesh
from shared_resources.observing.product_health import Observer
from shared_resources.stores.protocol import MovedOn
from shared_resources.streams import process as process_module
from shared_resources.streams import window as window_module
from shared_resources.streams.process import StreamProcess
from shared_resources.streams.standing import (
    AcceptedGaps,
    MessagesGone,
    group_of,
    look_at_topic,
    standing,
)
from shared_resources.streams.window import Window, commit_window
from shared_resources.wiring.branch import BranchEnvironment
from tests.streams.receipts import PRODUCT, contract, receipt, send
from tests.streams.test_to_the_lake import entries, numbers, position


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract())
    return mesh


def definition(mesh):
    read = read_whole_mesh(mesh.environment)
    domain = read.domain("shop")
    return define_product(mesh.environment, domain, read.product(PRODUCT))


def ends(mesh):
    return mesh.environment.log.topic("receipts").ends


def drain(mesh, run_id="r", **told):
    StreamProcess(mesh.environment, definition(mesh), run_id, lambda: False, **told).run(ends(mesh))


def test_two_processes_share_a_topic_and_each_message_is_a_row_once(shop):
    send(shop, [receipt(n) for n in range(200)])
    stop = threading.Event()
    made = definition(shop)
    both = [StreamProcess(shop.environment, made, f"r{n}", stop.is_set) for n in range(2)]
    threads = [threading.Thread(target=one.run) for one in both]
    for thread in threads:
        thread.start()
    try:
        for first in range(200, 600, 100):
            send(shop, [receipt(n) for n in range(first, first + 100)])
        until = threading.Event()
        for _ in range(120):
            if shop.versions(PRODUCT) and sum(position(shop).positions.values()) == 600:
                break
            until.wait(0.5)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert numbers(shop) == list(range(600))
    assert position(shop).positions == ends(shop)


def test_who_has_read_what_another_committed_goes_on_from_there(shop, monkeypatch):
    """A process that was stopped between reading and committing, and wakes."""
    send(shop, [receipt(n) for n in range(10)])
    commit = process_module.commit_window

    def overtaken(environment, made, window, at, run_id):
        monkeypatch.setattr(process_module, "commit_window", commit)
        commit(
            environment, made, dataclasses.replace(window, topic_id=window.topic_id), at, "other"
        )
        return commit(environment, made, window, at, run_id)

    monkeypatch.setattr(process_module, "commit_window", overtaken)
    drain(shop)
    assert numbers(shop) == list(range(10))


def test_a_window_that_is_refused_for_an_erasure_is_tried_again_and_not_for_ever(shop, monkeypatch):
    send(shop, [receipt(1)])
    commit, refusals = process_module.commit_window, []

    def refused(*given):
        refusals.append(given)
        if len(refusals) == 5:
            return commit(*given)
        raise MovedOn("a customer was erased since this batch was begun")

    monkeypatch.setattr(process_module, "commit_window", refused)
    monkeypatch.setattr(process_module, "_LONGEST_WAIT", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(process_module, "REFUSED_SECONDS", 0)
        with pytest.raises(MovedOn, match="was erased"):
            drain(shop)
    stopped = StreamProcess(shop.environment, definition(shop), "r", lambda: len(refusals) > 3)
    stopped.run(ends(shop))
    assert len(refusals) == 4 and not shop.versions(PRODUCT)
    drain(shop)
    assert numbers(shop) == [1]


def test_a_window_that_was_kept_and_never_committed_is_not_kept_twice(shop, monkeypatch):
    send(shop, [receipt(1), b"broken", receipt(2)], partition=0)

    def dies(*given, **named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shared_resources.streams.window.publish", dies)
        with pytest.raises(KeyboardInterrupt):
            drain(shop)
    assert len(entries(shop)) == 1
    # The next one takes more messages in its first window: another batch, with the same reject.
    send(shop, [receipt(3), b"too"], partition=0)
    drain(shop)
    send(shop, [receipt(4)], partition=0)
    drain(shop)
    assert numbers(shop) == [1, 2, 3, 4]
    assert sum(entry.rows for entry in entries(shop)) == 2


def health_of(shop, made):
    return Observer(shop.environment).observe_contract(made).health


def lose(shop, monkeypatch, partition, begin):
    """The topic as it is when retention has taken what was before `begin`."""
    log = shop.environment.log
    topic = log.topic("receipts")
    cut = dataclasses.replace(topic, begins={**topic.begins, partition: begin})
    monkeypatch.setattr(type(log), "topic", lambda self, name: cut)


def test_messages_that_went_before_they_were_read_stop_the_stream_until_somebody_accepts(
    shop, monkeypatch, capsys
):
    send(shop, [receipt(1), receipt(2)], partition=0)
    drain(shop)
    send(shop, [receipt(n) for n in range(3, 9)], partition=0)
    with monkeypatch.context() as patch:
        lose(shop, patch, 0, 5)
        with pytest.raises(MessagesGone, match="up to 3 messages went"):
            drain(shop)
        assert numbers(shop) == [1, 2]
        with pytest.raises(SystemExit) as done:
            main(["stream", "skip", PRODUCT, "--reason", "kept a day only"])
        assert done.value.code == 0
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main(["stream", "list"])
        assert "Accepted by" in capsys.readouterr().out
        made = definition(shop).contract
        assert not health_of(shop, made).reasons
        drain(shop)
    assert numbers(shop) == [1, 2, 6, 7, 8]
    [skipped] = position(shop).skipped
    assert (skipped.partition, skipped.messages, skipped.reason) == (0, 3, "kept a day only")
    with pytest.raises(SystemExit):
        main(["evidence", PRODUCT, "--version", "2"])
    said = capsys.readouterr().out
    assert "offsets 2 to 4 of partition 0 of receipts, which were gone" in said
    assert "kept a day only" in said
    assert "topic   receipts, partition 0 to 8" in said
    send(shop, [receipt(9)], partition=0)
    drain(shop)
    assert position(shop).skipped == ()


def test_a_topic_that_was_made_anew_stops_the_stream(shop, monkeypatch):
    send(shop, [receipt(1)])
    drain(shop)
    log = shop.environment.log
    topic = dataclasses.replace(log.topic("receipts"), id="another")
    monkeypatch.setattr(type(log), "topic", lambda self, name: topic)
    with pytest.raises(MessagesGone, match="made anew"):
        drain(shop)


def test_messages_that_go_while_a_partition_is_waited_for_are_not_passed_in_silence(
    shop, monkeypatch
):
    send(shop, [receipt(1), receipt(2)], partition=0)
    drain(shop)
    send(shop, [receipt(n) for n in range(3, 9)], partition=0)
    process = StreamProcess(shop.environment, definition(shop), "r", lambda: False)
    checked = process.check()
    monkeypatch.setattr(process, "check", lambda: checked)
    lose(shop, monkeypatch, 0, 5)
    with pytest.raises(MessagesGone, match="up to 3 messages went"):
        process.run(ends(shop))
    assert numbers(shop) == [1, 2]


def test_a_topic_that_is_made_anew_while_it_is_read_is_not_taken_for_the_old_one(shop, monkeypatch):
    send(shop, [receipt(1)])
    drain(shop)
    send(shop, [receipt(2)])
    log = shop.environment.log
    before = log.topic("receipts")
    asked = iter([before, before])  # by the process when it begins, and when it is given partitions
    anew = dataclasses.replace(before, id="another")
    monkeypatch.setattr(type(log), "topic", lambda self, name: next(asked, anew))
    with pytest.raises(MessagesGone, match="made anew"):
        StreamProcess(shop.environment, definition(shop), "r", lambda: False).run(before.ends)
    assert numbers(shop) == [1]


def test_after_an_accepted_gap_who_read_the_same_publishes_nothing_twice(shop, monkeypatch):
    send(shop, [receipt(1), receipt(2)], partition=0)
    drain(shop)
    send(shop, [receipt(n) for n in range(3, 9)], partition=0)
    lose(shop, monkeypatch, 0, 5)
    made = definition(shop).contract
    _, gap = look_at_topic(shop.environment, made, standing(shop.environment, made))
    AcceptedGaps(shop.environment.state, PRODUCT).accept(gap, "me", "because")
    commit = process_module.commit_window

    def overtaken(environment, made, window, at, run_id):
        monkeypatch.setattr(process_module, "commit_window", commit)
        shorter = dataclasses.replace(
            window, messages=window.messages.slice(0, 2), ends={**window.ends, 0: 7}
        )
        commit(environment, made, shorter, at, "other")
        raise MovedOn

    monkeypatch.setattr(process_module, "commit_window", overtaken)
    drain(shop)
    assert numbers(shop) == [1, 2, 6, 7, 8]
    assert entries(shop) == []


def test_what_is_accepted_of_two_partitions_may_be_committed_one_by_one(shop, monkeypatch):
    for partition in (0, 1):
        send(
            shop,
            [receipt(n) for n in range(10 * partition, 10 * partition + 5)],
            partition=partition,
        )
    drain(shop)
    log = shop.environment.log
    topic = log.topic("receipts")
    gone = dataclasses.replace(topic, begins={0: 7, 1: 8}, ends={0: 9, 1: 9})
    monkeypatch.setattr(type(log), "topic", lambda self, name: gone)
    made = definition(shop).contract
    at = standing(shop.environment, made)
    _, gap = look_at_topic(shop.environment, made, at)
    AcceptedGaps(shop.environment.state, PRODUCT).accept(gap, "me", "because")
    later = dataclasses.replace(at.position, positions={**at.position.positions, 0: 9})
    _, left = look_at_topic(shop.environment, made, dataclasses.replace(at, position=later))
    [skipped] = AcceptedGaps(shop.environment.state, PRODUCT).skipped(left)
    assert (skipped.partition, skipped.messages) == (1, 3)


def test_what_went_before_the_product_was_begun_is_not_missing(shop):
    """A partition that is empty since, of which the first windows have nothing."""
    with closing(sqlite3.connect(shop.environment.home / "log" / "log.db")) as file, file:
        file.execute("UPDATE partitions SET begins = 50, ends = 50 WHERE partition = 1")
    assert shop.environment.log.topic("receipts").begins == {0: 0, 1: 50}
    send(shop, [receipt(1)], partition=0)
    drain(shop)
    assert position(shop).positions == {0: 1, 1: 50}
    send(shop, [receipt(2)], partition=1)
    drain(shop)
    assert numbers(shop) == [1, 2]


def test_an_acceptance_is_of_what_was_missing_then_and_of_nothing_later(shop, monkeypatch):
    send(shop, [receipt(1)], partition=0)
    drain(shop)
    send(shop, [receipt(n) for n in range(2, 9)], partition=0)
    with monkeypatch.context() as patch:
        lose(shop, patch, 0, 3)
        made = definition(shop).contract
        _, gap = look_at_topic(shop.environment, made, standing(shop.environment, made))
        AcceptedGaps(shop.environment.state, PRODUCT).accept(gap, "me", "because")
    with monkeypatch.context() as patch:
        lose(shop, patch, 0, 5)
        with pytest.raises(MessagesGone):
            drain(shop)


def test_a_rollback_takes_the_position_back_and_the_messages_come_again(shop):
    send(shop, [receipt(1)])
    drain(shop)
    send(shop, [receipt(2)])
    drain(shop)
    with pytest.raises(SystemExit):
        main(["rollback", PRODUCT, "--to", "1"])
    assert numbers(shop) == [1]
    drain(shop)
    assert numbers(shop) == [1, 2]


def test_messages_that_are_refused_again_stay_one_entry(shop):
    send(shop, [receipt(1), b"broken", {**receipt(2), "more": 1}, receipt(3)])
    drain(shop)
    [entry] = entries(shop)
    for _ in range(2):
        with pytest.raises(SystemExit) as done:
            main(["quarantine", "replay", entry.id])
        assert done.value.code == 1
        assert [one.id for one in entries(shop)] == [entry.id]
    shop.product(PRODUCT, contract(extraColumns="ignore"))
    with pytest.raises(SystemExit) as done:
        main(["quarantine", "replay", entry.id])
    assert done.value.code == 0
    assert numbers(shop) == [1, 2, 3]
    [rest] = entries(shop)
    assert (rest.rows, rest.parent) == (1, entry.id)


def test_replayed_messages_are_rows_beside_what_came_since(shop):
    send(shop, [receipt(1), {**receipt(2), "more": 1}, receipt(3)])
    drain(shop)
    send(shop, [receipt(4)])
    drain(shop)
    before = position(shop).positions
    [entry] = entries(shop)
    shop.product(PRODUCT, contract(extraColumns="ignore"))
    with pytest.raises(SystemExit) as done:
        main(["quarantine", "replay", entry.id])
    assert done.value.code == 0
    assert numbers(shop) == [1, 2, 3, 4]
    assert position(shop).positions == before
    assert entries(shop) == []
    with pytest.raises(SystemExit) as done:
        main(["quarantine", "replay", entry.id])
    assert done.value.code == 1
    assert numbers(shop) == [1, 2, 3, 4]


def killed_before_its_commit(shop, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("shared_resources.streams.window.publish", dies)
        with pytest.raises(KeyboardInterrupt):
            drain(shop)


def dies(*given, **named):
    raise KeyboardInterrupt


def replay(entry, *options):
    with pytest.raises(SystemExit) as done:
        main(["quarantine", "replay", entry.id, *options])
    return done.value.code


def test_what_a_dead_process_kept_is_not_replayed_as_its_messages_come_again(
    shop, monkeypatch, capsys
):
    send(shop, [receipt(0)], partition=0)
    drain(shop)
    send(shop, [receipt(1), {**receipt(2), "more": 1}], partition=0)
    killed_before_its_commit(shop, monkeypatch)
    [entry] = entries(shop)
    shop.product(PRODUCT, contract(extraColumns="ignore"))
    assert replay(entry) == 1
    assert "read again" in capsys.readouterr().err
    drain(shop)
    assert numbers(shop) == [0, 1, 2]
    assert replay(entry) == 1
    assert entries(shop) == []
    assert numbers(shop) == [0, 1, 2]


def test_a_dead_entry_is_closed_by_the_next_commit_of_its_messages(shop, monkeypatch):
    send(shop, [receipt(1), b"broken"], partition=0)
    killed_before_its_commit(shop, monkeypatch)
    send(shop, [b"too", receipt(2)], partition=0)
    drain(shop)
    assert [entry.rows for entry in entries(shop)] == [2]


def standing_entries(shop):
    read = definition(shop).contract
    return [one for one in entries_of(shop.environment, read) if one.open]


def test_what_a_rollback_took_back_is_in_quarantine_once_when_it_came_again(shop):
    send(shop, [receipt(1)], partition=0)
    drain(shop)
    send(shop, [b"broken", receipt(2), {**receipt(3), "more": 1}, receipt(4)], partition=0)
    drain(shop)
    [before] = standing_entries(shop)
    with pytest.raises(SystemExit):
        main(["rollback", PRODUCT, "--to", "1"])
    assert replay(before) == 1
    drain(shop)
    [after] = standing_entries(shop)
    assert after.id != before.id
    assert after.rows == 2
    shop.product(PRODUCT, contract(extraColumns="ignore"))
    assert replay(before) == 1
    assert replay(after) == 0
    assert numbers(shop) == [1, 2, 3, 4]
    # Taken back with the rows, the replay is open again; and so is what stood in its place.
    with pytest.raises(SystemExit):
        main(["rollback", PRODUCT, "--to", "2"])
    assert before.id in {one.id for one in standing_entries(shop)}


def test_a_replay_that_was_rolled_back_may_be_done_again(shop):
    send(shop, [receipt(1), {**receipt(2), "more": 1}], partition=0)
    drain(shop)
    [entry] = standing_entries(shop)
    shop.product(PRODUCT, contract(extraColumns="ignore"))
    assert replay(entry) == 0
    assert numbers(shop) == [1, 2]
    with pytest.raises(SystemExit):
        main(["rollback", PRODUCT, "--to", "1"])
    assert numbers(shop) == [1]
    assert [one.id for one in standing_entries(shop)] == [entry.id]
    assert replay(entry) == 0
    assert numbers(shop) == [1, 2]
    assert replay(entry) == 1
    assert numbers(shop) == [1, 2]


def test_the_command_commits_what_is_there_and_says_so(shop, capsys):
    send(shop, [receipt(1), b"broken"])
    with pytest.raises(SystemExit) as done:
        main(["stream", PRODUCT, "--until-empty"])
    assert done.value.code == 0
    assert "2 messages, 1 rejected, 1 rows" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["stream", "list"])
    assert PRODUCT in capsys.readouterr().out


def test_housekeeping_removes_what_the_topic_keeps_no_longer(mesh):
    log = mesh.environment.log
    log.create("receipts", 1, compacted=True)
    mesh.product(PRODUCT, contract())
    made = definition(mesh).contract

    def expire(**how):
        [done] = [
            d for d in perform(mesh.environment, made, Task.EXPIRE, **how) if d.place == "log"
        ]
        return done

    for n in range(3):
        send(mesh, [receipt(n)], keys=[b"the same"])
    drain(mesh)
    assert not expire(dry_run=True).changed
    assert expire().changed
    assert not expire().changed
    drain(mesh)
    assert numbers(mesh) == [0, 1, 2]


def test_a_product_of_no_topic_is_no_stream(mesh, capsys):
    mesh.product("shop/till", contract().replace("receipts", "till"))
    with pytest.raises(SystemExit) as done:
        main(["stream", "shop/till"])
    assert done.value.code == 1
    assert "no topic 'till'" in capsys.readouterr().err


def test_who_takes_the_same_messages_leaves_alone_what_another_has_staged(shop, monkeypatch):
    """A process that was stopped before it published, another with the same window, and it wakes."""
    send(shop, [receipt(1), receipt(2)], partition=0)
    publish = window_module.publish

    def overtaken(audited, **named):
        monkeypatch.setattr(window_module, "publish", dies)
        with pytest.raises(KeyboardInterrupt):  # staged as far as that
            drain_beside(shop)
        monkeypatch.setattr(window_module, "publish", publish)
        return publish(audited, **named)

    monkeypatch.setattr(window_module, "publish", overtaken)
    drain(shop)
    assert numbers(shop) == [1, 2]


def drain_beside(shop):
    """The same window by another process, which has read it, too."""
    made = definition(shop)
    at = standing(shop.environment, made.contract)
    topic, _ = look_at_topic(shop.environment, made.contract, at)
    reader = shop.environment.log.reader("receipts", "another group", Everything())
    messages = reader.take(100, 5)
    reader.close()
    begins = {0: 0}
    window = Window("receipts", topic.id, messages, begins, {0: 2})
    commit_window(shop.environment, made, window, at, "beside")


class Everything:
    def given(self, partitions):
        return dict.fromkeys(partitions, 0)

    def taken(self, partitions):
        pass


def test_a_branch_shares_no_partitions_with_what_it_stands_on(shop):
    made = definition(shop).contract
    branch = BranchEnvironment(shop.root, shop.environment.home / "b", shop.environment, "b")
    names = {group_of(one, made) for one in (shop.environment, branch)}
    assert names == {"mesh.shop.receipts", "mesh.branch.b.shop.receipts"}
