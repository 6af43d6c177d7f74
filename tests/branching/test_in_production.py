"""A branch on S3, Glue and Snowflake: the same as on one machine, and dbt reads it there."""

from __future__ import annotations

import pytest

from shared_resources.contracts.model import Server
from shared_resources.stores.branched.in_snowflake import SnowflakeBranchStore
from shared_resources.wiring import current
from tests.branching.shop import (
    DOUBLED,
    LINES,
    SERVERS,
    amounts,
    branch,
    multiply,
    open_shop,
    working_in,
)
from tests.cli.commands import call
from tests.tiny_mesh import TinyMesh

pytestmark = pytest.mark.slow


def both(found: list[float]) -> dict[str, list[float]]:
    return dict.fromkeys(SERVERS, found)


def test_a_change_is_made_promoted_and_nothing_is_left(production_mesh: TinyMesh) -> None:
    shop = production_mesh
    open_shop(shop)
    assert call("branch", "create", "try-out").code == 0
    shop.land(f"{LINES}/2.csv", "line_id,amount\n1,11\n2,-5\n")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(LINES).success and inside.run(DOUBLED).success
    assert amounts(current(), DOUBLED) == both([20, 40, 60])
    assert amounts(branch(shop, "try-out"), DOUBLED) == both([33])
    warehouse = branch(shop, "try-out").stores[Server.WAREHOUSE]
    assert isinstance(warehouse, SnowflakeBranchStore)
    assert "order__branch_try_out__versions" in warehouse.relation(DOUBLED, 2)

    told = call("branch", "promote", "try-out")
    assert told.code == 0, told.err
    assert call("branch", "drop", "try-out").code == 0
    assert amounts(current(), LINES) == both([11])
    assert amounts(current(), DOUBLED) == both([33])
    assert [entry.rows for entry in current().quarantine.list(LINES)] == [1]
    for store in current().stores.values():
        assert store.open(DOUBLED).verify().problems == ()
        assert store.versions(DOUBLED)[-1].evidence.promoted is not None
    assert shop.run(DOUBLED).success  # production goes on from there
