"""What a job has left undecided comes to the gate's topics as it would without a job."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest

from shared_resources.streams.gate.process import GateProcess
from shared_resources.streams.gate.standing import gate_of, gate_standing, read_notes
from shared_resources.streams.gate.undecided import (
    SOURCE_OFFSET,
    SOURCE_PARTITION,
    as_they_came,
    note_the_job,
    of_undecided,
)
from shared_resources.streams.log.port import message_schema
from tests.guarantees.processes import definition
from tests.streams.gate.passing import BAD, GOOD, in_topic
from tests.streams.receipts import PRODUCT, contract, messages, receipt, send

UNDECIDED = f"{GOOD}.undecided"


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.environment.log.create(UNDECIDED, 2)
    gate = {"topic": GOOD, "engine": "flink"}
    mesh.product(PRODUCT, contract(engine="flink", gate=gate, deadLetters={"topic": BAD}))
    mesh.made = definition(mesh.environment, PRODUCT)
    return mesh


def with_headers(table, headers):
    field = message_schema().field("headers")
    rows = [
        None if one is None else [{"name": name, "value": value} for name, value in one.items()]
        for one in headers
    ]
    return table.set_column(5, field, pa.array(rows, field.type))


def where(partition, offset):
    return {SOURCE_PARTITION: b"%d" % partition, SOURCE_OFFSET: b"%d" % offset}


def test_a_message_is_judged_as_if_it_was_read_where_it_was(shop):
    log = shop.environment.log
    values = [receipt(1, till='a "b"'), b"{bad", receipt(3, paid=-1)]
    left = [{"trace": b"\x00", **where(1, 70)}, where(0, 9), where(1, 71)]
    writer = log.writer()
    writer.send(UNDECIDED, with_headers(messages(values), left))
    writer.close()
    process = GateProcess(shop.environment, of_undecided(shop.made), lambda: False)
    process.run(log.topic(UNDECIDED).ends)
    [good] = in_topic(log, GOOD)
    assert good["headers"] == [{"name": "trace", "value": b"\x00"}] and good["key"] == b"0"
    said = {
        one["value"]: {h["name"]: h["value"] for h in one["headers"]} for one in in_topic(log, BAD)
    }
    assert said[b"{bad"]["mesh.rules"] == b"parse"
    assert said[b"{bad"]["mesh.source_topic"] == b"receipts"
    places = {(one["mesh.source_partition"], one["mesh.source_offset"]) for one in said.values()}
    assert places == {(b"0", b"9"), (b"1", b"71")}
    assert all(SOURCE_OFFSET not in one for one in said.values())


@pytest.mark.parametrize(
    "headers", [None, {"trace": b"1"}, {SOURCE_OFFSET: b"x", SOURCE_PARTITION: b"1"}]
)
def test_what_no_job_has_put_there_is_as_it_is(headers):
    table = with_headers(messages([receipt(1)]), [headers])
    came = as_they_came(table)
    assert came.select(["partition", "offset", "value"]).equals(
        table.select(["partition", "offset", "value"])
    )
    assert came["headers"].to_pylist()[0] in (None, table["headers"].to_pylist()[0])


def test_it_stands_beside_the_gate_and_not_for_it(shop):
    left = of_undecided(shop.made).contract
    assert gate_of(shop.environment, left) != gate_of(shop.environment, shop.made.contract)
    send(shop, [receipt(1)], topic=UNDECIDED)
    GateProcess(shop.environment, of_undecided(shop.made), lambda: False).run(
        shop.environment.log.topic(UNDECIDED).ends
    )
    assert gate_standing(shop.environment, left).waiting == 0
    assert gate_standing(shop.environment, shop.made.contract).notes == {}


def test_how_far_the_job_is_is_noted_when_it_has_moved(shop, monkeypatch):
    given = shop.made.contract
    name = gate_of(shop.environment, given)
    monkeypatch.setattr(
        type(shop.environment.log),
        "positions_of",
        lambda _, topic, group: {0: 4} if group == name else {},
    )
    note_the_job(shop.environment, given)
    [note] = read_notes(shop.environment.state, name).values()
    assert note.position == 4 and note.at <= datetime.now(UTC)
    note_the_job(shop.environment, given)
    assert read_notes(shop.environment.state, name)[0].at == note.at
