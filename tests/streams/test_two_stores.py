"""A stream's product in two stores: what one has the other gets, whatever dies in between."""

import pytest

from shared_resources.contracts.model import Server
from tests.streams.receipts import PRODUCT, contract, receipt, send
from tests.streams.test_process import drain


@pytest.fixture(params=["append", "upsert"])
def shop(mesh, request):
    mesh.environment.log.create("receipts", 1)
    text = contract(mode=request.param)
    both = "servers:\n- {server: lake, type: custom}\n- {server: warehouse, type: custom}\n"
    mesh.product(PRODUCT, text.replace("servers:\n- server: lake\n  type: custom\n", both))
    return mesh


def rows(mesh, server):
    opened = mesh.environment.stores[server].open(PRODUCT)
    return sorted(row["receipt_id"] for row in opened.batches().read_all().to_pylist())


def test_who_dies_between_the_two_has_the_other_brought_level(shop, monkeypatch):
    send(shop, [receipt(1), receipt(2)], keys=[b"1", b"2"])
    drain(shop)
    warehouse = shop.environment.stores[Server.WAREHOUSE]

    def dies(*given, **more):
        raise KeyboardInterrupt

    send(shop, [receipt(3)], keys=[b"3"])
    with monkeypatch.context() as patch:
        patch.setattr(type(warehouse), "publish", dies)
        with pytest.raises(KeyboardInterrupt):
            drain(shop)
    assert rows(shop, Server.LAKE) == [1, 2, 3]
    assert rows(shop, Server.WAREHOUSE) == [1, 2]
    # The next is a window without any row: all of it is beyond the budget.
    send(shop, [receipt(4, paid=-1), receipt(5, paid=-1), receipt(6)], keys=[b"4", b"5", b"6"])
    drain(shop)
    for server in (Server.LAKE, Server.WAREHOUSE):
        assert rows(shop, server) == [1, 2, 3]
    send(shop, [receipt(7), None], keys=[b"7", b"1"])
    drain(shop)
    assert rows(shop, Server.LAKE) == rows(shop, Server.WAREHOUSE)
    assert 7 in rows(shop, Server.WAREHOUSE)
