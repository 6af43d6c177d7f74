"""Housekeeping of a product in all its stores, beside what else counts on old versions.

Belongs here: the four tasks with retention, pins, quarantine, replays, rollbacks and followers.
Does not belong here: one store's part (`test_expiry.py`, `test_compaction.py`), Dagster
(`test_jobs.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from shared_resources.contracts.model import Contract, Partitioning, Server
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.publishing import bring_level, rollback
from shared_resources.housekeeping.tasks import NOTHING, Done, Task, Unfinished, perform
from shared_resources.reporting.outside_runs import partitions_of_rollback
from shared_resources.state.database import TABLES
from shared_resources.stores.lake.store import LakeStore
from shared_resources.stores.pins import pin_of
from shared_resources.stores.protocol import NotPublished, Version
from tests.arrivals.test_sensor import landing_mesh, run_all
from tests.cli.commands import call
from tests.contract_factory import make_version
from tests.guarantees.orders import COLUMNS, KEY, LANDING, amounts, land_orders
from tests.stores.products import WHY
from tests.stores.products import contract as made_contract
from tests.tiny_mesh import TinyMesh, contract_text, failures

LATER = timedelta(days=400)  # the contracts of these tests keep versions for a year


def orders(mesh: TinyMesh, **properties: Any) -> Contract:
    """An ingest that is published in both stores."""
    text = contract_text(
        KEY, COLUMNS, servers=("lake", "warehouse"), properties={"landing": LANDING, **properties}
    )
    return read_contract(mesh.product(KEY, text) / "contract.odcs.yaml")


def publish(mesh: TinyMesh, *batches: Sequence[float]) -> None:
    for batch in batches:
        land_orders(mesh, list(batch))
        result = mesh.run(KEY)
        assert result.success, failures(result)


def do(mesh: TinyMesh, contract: Contract, task: Task, **options: Any) -> list[Done]:
    return perform(mesh.environment, contract, task, **{"now": later(), **options})


def later(by: timedelta = LATER) -> datetime:
    return datetime.now(UTC) + by


def numbers(mesh: TinyMesh) -> dict[str, list[int]]:
    stores = mesh.environment.stores.values()
    return {store.name: [version.number for version in store.versions(KEY)] for store in stores}


def test_versions_expire_in_both_stores_when_their_retention_is_over(mesh: TinyMesh) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0], [3.0])
    assert [one.changed for one in do(mesh, contract, Task.EXPIRE, now=later(timedelta(360)))] == [
        False,
        False,
    ]
    done = do(mesh, contract, Task.EXPIRE)
    assert [one.details["versions_removed"] for one in done] == [[1, 2], [1, 2]]
    assert [one.summary for one in done] == ["versions 1 to 2 of 3"] * 2
    assert numbers(mesh) == {"lake": [3], "warehouse": [3]}
    assert [one.summary for one in do(mesh, contract, Task.EXPIRE)] == [NOTHING, NOTHING]
    publish(mesh, [4.0])
    assert numbers(mesh) == {"lake": [3, 4], "warehouse": [3, 4]}


def test_a_store_that_a_death_between_two_commits_left_behind_is_brought_level(
    mesh: TinyMesh,
) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0])
    lake, warehouse = mesh.environment.stores_of(contract)
    lake.rollback(contract, 1, WHY, batch_id="died")
    would = do(mesh, contract, Task.ORPHANS, dry_run=True)
    assert [one.summary for one in would] == [NOTHING, "brought level with the lake"]
    assert numbers(mesh) == {"lake": [1, 2, 3], "warehouse": [1, 2]}
    done = do(mesh, contract, Task.ORPHANS)
    assert [(one.changed, one.summary) for one in done] == [
        (one.changed, one.summary) for one in would
    ]
    assert numbers(mesh) == {"lake": [1, 2, 3], "warehouse": [1, 2, 3]}
    table = warehouse.open(KEY).batches().read_all()
    assert table["amount"].to_pylist() == [1.0]
    assert [one.changed for one in do(mesh, contract, Task.ORPHANS)] == [False, False]


def test_a_dry_run_says_the_same_and_changes_nothing(mesh: TinyMesh) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0])
    for task in Task:
        would = do(mesh, contract, task, dry_run=True)
        assert numbers(mesh) == {"lake": [1, 2], "warehouse": [1, 2]}
        if task is Task.EXPIRE:
            assert do(mesh, contract, task) == would
            break


def test_what_a_run_has_pinned_within_a_day_is_kept(mesh: TinyMesh) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0], [3.0])
    lake = mesh.environment.stores[Server.LAKE]
    mesh.environment.pins.keep_first("a-run", pin_of(lake.versions(KEY)[1]))
    _pinned_at(mesh, later() - timedelta(hours=23))
    # The run is reading in the lake: there version 2 stays, and the warehouse is free.
    assert [one.details["versions_removed"] for one in do(mesh, contract, Task.EXPIRE)] == [
        [1],
        [1, 2],
    ]
    _pinned_at(mesh, later() - timedelta(hours=25))
    do(mesh, contract, Task.EXPIRE)
    assert numbers(mesh) == {"lake": [3], "warehouse": [3]}


def _pinned_at(mesh: TinyMesh, moment: datetime) -> None:
    pins = TABLES.tables["mesh_pins"]
    pinned = sa.update(pins).where(pins.c.run_id == "a-run").values(pinned_at=moment)
    with mesh.environment.state.begin() as connection:
        connection.execute(pinned)


def test_a_rollback_to_an_expired_version_names_what_is_kept(mesh: TinyMesh) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0], [3.0])
    do(mesh, contract, Task.EXPIRE)
    publish(mesh, [4.0])
    call("rollback", KEY, "--to", 1).refused("no version 1 in the lake", "keeps 3 to 4")
    assert call("rollback", KEY, "--to", 3).code == 0
    assert amounts(mesh) == [3.0]
    assert [row["version"] for row in call("versions", KEY, "--json").json] == [3, 4, 5] * 2


def test_a_store_that_lags_behind_follows_over_expired_versions(mesh: TinyMesh) -> None:
    """The lake rolled back to what the warehouse no longer has, and its process died."""
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0], [3.0])
    lake, warehouse = mesh.environment.stores_of(contract)
    warehouse.expire(contract, datetime.now(UTC))
    lake.rollback(contract, 1, WHY, batch_id="back")
    do(mesh, contract, Task.EXPIRE)
    assert numbers(mesh) == {"lake": [1, 4], "warehouse": [3]}
    bring_level(contract, (lake, warehouse))
    assert numbers(mesh) == {"lake": [1, 4], "warehouse": [3, 4]}
    assert warehouse.open(KEY).batches().read_all()["amount"].to_pylist() == [1.0]
    versions = rollback(mesh.environment, contract, 1, by="ada")
    assert [version.number for version in versions] == [5, 5]


def test_a_retried_run_of_a_kept_version_still_publishes_once(mesh: TinyMesh) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0])
    batch = mesh.versions(KEY)[-1].batch_id
    for task in Task:
        do(mesh, contract, task)
    for store in mesh.environment.stores.values():
        kept = store.published_batch(KEY, batch)
        assert kept is not None and kept.number == 2


def test_a_replay_does_not_guess_what_took_its_place(mesh: TinyMesh) -> None:
    """The entry is older than versions that have expired: one of them may have replaced it."""
    contract = orders(mesh)
    publish(mesh, [1.0])
    land_orders(mesh, [-1.0])
    assert not mesh.run(KEY).success
    (entry,) = mesh.environment.quarantine.list(KEY)
    publish(mesh, [2.0], [3.0])
    do(mesh, contract, Task.EXPIRE)
    call("quarantine", "replay", entry.id).refused("is older than version 3", code=1)
    lake = mesh.environment.stores[Server.LAKE]
    assert isinstance(lake, LakeStore)
    assert lake.rollback(contract, 3, WHY, batch_id="x").number == 4
    assert amounts(mesh) == [3.0]


@pytest.mark.parametrize(
    ("kept", "changed"),
    [
        ([1, 2, 3, 4], ["2024-01-02", "2024-01-03", "2024-01-04"]),
        ([1, 3, 4], ["all", "2024-01-03", "2024-01-04"]),
        ([1, 2, 3], ["2024-01-02", "2024-01-03"]),
        ([1, 4], ["all", "2024-01-04"]),
    ],
)
def test_a_rollback_over_expired_versions_may_have_changed_anything(
    kept: list[int], changed: list[str]
) -> None:
    contract = made_contract(partitioned=True)
    assert isinstance(contract.partitioning, Partitioning)
    before = [make_version(contract, n, partitions=(f"2024-01-0{n}",)) for n in kept]
    assert partitions_of_rollback(contract, before, 1, ["all"]) == tuple(sorted(changed))


def test_quarantine_expires_by_default_or_by_contract(mesh: TinyMesh) -> None:
    contract = orders(mesh)
    land_orders(mesh, [-1.0])
    assert not mesh.run(KEY).success
    (entry,) = mesh.environment.quarantine.list(KEY)
    for days in (1, 89):
        (done,) = do(mesh, contract, Task.QUARANTINE, now=later(timedelta(days=days)))
        assert (done.changed, done.summary) == (False, NOTHING)
    would = do(mesh, contract, Task.QUARANTINE, now=later(timedelta(days=91)), dry_run=True)
    assert mesh.environment.quarantine.list(KEY) == [entry]
    assert do(mesh, contract, Task.QUARANTINE, now=later(timedelta(days=91))) == would
    (done,) = would
    assert done.details == {"entries_removed": [entry.id], "undecided_removed": [entry.id]}
    assert mesh.environment.quarantine.list(KEY) == []
    land_orders(mesh, [-2.0])
    assert not mesh.run(KEY).success
    week = orders(mesh, quarantineDays=7)
    (done,) = do(mesh, week, Task.QUARANTINE, now=later(timedelta(days=8)))
    assert done.summary == "1 removed, 1 of them never decided on"


def test_a_store_that_fails_does_not_keep_the_other_from_it(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    contract = orders(mesh)
    publish(mesh, [1.0], [2.0])

    def broken(*_: object) -> list[Version]:
        raise NotPublished("the catalog is away")

    monkeypatch.setattr(LakeStore, "expire", broken)
    with pytest.raises(
        Unfinished, match=r"order/orders: expire failed.*the catalog is away"
    ) as told:
        do(mesh, contract, Task.EXPIRE)
    assert [one.place for one in told.value.done] == ["warehouse"]
    assert numbers(mesh) == {"lake": [1, 2], "warehouse": [2]}


def test_the_command_does_all_or_what_is_asked(mesh: TinyMesh) -> None:
    orders(mesh)
    publish(mesh, [1.0], [2.0])
    told = call("housekeeping", "--json").json
    assert [(one["task"], one["place"]) for one in told] == [
        *(
            (task, place)
            for task in ("compact", "expire", "orphans")
            for place in ("lake", "warehouse")
        ),
        ("quarantine", "quarantine"),
    ]
    assert not any(one["changed"] for one in told)
    asked = call("housekeeping", "order", "--expire", "--quarantine", "--dry-run", "--json").json
    assert [one["task"] for one in asked] == ["expire", "expire", "quarantine"]
    assert call("housekeeping", KEY).out == "7 of 7 looked at: nothing to do\n"
    call("housekeeping", "ordre").refused("no product or domain 'ordre'", "order")


def test_the_command_ends_with_1_when_a_product_failed(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders(mesh)
    publish(mesh, [1.0])

    def broken(*_: object) -> None:
        raise OSError("the disk is away")

    monkeypatch.setattr(LakeStore, "compact", broken)
    called = call("housekeeping", "--compact")
    assert called.code == 1
    assert "order/orders: compact failed" in called.err and "the disk is away" in called.err
    assert "Traceback" not in called.err


def test_objects_of_expired_versions_are_not_landed_again(mesh: TinyMesh) -> None:
    """The ledger remembers what versions said, longer than they are kept."""
    landing_mesh(mesh, daily=True)
    folder = mesh.environment.landing_zone.root / "shop/items"
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        (folder / f"2026-03-0{number}.csv").write_text(f"id,day\n{number},2026-03-0{number}\n")
        assert run_all(mesh, None)[1] == 1
    contract = read_contract(mesh.root / "domains/shop/products/items/contract.odcs.yaml")
    (done,) = do(mesh, contract, Task.EXPIRE)
    assert done.details["versions_removed"] == [1, 2]
    assert run_all(mesh, None)[1] == 0
    assert sorted(row["id"] for row in mesh.rows("shop/items")) == [1, 2, 3]
