"""A gate goes on where it was; what is gone of its topic stops it until somebody accepts that."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from shared_resources.cli.main import main
from shared_resources.observing import messages_waiting
from shared_resources.observing.health import Kind
from shared_resources.observing.product_health import Observer
from shared_resources.streams.gate.names import name_of_its_own
from shared_resources.streams.gate.process import GateProcess
from shared_resources.streams.gate.standing import gate_of, gate_standing
from shared_resources.streams.log.embedded.writer import EmbeddedWriter
from shared_resources.streams.log.port import Fenced, NotTheReader
from shared_resources.streams.standing import MessagesGone
from tests.guarantees.processes import definition
from tests.streams.gate.passing import BAD, GOOD, WITH_BOTH, gate, in_topic, pass_all
from tests.streams.receipts import PRODUCT, contract, receipt, send


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract(**WITH_BOTH))
    return mesh


def made(mesh):
    return definition(mesh.environment, PRODUCT).contract


def mesh_says(capsys, *arguments):
    capsys.readouterr()
    with pytest.raises(SystemExit) as done:
        main(["stream", *arguments])
    said = capsys.readouterr()
    return done.value.code, said.out, said.err


def keep_from(mesh, partition, begin):
    """Retention took what was before."""
    with closing(sqlite3.connect(mesh.environment.home / "log" / "log.db")) as file, file:
        of = "(SELECT number FROM topics WHERE name = 'receipts')"
        sql = f"UPDATE partitions SET begins = ? WHERE partition = ? AND topic = {of}"
        file.execute(sql, (begin, partition))


def numbers(mesh, topic=GOOD):
    found = in_topic(mesh.environment.log, topic)
    return sorted(int(one["value"].split(b":")[1].split(b",")[0]) for one in found)


def test_what_retention_took_stops_the_gate_until_it_is_accepted(shop, capsys):
    send(shop, [receipt(1), receipt(2)], partition=0)
    pass_all(shop)
    send(shop, [receipt(n) for n in range(3, 9)], partition=0)
    keep_from(shop, 0, 5)
    code, _, err = mesh_says(capsys, "gate", PRODUCT, "--until-empty")
    assert code == 2 and "up to 3 messages went" in err and "--gate" in err
    assert "the gate stands at 2" in err
    [row] = json.loads(mesh_says(capsys, "list", "--json")[1])
    assert "up to 3 messages went" in row["missing_at_gate"]
    code, out, _ = mesh_says(capsys, "skip", PRODUCT, "--gate", "--reason", "kept too short")
    assert code == 0 and "Accepted by" in out
    code, out, _ = mesh_says(capsys, "gate", PRODUCT, "--until-empty")
    assert code == 0 and "3 passed, 0 rejected" in out
    assert numbers(shop) == [1, 2, 6, 7, 8]
    assert "nothing is missing" in mesh_says(capsys, "skip", PRODUCT, "--gate", "--reason", "x")[1]


def test_what_goes_while_it_reads_stops_it_too(shop, monkeypatch):
    send(shop, [receipt(n) for n in range(9)], partition=0)
    pass_all(shop)
    send(shop, [receipt(n) for n in range(9)], partition=0)
    process = gate(shop)
    given = process.given

    def late(partitions):
        found = given(partitions)
        keep_from(shop, 0, 12)
        return found

    monkeypatch.setattr(process, "given", late)
    with pytest.raises(MessagesGone, match="up to 3 messages went"):
        process.run(shop.environment.log.topic("receipts").ends)


def test_a_topic_that_was_made_anew_stops_it(shop, capsys):
    log = shop.environment.log
    send(shop, [receipt(1)], partition=0)
    pass_all(shop)
    log.delete("receipts")
    log.create("receipts", 2)
    send(shop, [receipt(2)], partition=0)
    with pytest.raises(MessagesGone, match="made anew"):
        pass_all(shop)
    assert mesh_says(capsys, "skip", PRODUCT, "--gate", "--reason", "known")[0] == 0
    pass_all(shop)
    assert numbers(shop) == [1, 2]
    send(shop, [receipt(3)], partition=1)
    pass_all(shop)
    assert numbers(shop) == [1, 2, 3]


def forget(mesh):
    with closing(sqlite3.connect(mesh.environment.home / "log" / "log.db")) as file, file:
        file.execute("DELETE FROM positions")


def test_positions_that_the_log_forgot_are_missed_where_each_message_passes_once(shop, capsys):
    send(shop, [receipt(1), receipt(2)], partition=0)
    pass_all(shop)
    forget(shop)
    with pytest.raises(MessagesGone, match="does not know any more where the gate was"):
        pass_all(shop)
    assert mesh_says(capsys, "skip", PRODUCT, "--gate", "--reason", "known")[0] == 0
    pass_all(shop)
    assert numbers(shop) == [1, 2]


def test_at_least_once_it_goes_on_from_what_was_noted(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract(gate={"topic": GOOD, "delivery": "at_least_once"}))
    send(mesh, [receipt(1), receipt(2)], partition=0)
    pass_all(mesh)
    forget(mesh)
    send(mesh, [receipt(3)], partition=0)
    pass_all(mesh)
    assert numbers(mesh) == [1, 2, 3]


def test_another_delivery_goes_on_where_the_other_was(shop):
    send(shop, [receipt(1)], partition=0)
    pass_all(shop)
    for number, delivery in enumerate(["at_least_once", "exactly_once", "at_least_once"], 2):
        shop.product(PRODUCT, contract(gate={"topic": GOOD, "delivery": delivery}))
        send(shop, [receipt(number)], partition=0)
        pass_all(shop)
    assert numbers(shop) == [1, 2, 3, 4]


def test_what_went_from_a_partition_before_its_first_message_was_read_is_missed(shop):
    send(shop, [receipt(1)], partition=0)
    pass_all(shop)
    send(shop, [receipt(2), receipt(3)], partition=1)
    keep_from(shop, 1, 1)
    with pytest.raises(MessagesGone, match="partition 1 begins at 1"):
        pass_all(shop)


@pytest.mark.parametrize("problem", [Fenced, NotTheReader])
def test_who_is_fenced_begins_again_and_nothing_is_lost_or_doubled(shop, monkeypatch, problem):
    send(shop, [receipt(n) for n in range(20)])
    positions, left = EmbeddedWriter._write_positions, [2]

    def fenced(self, reader, at):
        if left[0]:
            left[0] -= 1
            raise problem("another's now")
        positions(self, reader, at)

    monkeypatch.setattr(EmbeddedWriter, "_write_positions", fenced)
    said = []
    pass_all(shop, fenced=said.append)
    assert numbers(shop) == list(range(20))
    assert len(said) == (2 if problem is Fenced else 0)


def test_a_gate_that_is_stopped_while_it_is_fenced_ends(shop, monkeypatch):
    send(shop, [receipt(1)])
    stopped = []

    def fenced(self, reader, at):
        stopped.append(1)
        raise Fenced("another's now")

    monkeypatch.setattr(EmbeddedWriter, "_write_positions", fenced)
    GateProcess(
        shop.environment, definition(shop.environment, PRODUCT), lambda: bool(stopped)
    ).run()
    assert numbers(shop) == []


def test_each_living_process_has_a_name_and_the_next_has_that_of_a_dead_one(shop):
    name = gate_of(shop.environment, made(shop))
    with name_of_its_own(shop.environment, name) as first:
        with name_of_its_own(shop.environment, name) as second:
            assert first != second
        with name_of_its_own(shop.environment, name) as third:
            assert third == second
    with name_of_its_own(shop.environment, name) as again:
        assert again == first


def test_the_command_says_what_is_held_and_what_is_not(shop, capsys):
    send(shop, [receipt(1), receipt(2, paid=-1)])
    code, out, _ = mesh_says(capsys, "gate", PRODUCT, "--until-empty")
    assert code == 0
    assert "passes receipts (2 partitions) on to receipts.good, exactly_once" in out
    assert f"goes to {BAD}" in out
    assert "held on each message: columns, parse, required_receipt_id" in out
    assert "not held here: primary_key: a key repeats or not only among" in out
    assert "not held here: lossBudgetPercent" in out
    assert "1 passed, 1 rejected" in out
    listed = json.loads(mesh_says(capsys, "gate", PRODUCT, "--clauses", "--json")[1])
    held = {one["clause"]: one["held"] for one in listed}
    assert held["range_paid"] and not held["primary_key"]
    assert {one["clause"] for one in listed if not one["held"] and not one["why"]} == set()
    assert "held on each" in mesh_says(capsys, "gate", PRODUCT, "--clauses")[1]
    assert mesh_says(capsys, "gate", PRODUCT, "--json")[0] == 2
    [row] = json.loads(mesh_says(capsys, "list", "--json")[1])
    assert (row["gate"], row["at_gate"], row["passed"], row["rejected_at_gate"]) == (GOOD, 0, 1, 1)
    assert GOOD in mesh_says(capsys, "list")[1]


def test_without_dead_letters_or_a_gate_it_says_so(mesh, capsys):
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract(mode="upsert", gate={"topic": GOOD}))
    _, out, _ = mesh_says(capsys, "gate", PRODUCT, "--until-empty")
    assert "is counted, and goes nowhere" in out and "not held here: mode upsert" in out
    mesh.product(PRODUCT, contract())
    code, _, err = mesh_says(capsys, "gate", PRODUCT)
    assert code == 2 and "has no gate" in err
    assert mesh_says(capsys, "skip", PRODUCT, "--gate", "--reason", "x")[0] == 2
    [row] = json.loads(mesh_says(capsys, "list", "--json")[1])
    assert row["gate"] is None and row["missing_at_gate"] == ""


def test_without_a_topic_it_says_so(mesh, capsys):
    mesh.product(PRODUCT, contract(**WITH_BOTH))
    code, _, err = mesh_says(capsys, "gate", PRODUCT)
    assert code == 1 and "there is no topic 'receipts' in" in err and "make it" in err
    [row] = json.loads(mesh_says(capsys, "list", "--json")[1])
    assert "there is no topic" in row["missing_at_gate"]


def health(mesh):
    return Observer(mesh.environment).observe_contract(made(mesh)).health


def test_health_says_what_waits_at_the_gate_and_what_is_missing_there(shop, monkeypatch):
    send(shop, [receipt(1), receipt(2)], partition=0)
    assert shop.run(PRODUCT).success
    [reason] = health(shop).reasons  # it never ran
    assert (
        reason.kind is Kind.BEHIND
        and "up to 2 messages of receipts wait at the gate" in reason.reason
    )
    pass_all(shop)
    send(shop, [receipt(3)], partition=0)
    assert shop.run(PRODUCT).success
    assert health(shop).reasons == ()

    class Later(datetime):
        @classmethod
        def now(cls, zone=None):
            return datetime.now(UTC) + timedelta(minutes=2)

    with monkeypatch.context() as patch:
        patch.setattr(messages_waiting, "datetime", Later)
        [reason] = health(shop).reasons
        assert (
            "up to 1 messages" in reason.reason and f"mesh stream gate {PRODUCT}" in reason.remedy
        )
    keep_from(shop, 0, 3)
    [reason] = [one for one in health(shop).reasons if "--gate" in one.remedy]
    assert reason.kind is Kind.HOLES
    assert gate_standing(shop.environment, made(shop)).gap is not None
