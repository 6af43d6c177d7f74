"""Promise: whenever a process is killed, readers see the old version or the new one, whole.

And the next run succeeds, nothing is published twice, nothing rejected is lost.
"""

from __future__ import annotations

import itertools
import random
import signal
from collections import Counter

import pytest

from shared_resources.contracts.model import Server
from tests.forkserver import lifetime
from tests.guarantees.orders import COLUMNS, KEY, LANDING, land_orders
from tests.guarantees.processes import (
    Death,
    child,
    make_batch,
    replay_entry,
    roll_back,
    start,
)
from tests.nightly import times
from tests.tiny_mesh import TinyMesh, contract_text

OLD = [1.0] * 40
NEW = [2.0] * 60
STORES = ("lake", "warehouse")
KILLS = times(usually=100, nightly=200)

# Every step of the way of a batch: what a process does when it dies is one of these.
_STEPS = (
    "shared_resources.stores.lake.store:LakeStore.staging_folder",
    "shared_resources.landing.zones.folder:FolderLandingZone.fetch",
    "shared_resources.data_products.makers.making:stage_object",
    "shared_resources.data_products.verdict:audit_parts",
    "shared_resources.stores.lake.store:LakeStore.publish",
    "pyiceberg.catalog.sql:SqlCatalog.commit_table",
    "shared_resources.stores.embedded_warehouse.store:WarehouseStore.publish",
    "os:link",
    "shared_resources.stores.pins:Pins.replace",
)
_ROLLBACK_STEPS = (
    "shared_resources.stores.lake.store:LakeStore.rollback",
    "pyiceberg.catalog.sql:SqlCatalog.commit_table",
    "shared_resources.stores.levelling:follow",
    "shared_resources.stores.embedded_warehouse.store:WarehouseStore.rollback",
    "os:link",
)
_REPLAY_STEPS = (
    "shared_resources.data_products.replaying:stage_object",
    "shared_resources.data_products.replaying:audit_batch",
    "pyiceberg.catalog.sql:SqlCatalog.commit_table",
    "shared_resources.stores.embedded_warehouse.store:WarehouseStore.publish",
    "shared_resources.governance.quarantine.quarantine:Quarantine.mark_replayed",
)


def _product(mesh: TinyMesh, loss: float = 0) -> None:
    properties: dict[str, object] = {"landing": LANDING}
    if loss:
        properties["lossBudgetPercent"] = loss
    mesh.product(KEY, contract_text(KEY, COLUMNS, servers=STORES, properties=properties))


def _seen(mesh: TinyMesh) -> dict[str, list[float]]:
    """What readers of each store see; every store has its own readers."""
    found = {}
    for server in Server:
        snapshot = mesh.environment.stores[server].open(KEY)
        found[server.value] = snapshot.batches().read_all()["amount"].to_pylist()
    return found


def _assert_whole(mesh: TinyMesh, *allowed: list[float]) -> None:
    for store, amounts in _seen(mesh).items():
        assert sorted(amounts) in [sorted(one) for one in allowed], f"{store} shows half a batch"


def _published_old(mesh: TinyMesh) -> None:
    _product(mesh)
    land_orders(mesh, list(OLD), "1-old")
    assert make_batch(mesh.environment, KEY, "run-old")


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", _STEPS)
def test_a_process_killed_at_a_step_of_publishing(mesh: TinyMesh, step: str, after: bool) -> None:
    _published_old(mesh)
    land_orders(mesh, list(NEW), "2-new")

    process = start(make_batch, mesh.environment, KEY, "run-new", death=Death(step, after))
    process.join(60)

    assert process.exitcode == -signal.SIGKILL, f"{step} is no step any more"
    _assert_whole(mesh, OLD, NEW)
    assert make_batch(mesh.environment, KEY, "run-new"), "the retried run succeeds"
    _assert_whole(mesh, NEW)
    batches = Counter(v.batch_id for v in mesh.versions(KEY))
    assert set(batches.values()) == {1}, "a batch was published twice"


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", _ROLLBACK_STEPS)
def test_a_process_killed_at_a_step_of_a_rollback(mesh: TinyMesh, step: str, after: bool) -> None:
    _published_old(mesh)
    land_orders(mesh, list(NEW), "2-new")
    make_batch(mesh.environment, KEY, "run-new")

    process = start(roll_back, mesh.environment, KEY, 1, death=Death(step, after))
    process.join(60)

    assert process.exitcode == -signal.SIGKILL, f"{step} is no step of a rollback any more"
    _assert_whole(mesh, OLD, NEW)
    roll_back(mesh.environment, KEY, 1)
    _assert_whole(mesh, OLD)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", _REPLAY_STEPS)
def test_a_process_killed_at_a_step_of_a_replay(mesh: TinyMesh, step: str, after: bool) -> None:
    _published_old(mesh)
    mesh.land(f"{KEY}/2-new.parquet", b"no parquet at all")
    assert not make_batch(mesh.environment, KEY, "run-new")
    (entry,) = mesh.environment.quarantine.list(KEY)
    # The object's bytes are mended in place of a mended contract: what is kept becomes readable.
    (kept,) = mesh.environment.quarantine.files(entry)
    land_orders(mesh, list(NEW), "3-mended")
    kept.write_bytes((mesh.environment.landing_zone.root / KEY / "3-mended.parquet").read_bytes())

    process = start(replay_entry, mesh.environment, KEY, entry.id, death=Death(step, after))
    process.join(60)

    assert process.exitcode == -signal.SIGKILL, f"{step} is no step of a replay any more"
    _assert_whole(mesh, OLD, NEW)
    again = start(replay_entry, mesh.environment, KEY, entry.id)
    again.join(60)
    _assert_whole(mesh, NEW)
    published = [v for v in mesh.versions(KEY) if v.evidence.replay_of]
    assert len(published) == 1, "a replay publishes once"


@pytest.mark.slow
def test_a_process_killed_at_random_points_again_and_again(mesh: TinyMesh) -> None:
    _published_old(mesh)
    chance = random.Random(20170101)
    current, killed, longest = _seen(mesh), 0, 1.0
    for number in itertools.count():
        if killed == KILLS:
            break
        new = [float(number + 10)] * (20 + number)
        land_orders(mesh, list(new), f"{number + 2:04}")
        process = child(make_batch, mesh.environment, KEY, f"run-{number}")
        took = lifetime(process, chance.uniform(0, longest))
        if took is None:
            killed += 1
            longest *= 1.02  # how long it takes changes with the machine's other work
        else:
            assert process.exitcode == 0, "what a killed process left fails the next one"
            longest = took
        seen = _seen(mesh)
        for store, amounts in seen.items():
            # The warehouse may have been brought level with what the lake had before.
            assert amounts in (*current.values(), new), f"{store} shows half a batch"
        current = seen
        if number % 10 == 0:
            assert make_batch(mesh.environment, KEY, f"run-{number}"), "the next run succeeds"
            current = _seen(mesh)
            assert set(map(tuple, current.values())) == {tuple(new)}, "the stores are level again"
    numbers = [version.number for version in mesh.versions(KEY)]
    assert numbers == list(range(1, len(numbers) + 1)), "no version is missing or doubled"
