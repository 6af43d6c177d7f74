"""Branches from end to end, by `mesh branch` and runs: create, work, compare, promote, drop."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from shared_resources.arrivals.whole_prefix import look
from shared_resources.branching import promoting
from shared_resources.mesh import read_mesh
from shared_resources.state.leases import lease
from shared_resources.stores.branched.names import BranchProblem, check_name
from shared_resources.wiring import current
from tests.branching.shop import (
    COLUMNS,
    DOUBLED,
    LINES,
    SERVERS,
    amounts,
    branch,
    multiply,
    open_shop,
    read,
    working_in,
)
from tests.cli.commands import call
from tests.stores.products import WHY
from tests.tiny_mesh import TinyMesh, contract_text


@pytest.fixture
def shop(mesh: TinyMesh) -> TinyMesh:
    open_shop(mesh)
    return mesh


def both(found: list[float]) -> dict[str, list[float]]:
    """The same in the lake and the warehouse."""
    return dict.fromkeys(SERVERS, found)


def test_a_branch_is_made_at_once_and_copies_nothing(shop: TinyMesh) -> None:
    home = shop.environment.home
    before = {str(path) for path in home.rglob("*")}
    begun = time.monotonic()
    told = call("branch", "create", "try-out")
    assert told.code == 0, told.err
    assert time.monotonic() - begun < 2
    more = {str(path) for path in home.rglob("*")} - before
    made = home / "branches" / "try-out"
    assert more <= {str(home / "branches"), str(made), str(made / "made-at")} | {
        path for path in more if Path(path).name.startswith("state.db") or "locks" in path
    }
    listed = call("branch", "list", "--json").json
    assert [(one["branch"], one["products"]) for one in listed] == [("try-out", [])]


def test_a_change_is_made_compared_promoted_and_nothing_is_left(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(DOUBLED).success
    assert amounts(current(), DOUBLED) == both([20, 40, 60])
    assert amounts(branch(shop, "try-out"), DOUBLED) == both([30, 60, 90])
    assert call("read", DOUBLED, "--branch", "try-out").out.count("90.0") == 1
    assert call("read", DOUBLED).out.count("90.0") == 0

    (found,) = call("branch", "diff", "try-out", "--json").json
    assert found["product"] == DOUBLED and found["against"] == []
    assert found["changes"]["columns"] == {"amount": 3} and found["changes"]["changed"] == 3
    said = call("branch", "diff", "try-out").out
    assert "0 rows added, 0 gone, 3 changed" in said and "amount: 3 rows" in said

    told = call("branch", "promote", "try-out")
    assert told.code == 0, told.err
    assert f"{DOUBLED}: version 2 in the lake is that of branch try-out (3 rows)" in told.out
    assert amounts(current(), DOUBLED) == both([30, 60, 90])
    for store in current().stores.values():
        evidence = store.versions(DOUBLED)[-1].evidence
        assert evidence.promoted is not None and evidence.promoted.branch == "try-out"
    assert call("branch", "promote", "try-out").out == "branch try-out has made nothing\n"
    (shown, *_) = call("evidence", DOUBLED, "--verify", "--json").json
    assert shown["differences"] == [] and shown["versions"][-1]["kind"] == "promotion"
    assert shown["versions"][-1]["policies"], "it keeps under which terms the branch checked it"

    assert call("branch", "drop", "try-out").code == 0
    left = [str(path) for path in current().home.rglob("*") if "branch" in str(path)]
    assert left == [str(current().home / "branches")]
    assert amounts(current(), DOUBLED) == both([30, 60, 90])
    assert call("branch", "list").out.startswith("there is no branch")


def test_two_products_are_promoted_together_inputs_first(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    shop.land(f"{LINES}/2.csv", "line_id,amount\n1,11\n2,22\n")
    with working_in(shop, "try-out") as inside:
        assert inside.run(LINES).success and inside.run(DOUBLED).success
    alone = call("branch", "promote", "try-out", DOUBLED)
    assert alone.code == 1 and f"name {LINES}, too" in alone.err
    assert read(current(), DOUBLED) == [20, 40, 60]

    told = call("branch", "promote", "try-out", "--json")
    assert told.code == 0, told.err
    assert [one["product"] for one in told.json] == [LINES, DOUBLED]
    assert amounts(current(), LINES) == both([11, 22])
    assert amounts(current(), DOUBLED) == both([22, 44])
    lake = next(iter(current().stores.values()))
    newest = lake.versions(LINES)[-1]
    pin = lake.versions(DOUBLED)[-1].evidence.inputs[LINES]
    assert pin == f"lake:{newest.number}:{newest.snapshot}"
    # What landed is taken in production, too.
    contract = read_mesh(shop.root).product(LINES).contract
    assert contract is not None and not look(current(), contract).by_partition


def test_one_after_the_other_is_promoted_as_well(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    with working_in(shop, "try-out") as inside:
        for number in (2, 3):  # production's number will be another than the branch's
            inside.land(f"{LINES}/{number}.csv", f"line_id,amount\n1,{number}\n")
            assert inside.run(LINES).success
        assert inside.run(DOUBLED).success
    for product in (LINES, DOUBLED):
        told = call("branch", "promote", "try-out", product)
        assert told.code == 0, told.err
    assert read(current(), DOUBLED) == [6]


@pytest.mark.parametrize("server", SERVERS)
def test_an_input_that_was_made_again_after_its_promotion_is_not_the_promoted_one(
    mesh: TinyMesh, server: str
) -> None:
    shop = mesh
    open_shop(shop, (server,))
    call("branch", "create", "try-out")
    for number in (2, 3):
        with working_in(shop, "try-out") as inside:
            inside.land(f"{LINES}/{number}.csv", f"line_id,amount\n1,{number}\n")
            assert inside.run(LINES).success
    assert call("branch", "promote", "try-out", LINES).code == 0
    with working_in(shop, "try-out") as inside:  # it begins with 2, and the warehouse says 3 again
        inside.land(f"{LINES}/4.csv", "line_id,amount\n1,4\n")
        assert inside.run(LINES).success and inside.run(DOUBLED).success
    alone = call("branch", "promote", "try-out", DOUBLED)
    assert alone.code == 1 and f"name {LINES}, too" in alone.err
    assert read(current(), DOUBLED) == [20, 40, 60]
    told = call("branch", "promote", "try-out", LINES, DOUBLED)
    assert told.code == 0, told.err
    assert read(current(), DOUBLED) == [8]


def test_nothing_is_promoted_while_a_run_works_in_the_branch(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(DOUBLED).success
    for command in ("promote", "drop"):
        with lease(branch(shop, "try-out")):
            told = call("branch", command, "try-out")
        assert told.code == 2 and "a run works in branch try-out" in told.err
    assert read(current(), DOUBLED) == [20, 40, 60]
    assert read(branch(shop, "try-out"), DOUBLED) == [30, 60, 90]


def test_what_another_machine_publishes_meanwhile_is_not_forgotten(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("branch", "create", "try-out")
    for factor in (3, 4):
        multiply(shop, factor)
        with working_in(shop, "try-out") as inside:
            assert inside.run(DOUBLED).success
    contract = read_mesh(shop.root).product(DOUBLED).contract
    assert contract is not None

    def meanwhile(*_: object, **__: object) -> None:
        for store in branch(shop, "try-out").stores.values():
            store.rollback(contract, 2, WHY, batch_id="elsewhere")

    monkeypatch.setattr(promoting, "report_version", meanwhile)
    told = call("branch", "promote", "try-out")
    assert told.code == 0, told.err
    assert amounts(current(), DOUBLED) == both([40, 80, 120])
    assert amounts(branch(shop, "try-out"), DOUBLED) == both([30, 60, 90])


def test_what_is_published_between_the_look_and_the_commit_is_left(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("branch", "create", "try-out")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(DOUBLED).success

    def meanwhile(*_: object) -> tuple[()]:
        multiply(shop, 5)
        assert shop.run(DOUBLED).success
        return ()

    monkeypatch.setattr(promoting, "refusals_standing", meanwhile)
    told = call("branch", "promote", "try-out")
    assert told.code == 1 and "was published just now" in told.err
    assert amounts(current(), DOUBLED) == both([50, 100, 150])
    assert amounts(branch(shop, "try-out"), DOUBLED) == both([30, 60, 90])


def test_what_moved_is_said_and_nothing_is_changed(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(DOUBLED).success
    shop.land(f"{LINES}/2.csv", "line_id,amount\n9,9\n")
    assert shop.run(LINES).success
    told = call("branch", "promote", "try-out")
    assert told.code == 1 and "nothing was promoted" in told.err
    assert f"made of version 1 of {LINES}, which is at version 2 by now" in told.err
    assert shop.run(DOUBLED).success
    told = call("branch", "promote", "try-out")
    assert f"production has version 2 of {DOUBLED} in the lake by now" in told.err
    assert read(current(), DOUBLED) == [27]
    assert read(branch(shop, "try-out"), DOUBLED) == [30, 60, 90]


def test_another_contract_than_it_was_audited_by_keeps_it_back(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(DOUBLED).success
    text = contract_text(DOUBLED, COLUMNS, servers=SERVERS, version="1.1.0")
    shop.product(DOUBLED, text)
    told = call("branch", "promote", "try-out")
    assert told.code == 1 and "audited by another text of its contract (version 1.0.0)" in told.err
    retired = contract_text(DOUBLED, COLUMNS, servers=SERVERS).replace("active", "retired")
    shop.product(DOUBLED, retired)
    told = call("branch", "promote", "try-out")
    assert told.code == 1 and "is retired" in told.err
    assert read(current(), DOUBLED) == [20, 40, 60]


def test_what_a_promoted_batch_lost_is_in_productions_quarantine(shop: TinyMesh) -> None:
    call("branch", "create", "try-out")
    shop.land(f"{LINES}/2.csv", "line_id,amount\n1,10\n2,-5\n")
    with working_in(shop, "try-out") as inside:
        assert inside.run(LINES).success
    assert current().quarantine.list(LINES) == []
    (entry,) = branch(shop, "try-out").quarantine.list(LINES)
    assert call("branch", "promote", "try-out").code == 0
    assert call("branch", "drop", "try-out").code == 0
    (carried,) = current().quarantine.list(LINES)
    assert (carried.id, carried.rows) == (entry.id, 1)
    assert current().quarantine.rows(carried).read_all()["amount"].to_pylist() == [-5]


def test_what_landed_and_was_taken_in_a_branch_is_still_to_come_in_production(
    shop: TinyMesh,
) -> None:
    call("branch", "create", "try-out")
    shop.land(f"{LINES}/2.csv", "line_id,amount\n7,7\n")
    with working_in(shop, "try-out") as inside:
        assert inside.run(LINES).success
    assert call("branch", "drop", "try-out").code == 0
    assert read(current(), LINES) == [10, 20, 30]
    assert shop.run(LINES).success
    assert read(current(), LINES) == [7]


def test_runs_of_a_branch_are_recorded_in_an_instance_of_its_own(
    shop: TinyMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    call("branch", "create", "try-out")
    monkeypatch.setenv("DAGSTER_HOME", str(shop.environment.home / "productions"))
    inside = branch(shop, "try-out")
    assert inside.dagster == inside.home / "dagster"
    assert inside.home == shop.environment.home / "branches" / "try-out"


@pytest.mark.parametrize(
    ("name", "instead"),
    [("Feature/One", "'feature-one'"), ("a_b", "'a-b'"), ("../up", "'up'"), ("x" * 41, "xxx")],
)
def test_a_name_that_is_unsafe_is_refused_with_one_that_would_do(name: str, instead: str) -> None:
    told = call("branch", "create", name)
    assert told.code == 2 and instead in told.err


def test_names_cannot_meet_in_a_store() -> None:
    assert check_name("a-b") == "a-b"
    for name in ("", "-a", "a-", "a--b", "ä", "a b", "a.b", "A"):
        with pytest.raises(BranchProblem, match="cannot name a branch"):
            check_name(name)


def test_a_branch_that_there_is_not_is_named_so(shop: TinyMesh) -> None:
    for arguments in (("run", "--branch", "nowhere"), ("branch", "drop", "nowhere")):
        told = call(*arguments)
        assert told.code == 2 and "there is no branch 'nowhere'" in told.err
    call("branch", "create", "try-out")
    assert "there are try-out" in call("status", "--branch", "nowhere").err
    assert "already" in call("branch", "create", "try-out").err
    told = call("branch", "promote", "try-out", "order/nothing")
    assert told.code == 2 and "there is no product" in told.err
    told = call("branch", "diff", "try-out", DOUBLED)
    assert told.code == 2 and "has not made order/doubled; it has made nothing" in told.err


def test_the_state_of_an_earlier_branch_of_the_name_is_not_taken_for_its_own(
    shop: TinyMesh,
) -> None:
    call("branch", "create", "try-out")
    multiply(shop, 3)
    with working_in(shop, "try-out") as inside:
        assert inside.run(DOUBLED).success
    home = shop.environment.home / "branches" / "try-out"
    kept = home.with_name("elsewhere")
    shutil.copytree(home, kept)
    assert call("branch", "drop", "try-out").code == 0
    shutil.copytree(kept, home)  # as a machine has it on which the branch was not dropped
    call("branch", "create", "try-out").refused("holds what an earlier branch try-out kept")
    shutil.rmtree(home)
    assert call("branch", "create", "try-out").code == 0
    shutil.rmtree(home)
    shutil.copytree(kept, home)
    call("status", "--branch", "try-out").refused("is of an earlier branch try-out", "Remove it")
    shutil.rmtree(home)
    assert call("versions", DOUBLED, "--branch", "try-out").code == 0
    assert read(branch(shop, "try-out"), DOUBLED) == [20, 40, 60]
