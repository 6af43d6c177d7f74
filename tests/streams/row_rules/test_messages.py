"""A message alone gets the verdict that a window of the lake gives it."""

from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.types import arrow_schema
from shared_resources.streams.row_rules.messages import LATE, MessageRules
from shared_resources.streams.row_rules.places import Place
from tests.guarantees.processes import definition as defined
from tests.streams.receipts import PRODUCT, contract, messages, receipt
from tests.streams.test_to_the_lake import BROKEN
from tests.tiny_mesh import column

SENT = datetime.fromtimestamp(1_700_000_000, UTC)
MOMENT = {**column("at", "TIMESTAMP"), "physicalType": "TIMESTAMPTZ"}


def moment(hours):
    return (SENT - timedelta(hours=hours)).isoformat()


def timed(number, hours=0, **how):
    return {**receipt(number, **how), "at": moment(hours)}


GOOD = [timed(1), timed(2, 1.99), {**receipt(3), "at": None}, timed(4, -5)]
GOOD += [timed(n) for n in range(200, 230)]
BAD = [
    *(one | {"at": moment(0)} if isinstance(one, dict) else one for one in BROKEN.values()),
    timed(100, 2.01),
    timed(101, 400, paid=-1),
    timed(102, till=None),
    timed(103, till=None, paid=-3),
]
KEYS_OF_TOMBSTONES = [b"7", b"nonsense", b"{", b'{"receipt_id": 8}', b'{"other": 8}']


def judged(definition, sent):
    return MessageRules(definition.contract, definition.rules).judge(sent)


def names(broken):
    return sorted({one.rule for one in broken})


@pytest.mark.parametrize("mode", ["append", "upsert"])
def test_the_verdict_is_that_of_a_window(mesh, mode):
    mesh.environment.log.create("receipts", 1)
    late = {"column": "at", "hours": 2}
    mesh.product(PRODUCT, contract(budget=60, columns=[MOMENT], mode=mode, late=late))
    values = [*GOOD, *BAD, *[None] * len(KEYS_OF_TOMBSTONES)]
    keys = [str(n).encode() for n in range(len(GOOD + BAD))] + KEYS_OF_TOMBSTONES
    sent = messages(values, keys=keys, partition=0)
    writer = mesh.environment.log.writer()
    writer.send("receipts", sent)
    writer.close()
    mesh.run(PRODUCT)

    alone = judged(defined(mesh.environment, PRODUCT), sent)
    places = {*alone.places.to_list()}
    assert places | {*alone.broken} | {*alone.tombstones} == {*range(len(values))}
    assert len(places) + len(alone.broken) + len(alone.tombstones) == len(values)
    rows = sorted(alone.frame.to_dicts(), key=lambda row: row["receipt_id"])
    published = sorted(mesh.rows(PRODUCT), key=lambda row: row["receipt_id"])
    assert [row["receipt_id"] for row in rows] == [row["receipt_id"] for row in published]
    assert [row["at"] for row in rows] == [row["at"] for row in published]

    kept = {}
    for entry in mesh.environment.quarantine.list(PRODUCT):
        for file in mesh.environment.quarantine.files(entry):
            for row in pq.read_table(file).to_pylist():
                kept[row["offset"]] = row["_reasons"]
    assert kept.keys() == alone.broken.keys()
    for place, reasons in kept.items():
        said = [word for one in reasons for word in one.removeprefix("breaks ").split(", ")]
        expected = names(alone.broken[place])
        if expected == [LATE]:
            assert "is late" in reasons[0]
        elif expected == ["parse"]:
            assert reasons[0].startswith("parse: ")
        else:
            assert sorted(one.removeprefix("parse: breaks ") for one in said) == expected


def test_what_a_message_does_not_decide_is_named(mesh):
    mesh.environment.log.create("receipts", 1)
    rows = "  quality:\n  - {metric: rowCount, mustBeGreaterThan: 3}\n  properties:\n"
    mesh.product(PRODUCT, contract().replace("  properties:\n", rows, 1))
    rules = MessageRules(defined(mesh.environment, PRODUCT).contract)
    placed = [one for one in rules.placed if not one.by_message]
    said = {one.rule.kind: (one.place, one.reason) for one in placed}
    assert said["unique"][0] is Place.PRODUCT
    assert all(reason for _, reason in said.values())


def test_the_rows_are_of_the_contracts_types(mesh):
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract())
    definition = defined(mesh.environment, PRODUCT)
    alone = judged(definition, messages([receipt(1)]))
    schema = arrow_schema(tuple((c.name, c.type) for c in definition.contract.columns))
    assert alone.frame.to_arrow().cast(schema).num_rows == 1
    assert judged(definition, messages([])).frame.columns == schema.names
