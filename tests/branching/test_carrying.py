"""What the batches of a promoted version set aside is in production's quarantine, and stands there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from typing import Any

import pyarrow as pa
import pytest

from shared_resources.branching import carrying, promoting
from shared_resources.branching.branches import create, drop
from shared_resources.branching.promoting import promote
from shared_resources.data_products.compared.standing import entries_of
from shared_resources.environment import Environment
from shared_resources.governance.quarantine.rejection import QuarantineEntry
from shared_resources.mesh import read_mesh, read_whole_mesh
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.embedded_warehouse.sharing import WarehouseSharing
from shared_resources.stores.lake.sharing import LakeSharing
from shared_resources.stores.protocol import MovedOn, PublishError, Version
from shared_resources.wiring import current, existing_branch
from tests.branching.shop import LINES, amounts, branch, open_shop, working_in
from tests.cli.commands import Called, call
from tests.guarantees.orders import COLUMNS, DAILY, DAY, KEY, land_day, orders_table
from tests.guarantees.processes import make_batch
from tests.tiny_mesh import TinyMesh, column, contract_text

DAYS = ("2024-01-01", "2024-01-02", "2024-01-03")


@pytest.fixture
def daily(mesh: TinyMesh) -> TinyMesh:
    """One day is published, and there is a branch; of each batch some rows may be lost."""
    text = contract_text(KEY, (*COLUMNS, DAY), properties={**DAILY, "lossBudgetPercent": 50})
    mesh.product(KEY, text)
    land_day(mesh, DAYS[0], [1.0])
    assert make_batch(mesh.environment, KEY, "run-old", (DAYS[0],))
    create(mesh.environment, "one", "tests")
    return mesh


def entries(environment: Environment) -> dict[str, QuarantineEntry]:
    """Of production, by day, with what became of each."""
    contract = read_mesh(environment.root).product(KEY).contract
    assert contract is not None
    return {one.partitions[0]: one for one in entries_of(environment, contract)}


def make(mesh: TinyMesh, run_id: str, *days: str, branch: str | None = "one") -> None:
    environment = existing_branch(mesh.environment, branch) if branch else mesh.environment
    assert make_batch(environment, KEY, run_id, days)


def promote_all(environment: Environment) -> list[Version]:
    found = promote(existing_branch(environment, "one"), read_whole_mesh(environment), (), "tests")
    return [version for one in found for version in one.versions]


def test_what_each_of_several_batches_lost_stands_until_it_is_replaced(daily: TinyMesh) -> None:
    for number, day in enumerate(DAYS):
        land_day(daily, day, [5.0, -1.0 - number])
        make(daily, f"run-{number}", day)
    (version,) = promote_all(daily.environment)
    found = entries(daily.environment)
    assert set(found) == {*DAYS} and all(one.open for one in found.values()), found
    assert {*version.evidence.quarantined} == {one.id for one in found.values()}

    land_day(daily, DAYS[1], [6.0])
    make(daily, "run-again", DAYS[1], branch=None)
    assert {day for day, one in entries(daily.environment).items() if one.open} == {
        DAYS[0],
        DAYS[2],
    }


def test_what_a_later_batch_of_the_branch_replaced_is_not_carried(daily: TinyMesh) -> None:
    land_day(daily, DAYS[1], [5.0, -1.0])
    land_day(daily, DAYS[2], [5.0, -1.0])
    make(daily, "run-1", DAYS[1], DAYS[2])
    land_day(daily, DAYS[1], [6.0, 7.0])
    make(daily, "run-2", DAYS[1])
    promote_all(daily.environment)
    (entry,) = entries(daily.environment).values()
    assert entry.partitions == (DAYS[2],) and entry.open


def test_what_was_replayed_in_the_branch_is_published_and_its_rest_stands(
    daily: TinyMesh,
) -> None:
    land_day(daily, DAYS[1], [5.0, -1.0])
    make(daily, "run-1", DAYS[1])
    land_day(daily, DAYS[2], [5.0, -1.0])
    make(daily, "run-2", DAYS[2])
    there = existing_branch(daily.environment, "one")
    (lost,) = (one for one in there.quarantine.list(KEY) if one.partitions == (DAYS[1],))
    there.quarantine.close(lost.id, by="somebody", reason="a test's row")
    promote_all(daily.environment)
    found = entries(daily.environment)
    assert found[DAYS[2]].open
    assert found[DAYS[1]].settled == "closed by somebody: a test's row"


def test_an_entry_is_known_by_the_version_it_was_rejected_on_in_production(
    daily: TinyMesh,
) -> None:
    """The branch counts its versions further than production does."""
    for number in range(3):
        land_day(daily, DAYS[0], [float(number + 2)])
        make(daily, f"run-{number}", DAYS[0])
    land_day(daily, DAYS[1], [5.0])
    land_day(daily, DAYS[2], [-1.0])
    make(daily, "run-half", DAYS[1], DAYS[2])  # of the third day nothing is fit to be published
    (version,) = promote_all(daily.environment)
    assert version.number == 2
    assert entries(daily.environment)[DAYS[2]].open
    land_day(daily, DAYS[2], [3.0])
    make(daily, "run-mended", DAYS[2], branch=None)
    assert entries(daily.environment)[DAYS[2]].replaced_by == 3


def test_a_promotion_that_the_first_store_refuses_leaves_nothing(
    daily: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    land_day(daily, DAYS[1], [5.0, -1.0])
    make(daily, "run-1", DAYS[1])
    there = existing_branch(daily.environment, "one")
    carry = promoting.carry

    def meanwhile(*given: Any) -> None:
        carry(*given)
        assert entries(daily.environment)
        land_day(daily, DAYS[0], [9.0])
        make(daily, "run-meanwhile", DAYS[0], branch=None)

    monkeypatch.setattr(promoting, "carry", meanwhile)
    # Another machine has no part in this one's locks.
    monkeypatch.setattr(promoting, "product_lock", lambda *_: nullcontext())
    with pytest.raises(MovedOn):
        promote_all(daily.environment)
    assert entries(daily.environment) == {}
    assert [one.id for one in there.quarantine.list(KEY)]


def test_what_a_dead_promotion_left_and_somebody_replayed_stays(
    daily: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in DAYS[1:]:
        land_day(daily, day, [5.0, -1.0])
    make(daily, "run-1", *DAYS[1:])

    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(promoting, "carried", dies)
    monkeypatch.setattr(WarehouseSharing, "take", dies)
    monkeypatch.setattr(LakeSharing, "take", dies)
    with pytest.raises(KeyboardInterrupt):
        promote_all(daily.environment)
    found = entries(daily.environment)
    assert set(found) == {*DAYS[1:]}
    daily.environment.quarantine.mark_replayed(found[DAYS[1]].id, 2)
    drop(daily.environment, "one", [KEY])
    assert [one.id for one in daily.environment.quarantine.list(KEY)] == [found[DAYS[1]].id]


def test_a_promotion_that_ends_while_another_waits_for_it_left_nothing_to_take_back(
    daily: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = existing_branch(daily.environment, "one")
    note = there.home / "carrying" / f"{KEY}.json"
    note.parent.mkdir(parents=True)
    note.write_text("[]")

    @contextmanager
    def waited(*_: object) -> Iterator[None]:
        carrying.carried(there, KEY)
        yield

    monkeypatch.setattr(carrying, "product_lock", waited)
    carrying.take_back(there)
    assert not note.exists()


def promoted_on_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> Called:
    """Of branch `one`: the lake takes it, and the warehouse's disk is full."""

    def full(*_: object, **__: object) -> Version:
        raise PublishError("the disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(WarehouseSharing, "take", full)
        return call("branch", "promote", "one")


def test_a_store_that_refuses_after_another_has_it_is_named_and_brought_level(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(mesh)
    assert call("branch", "create", "one").code == 0
    mesh.land(f"{LINES}/2.csv", "line_id,amount\n1,10\n2,-5\n")
    with working_in(mesh, "one") as inside:
        assert inside.run(LINES).success
    told = promoted_on_a_full_disk(monkeypatch)
    assert told.code == 1, told
    assert "the warehouse did not take it (the disk is full)" in told.err
    assert "as version 2 in the lake" in told.err
    assert amounts(current(), LINES) == {"lake": [10], "warehouse": [10, 20, 30]}
    assert [one.rows for one in current().quarantine.list(LINES)] == [1]
    told = call("branch", "promote", "one")
    assert told.code == 0, told.err
    assert amounts(current(), LINES) == {"lake": [10], "warehouse": [10]}
    assert call("branch", "drop", "one").code == 0
    assert [one.rows for one in current().quarantine.list(LINES)] == [1]


def test_a_run_that_brings_the_other_store_level_has_promoted_it_there_too(
    mesh: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_shop(mesh)
    assert call("branch", "create", "one").code == 0
    mesh.land(f"{LINES}/2.csv", "line_id,amount\n1,10\n")
    with working_in(mesh, "one") as inside:
        assert inside.run(LINES).success
    assert promoted_on_a_full_disk(monkeypatch).code == 1
    assert mesh.run(LINES).success  # it finds nothing new, and one store behind the other
    assert amounts(current(), LINES) == {"lake": [10], "warehouse": [10]}
    told = call("branch", "promote", "one")
    assert told.code == 0 and f"{LINES}: production has it already" in told.out, told
    assert in_branch(LINES, "one") not in [
        key for store in branch(mesh, "one").stores.values() for key in store.sharing.products()
    ]


def test_what_would_be_refused_is_said_before_anything_is_carried(mesh: TinyMesh) -> None:
    """Of a column that came to a product which production has not, Iceberg would have another id."""
    create(mesh.environment, "one", "tests")
    text = contract_text(KEY, (*COLUMNS, DAY), properties={**DAILY, "lossBudgetPercent": 50})
    mesh.product(KEY, text)
    land_day(mesh, DAYS[0], [1.0, -1.0])
    make(mesh, "run-1", DAYS[0])
    note = column("note", "VARCHAR")
    text = contract_text(KEY, (note, *COLUMNS, DAY), properties=DAILY, version="1.1.0")
    mesh.product(KEY, text)
    table = orders_table([1.0]).append_column("day", pa.array([date(2024, 1, 1)]))
    mesh.land(f"{KEY}/{DAYS[0]}.parquet", table.append_column("note", pa.array(["new"])))
    make(mesh, "run-2", DAYS[0])
    told = call("branch", "promote", "one")
    assert told.code == 1 and "the lake would not take it" in told.err, told
    assert mesh.environment.quarantine.list(KEY) == []
    drop(mesh.environment, "one", [KEY])
