"""An upsert keeps what is published, whatever is wrong with a window."""

from pathlib import Path

import pytest

from shared_resources.cli.main import main
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.streams.merging import last_of_each_key, read_keys
from shared_resources.streams.window_rows import read_rows
from tests.streams.receipts import PRODUCT, contract, messages, receipt, send
from tests.tiny_mesh import column, contract_text


@pytest.fixture
def shop(mesh):
    mesh.environment.log.create("receipts", 1)
    mesh.product(PRODUCT, contract(mode="upsert"))
    return mesh


def tills(mesh):
    return {row["receipt_id"]: row["till"] for row in mesh.rows(PRODUCT)}


def test_beyond_the_budget_what_is_published_stays(shop):
    send(shop, [receipt(1), receipt(2)], keys=[b"1", b"2"])
    assert shop.run(PRODUCT).success
    send(shop, [receipt(3, paid=-1), receipt(4, paid=-1), receipt(5)], keys=[b"3", b"4", b"5"])
    shop.run(PRODUCT)
    assert tills(shop) == {1: "one", 2: "one"}
    send(shop, [receipt(6)], keys=[b"6"])
    shop.run(PRODUCT)
    assert tills(shop) == {1: "one", 2: "one", 6: "one"}


def test_the_last_row_may_be_taken_away(shop):
    send(shop, [receipt(1)], keys=[b"1"])
    assert shop.run(PRODUCT).success
    send(shop, [None], keys=[b"1"])
    assert shop.run(PRODUCT).success
    assert tills(shop) == {}
    send(shop, [receipt(2)], keys=[b"2"])
    assert shop.run(PRODUCT).success
    assert tills(shop) == {2: "one"}


def test_a_window_of_tombstones_only(shop):
    send(shop, [None, None], keys=[b"1", b"nonsense"])
    shop.run(PRODUCT)
    send(shop, [receipt(2)], keys=[b"2"])
    assert shop.run(PRODUCT).success
    assert tills(shop) == {2: "one"}


def test_where_the_product_may_be_empty_it_is_not_wiped_all_the_same(mesh):
    mesh.environment.log.create("receipts", 1)
    allowed = "customProperties:\n- {property: allowEmpty, vendor: mesh, value: true}"
    mesh.product(PRODUCT, contract(mode="upsert").replace("customProperties:", allowed))
    send(mesh, [receipt(1)], keys=[b"1"])
    assert mesh.run(PRODUCT).success
    send(mesh, [receipt(3, paid=-1), receipt(4, paid=-1)], keys=[b"3", b"4"])
    mesh.run(PRODUCT)
    assert tills(mesh) == {1: "one"}


def test_a_product_that_breaks_a_rule_without_any_message_says_so(mesh, capsys):
    mesh.environment.log.create("receipts", 1)
    rows = "  quality:\n  - {metric: rowCount, mustBeGreaterThan: 3}\n  properties:\n"
    mesh.product(PRODUCT, contract().replace("  properties:\n", rows, 1))
    send(mesh, [receipt(1)])
    with pytest.raises(SystemExit) as done:
        main(["stream", PRODUCT, "--until-empty"])
    assert done.value.code == 2
    assert "no window can be published" in capsys.readouterr().err


KEYS = {
    "a JSON text": ("VARCHAR", "seven", b'"seven"'),
    "a text": ("VARCHAR", "seven", b"seven"),
    "a text with decimals": ("VARCHAR", "1.10", b"1.10"),
    "a text that could be a number": ("VARCHAR", "1e5", b"1e5"),
    "a text that could be a truth": ("VARCHAR", "true", b"true"),
    "an object": ("VARCHAR", "1.10", b'{"k": "1.10"}'),
    "a day": ("DATE", "2024-02-29", b"2024-02-29"),
    "a day as JSON": ("DATE", "2024-02-29", b'"2024-02-29"'),
    "a moment": ("TIMESTAMP", "2024-02-29T12:00:00", b"2024-02-29T12:00:00"),
    "decimals": ("DECIMAL(10,2)", 1.1, b"1.10"),
    "decimals in an object": ("DECIMAL(10,2)", 1.1, b'{"k": 1.1}'),
}


@pytest.mark.parametrize("key", KEYS.values(), ids=KEYS.keys())
def test_a_tombstone_takes_away_the_row_of_its_key(key):
    physical, value, written = key
    logical = {"VARCHAR": "string", "DATE": "date", "TIMESTAMP": "timestamp"}
    k = {**column("k", primaryKey=True), "physicalType": physical}
    k["logicalType"] = logical.get(physical, "number")
    properties = {
        "stream": {"topic": "t", "format": "json", "mode": "upsert"},
        "lossBudgetPercent": 5,
    }
    read = read_contract_text(contract_text(PRODUCT, [k], properties=properties), Path("c.yaml"))
    came = messages([{"k": value}, None], keys=[written, written])
    rows = read_rows(read, came)
    assert (rows.rows.num_rows, rows.faults) == (1, {})
    left = last_of_each_key(read, rows, came)
    assert (left.rows.num_rows, left.faults, left.tombstones) == (0, {}, (1,))
    assert read_keys(read, [written]) == [tuple(rows.rows.to_pylist()[0].values())]


NO_KEYS = [
    None,
    b"\xff",
    b"[" * 200_000,
    b"9" * 10_000,
    b"null",
    b"[1]",
    b"NaN",
    b"Infinity",
    b"{}",
]


def test_a_tombstone_of_no_key_is_set_aside(shop):
    good = [receipt(n) for n in range(20)]
    keys = [str(n).encode() for n in range(20)]
    send(shop, [*good, *(None for _ in NO_KEYS)], keys=[*keys, *NO_KEYS])
    assert shop.run(PRODUCT).success
    assert len(tills(shop)) == 20
    assert [one.rows for one in shop.environment.quarantine.list(PRODUCT)] == [len(NO_KEYS)]
