"""What keeps the contract passes as it came; what does not is a dead letter with its reasons."""

import pyarrow as pa
import pytest

from shared_resources.data_products.definition import ProductDefinition
from shared_resources.streams.gate import process as gate_process
from shared_resources.streams.gate.letters import COLUMNS, OFFSET, PARTITION, RULES, TOPIC, VERSION
from shared_resources.streams.log.port import message_schema
from tests.streams.gate.passing import BAD, GOOD, WITH_BOTH, gate, in_topic, pass_all
from tests.streams.receipts import PRODUCT, contract, messages, receipt, send


@pytest.fixture(params=["exactly_once", "at_least_once"])
def delivery(request):
    return request.param


@pytest.fixture
def shop(mesh, delivery):
    mesh.environment.log.create("receipts", 2)
    stream = {**WITH_BOTH, "gate": {"topic": GOOD, "delivery": delivery}}
    mesh.product(PRODUCT, contract(**stream))
    return mesh


def said(message):
    return {one["name"]: one["value"].decode() for one in message["headers"]}


def came(log, topic="receipts"):
    return {(one["partition"], one["key"]): one for one in in_topic(log, topic)}


def test_messages_pass_as_they_came(shop):
    log = shop.environment.log
    sent = messages([receipt(n) for n in range(6)])
    headers = [
        [{"name": "trace", "value": b"\x00\xff"}, {"name": "none", "value": None}],
        *[None] * 5,
    ]
    field = message_schema().field("headers")
    sent = sent.set_column(5, field, pa.array(headers, field.type))
    writer = log.writer()
    writer.send("receipts", sent)
    writer.close()
    pass_all(shop)
    passed, before = came(log, GOOD), came(log)
    assert passed.keys() == before.keys() and len(passed) == 6
    for where, one in passed.items():
        assert one | {"offset": 0} == before[where] | {"offset": 0}
    assert in_topic(log, BAD) == []
    assert log.topic(GOOD).partitions == 2


def test_what_breaks_the_contract_is_a_dead_letter_with_its_reasons(shop):
    values = [receipt(1), receipt(2, paid=-1), b"{no json", {**receipt(3), "till": None}]
    values.append({"receipt_id": "x", "till": "secret", "paid": 1})
    send(shop, values)
    log = shop.environment.log
    pass_all(shop)
    assert [one["value"] for one in in_topic(log, GOOD)] == [messages(values)["value"][0].as_py()]
    before = {one["value"]: one for one in in_topic(log, "receipts")}
    dead = {one["value"]: one for one in in_topic(log, BAD)}
    assert len(dead) == 4
    for value, one in dead.items():
        assert one["key"] == before[value]["key"] and one["timestamp"] == before[value]["timestamp"]
        headers = said(one)
        assert headers[TOPIC] == "receipts" and headers[VERSION] == "1.0.0"
        assert headers[PARTITION] == str(before[value]["partition"])
        assert headers[OFFSET] == str(before[value]["offset"])
    rules = [said(dead[value])[RULES] for value in messages(values)["value"].to_pylist()[1:]]
    assert rules == ["range_paid", "parse", "required_till", "parse"]
    assert said(dead[messages(values)["value"][4].as_py()])[COLUMNS] == "receipt_id"
    assert all(
        b"secret" not in (h["value"] or b"") for one in dead.values() for h in one["headers"]
    )


def test_the_next_process_goes_on_where_it_was(shop):
    log = shop.environment.log
    send(shop, [receipt(n) for n in range(5)])
    pass_all(shop)
    send(shop, [receipt(n) for n in range(5, 9)])
    pass_all(shop)
    assert len(in_topic(log, GOOD)) == 9


def test_a_gate_without_dead_letters_passes_and_counts(mesh, delivery):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract(gate={"topic": GOOD, "delivery": delivery}))
    send(mesh, [receipt(1), receipt(2, paid=-1)])
    counted = []
    pass_all(
        mesh, told=lambda letters: counted.append((letters.passed.num_rows, letters.dead.num_rows))
    )
    assert [sum(one) for one in zip(*counted, strict=True)] == [1, 1]
    assert len(in_topic(mesh.environment.log, GOOD)) == 1


@pytest.mark.parametrize(("mode", "passed"), [("upsert", [b"1", b"2"]), ("append", [b"1"])])
def test_tombstones_pass_for_an_upsert_and_are_nothing_elsewhere(mesh, mode, passed):
    log = mesh.environment.log
    log.create("receipts", 1)
    mesh.product(PRODUCT, contract(mode=mode, **WITH_BOTH))
    send(mesh, [receipt(1), None, None], keys=[b"1", b"2", b"nonsense"])
    pass_all(mesh)
    assert [one["key"] for one in in_topic(log, GOOD)] == passed
    dead = [one["key"] for one in in_topic(log, BAD)]
    assert dead == ([b"nonsense"] if mode == "upsert" else [])


def test_where_the_topic_has_other_partitions_the_order_within_a_key_is_kept(shop):
    log = shop.environment.log
    log.create(GOOD, 3)
    keys = [str(n % 4).encode() for n in range(40)]
    send(shop, [receipt(n) for n in range(40)], keys=keys)
    pass_all(shop)
    by_key = {}
    for one in in_topic(log, GOOD):
        number = int(one["value"].split(b":")[1].split(b",")[0])
        by_key.setdefault((one["key"]), []).append((one["partition"], one["offset"], number))
    assert len(by_key) == 4
    for places in by_key.values():
        assert len({partition for partition, _, _ in places}) == 1
        assert [n for _, _, n in sorted(places)] == sorted(n for _, _, n in places)


def test_a_rule_that_blocks_again_blocks_at_a_gate_that_runs(mesh, monkeypatch):
    """As a policy's does from the day after its waiver."""
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract(**WITH_BOTH))
    process = gate(mesh)
    rules = process.definition.rules
    waived = [one for one in rules if one.name != "range_paid"]
    assert len(waived) < len(rules)
    now = list(waived)
    monkeypatch.setattr(ProductDefinition, "rules", property(lambda _: tuple(now)))
    monkeypatch.setattr(gate_process, "NOTE_SECONDS", 0.0)
    process = gate(mesh)
    send(mesh, [receipt(1, paid=-1)])
    process.run(mesh.environment.log.topic("receipts").ends)
    now[:] = rules
    send(mesh, [receipt(2)])
    process.run(mesh.environment.log.topic("receipts").ends)
    send(mesh, [receipt(3, paid=-1)])
    process.run(mesh.environment.log.topic("receipts").ends)
    assert [one["value"] for one in in_topic(mesh.environment.log, GOOD)] == [
        one.as_py() for one in messages([receipt(1, paid=-1), receipt(2)])["value"]
    ]
    assert len(in_topic(mesh.environment.log, BAD)) == 1
