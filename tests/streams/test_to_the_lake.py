"""A topic's messages are published like any batch."""

import json

import pytest

from shared_resources.cli.main import main
from shared_resources.evidence.stream_position import LeftOut
from shared_resources.reporting.metadata import stream_metadata
from shared_resources.streams.draining import drain
from shared_resources.streams.kept_messages import kept_messages
from tests.guarantees.processes import definition
from tests.streams.receipts import PRODUCT, contract, messages, receipt, send
from tests.tiny_mesh import column


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 2)
    mesh.product(PRODUCT, contract())
    return mesh


def numbers(mesh):
    return sorted(row["receipt_id"] for row in mesh.rows(PRODUCT))


def position(mesh):
    return mesh.versions(PRODUCT)[-1].evidence.stream


def entries(mesh):
    return [one for one in mesh.environment.quarantine.list(PRODUCT) if one.open]


def kept(mesh, entry):
    [file] = mesh.environment.quarantine.files(entry)
    return kept_messages(file)


def test_what_is_in_the_topic_is_published_once(shop):
    send(shop, [receipt(n) for n in range(10)])
    assert shop.run(PRODUCT).success
    assert numbers(shop) == list(range(10))
    send(shop, [receipt(n) for n in range(10, 15)])
    assert shop.run(PRODUCT).success
    assert numbers(shop) == list(range(15))
    assert sum(position(shop).positions.values()) == 15
    assert position(shop).messages == 5


def test_a_run_without_new_messages_publishes_nothing(shop):
    send(shop, [receipt(1)])
    assert shop.run(PRODUCT).success
    assert shop.run(PRODUCT).success
    assert len(shop.versions(PRODUCT)) == 1


BROKEN = {
    "no JSON": b"{not json",
    "not UTF-8": b'{"receipt_id": 1, "till": "\xff"}',
    "a list": b"[1]",
    "a text where a number belongs": {"receipt_id": "one", "till": "a", "paid": 1},
    "an unknown field": {**receipt(90), "more": 1},
    "two documents": b'{"receipt_id": 1, "till": "a", "paid": 1}\n{"receipt_id": 2}',
    "a required value that is missing": {"receipt_id": 91, "paid": 1},
    "a number out of range": receipt(92, paid=-1),
    "too many decimals": {"receipt_id": 93, "till": "a", "paid": 1.234},
    "deeper than anybody reads": b"[" * 200_000,
    "deeper in a field": b'{"receipt_id": 94, "till": "a", "paid": '
    + b"[" * 50_000
    + b"]" * 50_000
    + b"}",
    "a number of many digits": b'{"receipt_id": ' + b"9" * 10_000 + b', "till": "a", "paid": 1}',
    "half of a pair": b'{"receipt_id": 95, "till": "\\ud800", "paid": 1}',
    "nothing at all": b"",
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_message_is_kept_whole_and_the_others_are_published(shop, broken):
    good = [receipt(n) for n in range(4)]
    send(shop, [*good[:2], broken, *good[2:]])
    assert shop.run(PRODUCT).success
    assert numbers(shop) == [0, 1, 2, 3]
    [entry] = entries(shop)
    assert (entry.kind, entry.rows) == ("messages", 1)
    [found] = kept(shop, entry).to_pylist()
    assert found["value"] == messages([broken]).column("value")[0].as_py()
    assert found["key"] == b"2"
    assert position(shop).rejected == 1
    assert sum(position(shop).positions.values()) == 5


def test_what_a_message_says_is_not_shown_whatever_columns_are_called(mesh, capsys):
    mesh.environment.log.create("receipts", 1)
    told = [
        column("value", "VARCHAR"),
        {**column("mail", "VARCHAR"), "classification": "restricted"},
    ]
    mesh.product(PRODUCT, contract(columns=told))
    secret = {"value": "plain", "mail": "ann@example.com"}
    send(mesh, [{**receipt(1), **secret}, {**receipt(2, paid=-1), **secret}])
    mesh.run(PRODUCT)
    [entry] = entries(mesh)
    capsys.readouterr()
    for options in ([], ["--json"]):
        with pytest.raises(SystemExit) as done:
            main(["quarantine", "show", entry.id, *options])
        said = capsys.readouterr()
        assert done.value.code == 0
        assert "paid_minimum" in said.out or "paid" in said.out
        assert "offset" in said.out
        assert "ann@" not in said.out + said.err


def test_beyond_the_budget_the_whole_window_is_kept_and_the_stream_goes_on(shop):
    send(shop, [receipt(1), receipt(2, paid=-1), receipt(3, paid=-1), receipt(4, paid=-1)])
    assert not shop.run(PRODUCT).success
    assert numbers(shop) == []
    [entry] = entries(shop)
    assert kept(shop, entry).num_rows == 4
    send(shop, [receipt(5)])
    assert shop.run(PRODUCT).success
    assert numbers(shop) == [5]


def test_a_key_that_is_published_is_no_row_again(shop):
    send(shop, [receipt(1), receipt(2)])
    assert shop.run(PRODUCT).success
    send(shop, [receipt(2, "two"), receipt(3)])
    assert shop.run(PRODUCT).success
    assert numbers(shop) == [1, 2, 3]
    [entry] = entries(shop)
    [found] = kept(shop, entry).to_pylist()
    assert json.loads(found["value"]) == receipt(2, "two")


def test_a_message_without_a_value_is_counted_and_no_row(shop):
    send(shop, [receipt(1), None, receipt(2)])
    assert shop.run(PRODUCT).success
    assert numbers(shop) == [1, 2]
    assert (position(shop).tombstones, position(shop).rejected) == (1, 0)


def test_an_upsert_keeps_the_last_row_of_each_key(mesh):
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract(mode="upsert"))
    send(mesh, [receipt(1), receipt(2), receipt(1, "two")], keys=[b"1", b"2", b"1"])
    assert mesh.run(PRODUCT).success
    assert {row["receipt_id"]: row["till"] for row in mesh.rows(PRODUCT)} == {1: "two", 2: "one"}
    send(
        mesh,
        [None, receipt(3), receipt(1, paid=-1), receipt(4), None],
        keys=[b"2", b"3", b"1", b"4", b"4"],
    )
    assert mesh.run(PRODUCT).success
    # The broken successor of 1 is kept, and the published row stays; 4 came and went.
    assert {row["receipt_id"]: row["till"] for row in mesh.rows(PRODUCT)} == {1: "two", 3: "one"}
    [entry] = entries(mesh)
    [found] = kept(mesh, entry).to_pylist()
    assert json.loads(found["value"]) == receipt(1, paid=-1)


def test_fields_that_are_left_out_are_named_by_window(mesh):
    """`extraColumns: ignore` goes without them, and says so: names, and no value."""
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract(extraColumns="ignore"))
    told = []
    for more in (
        {},
        {"note": "private", "zone": 3},
        {},
        {f"f{n}" + "x" * 99: n for n in range(30)},
    ):
        send(mesh, [{**receipt(len(told) * 10 + n), **more} for n in range(3)])
        drain(mesh.environment, definition(mesh.environment, PRODUCT), "r")
        told.append(position(mesh).left_out)
        assert "private" not in str(mesh.versions(PRODUCT)[-1].properties)
    assert told[:3] == [LeftOut(), LeftOut(2, ("note", "zone")), LeftOut()]
    assert told[3].fields == 30 and told[3].told.endswith("x and 10 more")
    assert {len(name) for name in told[3].names} == {64}
    shown = stream_metadata(mesh.versions(PRODUCT)[-1])
    assert shown["fields left out"].value == told[3].told
