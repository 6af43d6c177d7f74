"""A branch on S3, Glue and Snowflake: the same as on one machine, and dbt reads it there."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from shared_resources.contracts.model import Server
from shared_resources.mesh import read_mesh
from shared_resources.stores.branched.in_snowflake import SnowflakeBranchStore
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.lake import sharing
from shared_resources.stores.lake import store as lake_store
from shared_resources.stores.protocol import Version
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


def test_a_machine_with_a_state_of_its_own_is_told_of_a_branch_that_the_stores_have(
    production_mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(production_mesh)
    assert call("branch", "create", "try-out").code == 0
    multiply(production_mesh, 3)
    with working_in(production_mesh, "try-out") as inside:
        assert inside.run(DOUBLED).success
    other = production_mesh.environment.home.with_name("other-machine")
    monkeypatch.setenv("MESH_HOME", str(other))
    told = call("branch", "create", "try-out")
    told.refused(f"the lake has {DOUBLED} of a branch try-out", "--take-up")
    assert call("branch", "create", "--take-up", "try-out").code == 0
    assert amounts(branch(production_mesh, "try-out"), DOUBLED) == both([30, 60, 90])
    assert call("branch", "drop", "try-out").code == 0
    assert call("branch", "create", "try-out").code == 0
    assert amounts(branch(production_mesh, "try-out"), DOUBLED) == both([20, 40, 60])


def test_two_machines_that_begin_a_line_at_once_begin_one(
    production_mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second has seen no line when the first one publishes its own."""
    open_shop(production_mesh)
    assert call("branch", "create", "try-out").code == 0
    first = branch(production_mesh, "try-out").stores[Server.LAKE]
    contract = read_mesh(production_mesh.root).product(DOUBLED).contract
    assert contract is not None
    own = replace(contract, domain=in_branch(DOUBLED, "try-out").partition("/")[0])
    live_files = sharing.live_files
    meanwhile: list[Version] = []

    def late(*given: Any) -> Any:
        found = live_files(*given)
        monkeypatch.setattr(sharing, "live_files", live_files)
        multiply(production_mesh, 3)
        with working_in(production_mesh, "try-out") as inside:
            assert inside.run(DOUBLED).success
        meanwhile.append(first.own_versions(DOUBLED)[-1])
        return found

    monkeypatch.setattr(sharing, "live_files", late)
    # Another machine has no part in this one's locks.
    monkeypatch.setattr(lake_store, "advisory_lock", lambda *_: nullcontext())
    second = branch(production_mesh, "try-out").stores[Server.LAKE]
    second.sharing.fork(own, DOUBLED, 1)
    (published,) = meanwhile
    assert branch(production_mesh, "try-out").stores[Server.LAKE].own_versions(DOUBLED)[-1] == (
        published
    )
