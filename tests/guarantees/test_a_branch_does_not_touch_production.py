"""Promise: what is written in a branch is seen in it alone, until it is promoted, which is atomic.

Production never sees a branch's rows, two branches never meet, and whoever is killed while he
promotes leaves every product whole.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress

import pytest

from shared_resources.branching.branches import create, drop
from shared_resources.branching.promoting import promote
from shared_resources.environment import Environment
from shared_resources.mesh import read_whole_mesh
from shared_resources.stores.protocol import MovedOn
from shared_resources.wiring import existing_branch
from tests.forkserver import ended, running
from tests.guarantees.orders import COLUMNS, KEY, LANDING, land_orders
from tests.guarantees.processes import Death, child, make_batch, start
from tests.tiny_mesh import TinyMesh, contract_text

SERVERS = ("lake", "warehouse")
OLD, NEW = [1.0] * 40, [2.0] * 60
ROUNDS = 3

_STORES = "shared_resources.stores"
_STEPS = (
    "shared_resources.branching.promoting:_evidence",
    "os:link",
    f"{_STORES}.lake.sharing:LakeSharing.take",
    "pyiceberg.catalog.sql:SqlCatalog.commit_table",
    f"{_STORES}.embedded_warehouse.sharing:WarehouseSharing.take",
    f"{_STORES}.embedded_warehouse.manifests:Manifests.publish",
    "shared_resources.branching.promoting:_note",
    "shared_resources.branching.promoting:report_version",
    "shutil:rmtree",
    f"{_STORES}.lake.sharing:LakeSharing.forget",
    f"{_STORES}.embedded_warehouse.sharing:WarehouseSharing.forget",
)

_CARRYING = (
    "shared_resources.branching.carrying:write_whole",
    "shared_resources.governance.quarantine.folder:QuarantineFolder.keep",
    f"{_STORES}.lake.sharing:LakeSharing.take",
    "shared_resources.branching.promoting:carried",
    f"{_STORES}.embedded_warehouse.sharing:WarehouseSharing.take",
    "shared_resources.branching.promoting:_note",
)


def seen(environment: Environment) -> dict[str, list[float]]:
    """What readers of each store see."""
    return {
        store.name: sorted(store.open(KEY).batches().read_all()["amount"].to_pylist())
        for store in environment.stores.values()
    }


def both(amounts: list[float]) -> dict[str, list[float]]:
    return dict.fromkeys(SERVERS, amounts)


def make_in_branch(environment: Environment, name: str, run_id: str) -> None:
    assert make_batch(existing_branch(environment, name), KEY, run_id)


def make_rounds(environment: Environment, name: str) -> None:
    for number in range(ROUNDS):
        with suppress(MovedOn):  # the other one was first, and nothing of this one is there
            make_in_branch(environment, name, f"run-{name}-{os.getpid()}-{number}")


def promote_all(environment: Environment, name: str) -> None:
    promote(existing_branch(environment, name), read_whole_mesh(environment), (), "tests")


def published_old(mesh: TinyMesh) -> None:
    properties = {"landing": LANDING}
    mesh.product(KEY, contract_text(KEY, COLUMNS, servers=SERVERS, properties=properties))
    land_orders(mesh, list(OLD), "1-old")
    assert make_batch(mesh.environment, KEY, "run-old")


def test_production_never_sees_a_branchs_rows_and_two_branches_never_meet(mesh: TinyMesh) -> None:
    published_old(mesh)
    for name in ("one", "two"):
        create(mesh.environment, name, "tests")
    land_orders(mesh, list(NEW), "2-new")
    make_in_branch(mesh.environment, "one", "run-one")
    assert seen(mesh.environment) == both(OLD)
    assert seen(existing_branch(mesh.environment, "one")) == both(NEW)
    assert seen(existing_branch(mesh.environment, "two")) == both(OLD)
    drop(mesh.environment, "one", [KEY])
    assert seen(mesh.environment) == seen(existing_branch(mesh.environment, "two")) == both(OLD)


@pytest.mark.slow
def test_many_work_in_two_branches_and_in_production_at_once(mesh: TinyMesh) -> None:
    published_old(mesh)
    for name in ("one", "two"):
        create(mesh.environment, name, "tests")
    land_orders(mesh, list(NEW), "2-new")
    writers = [child(make_rounds, mesh.environment, n) for n in ("one", "one", "two")]
    with running(*writers):
        while any(writer.is_alive() for writer in writers):
            assert seen(mesh.environment) == both(OLD)
            for name in ("one", "two"):
                for store, amounts in seen(existing_branch(mesh.environment, name)).items():
                    assert amounts in (OLD, NEW), f"{store} shows half a batch in {name}"
        ended(*writers)
    for store in mesh.environment.stores.values():
        assert [version.batch_id for version in store.versions(KEY)] == [
            version.batch_id for version in store.versions(KEY)[:1]
        ]
    promote_all(mesh.environment, "one")
    assert seen(mesh.environment) == both(NEW)
    assert seen(existing_branch(mesh.environment, "two")) == both(NEW)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", _STEPS)
def test_a_process_killed_at_a_step_of_a_promotion(mesh: TinyMesh, step: str, after: bool) -> None:
    published_old(mesh)
    create(mesh.environment, "one", "tests")
    land_orders(mesh, list(NEW), "2-new")
    make_in_branch(mesh.environment, "one", "run-one")

    process = start(promote_all, mesh.environment, "one", death=Death(step, after))
    process.join(60)

    assert process.exitcode == -signal.SIGKILL, f"{step} is no step of a promotion any more"
    for store, amounts in seen(mesh.environment).items():
        assert amounts in (OLD, NEW), f"{store} shows half a batch"
    promote_all(mesh.environment, "one")
    assert seen(mesh.environment) == both(NEW)
    for one in mesh.environment.stores.values():
        batches = [version.batch_id for version in one.versions(KEY)]
        assert len(batches) == len(set(batches)) == 2, "a version was promoted twice"
    drop(mesh.environment, "one", [KEY])
    assert seen(mesh.environment) == both(NEW)
    left = [path for path in mesh.environment.home.rglob("*") if "__branch" in path.name]
    assert left == []


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", _CARRYING)
def test_a_process_killed_while_it_carries_what_was_set_aside_leaves_all_or_nothing(
    mesh: TinyMesh, step: str, after: bool
) -> None:
    properties = {"landing": LANDING, "lossBudgetPercent": 50}
    mesh.product(KEY, contract_text(KEY, COLUMNS, servers=SERVERS, properties=properties))
    land_orders(mesh, list(OLD), "1-old")
    assert make_batch(mesh.environment, KEY, "run-old")
    for name in ("one", "two"):
        create(mesh.environment, name, "tests")
    land_orders(mesh, [*NEW, -1.0], "2-new")
    make_in_branch(mesh.environment, "one", "run-one")

    process = start(promote_all, mesh.environment, "one", death=Death(step, after))
    process.join(60)
    assert process.exitcode == -signal.SIGKILL, f"{step} is no step of a promotion any more"

    drop(mesh.environment, "one", [KEY])  # nobody promotes it again
    entries = [entry.rows for entry in mesh.environment.quarantine.list(KEY)]
    lake, _ = mesh.environment.stores.values()
    promoted = lake.versions(KEY)[-1].evidence.promoted is not None
    assert entries == ([1] if promoted else [])
    assert not list(mesh.environment.home.rglob("*carrying*"))


@pytest.mark.slow
@pytest.mark.parametrize("step", ["shutil:rmtree", f"{_STORES}.lake.sharing:LakeSharing.forget"])
def test_a_process_killed_while_it_drops_a_branch_is_followed_by_another(
    mesh: TinyMesh, step: str
) -> None:
    published_old(mesh)
    create(mesh.environment, "one", "tests")
    land_orders(mesh, list(NEW), "2-new")
    make_in_branch(mesh.environment, "one", "run-one")
    process = start(drop, mesh.environment, "one", [KEY], death=Death(step, after=True))
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    drop(mesh.environment, "one", [KEY])
    assert [path for path in mesh.environment.home.rglob("*") if "__branch" in path.name] == []
    assert seen(mesh.environment) == both(OLD)
