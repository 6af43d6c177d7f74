"""`mesh ci --branch`: what a change makes, and what its consumers make of it, in a branch."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.wiring import current
from tests.branching.shop import branch, read, working_in
from tests.cli.commands import call
from tests.reviewing.repositories import READER, TOTAL, cases, commit, git, refused, reviewed, shop
from tests.tiny_mesh import TinyMesh, column, contract_text

ONLY_DATA = ("--no-tests", "--since", "main", "--branch", "pr-1")
COPY = """
    import pandas as pd
    from shared_resources import data_product

    @data_product(lines="order/lines")
    def copied(lines: pd.DataFrame) -> pd.DataFrame:
        return lines.assign(amount=lines["amount"] * {factor})
"""
COPIED = [
    column("line_id", required=True, primaryKey=True, primaryKeyPosition=1),
    column("amount", "DOUBLE", required=True, logicalTypeOptions={"minimum": 0}),
]


@pytest.fixture
def published(mesh: TinyMesh) -> TinyMesh:
    """`order/lines` is copied, and the copy is summed up in another domain."""
    shop(mesh)
    copied(mesh, 1)
    daily = READER.format(factor=1).replace("order/lines", "order/copied")
    mesh.product("sales/daily", contract_text("sales/daily", TOTAL), daily)
    commit(mesh)
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n2,20\n3,30\n")
    for key in ("order/lines", "order/copied", "sales/daily"):
        assert mesh.run(key).success
    commit(mesh)
    git(mesh.root, "branch", "--force", "main")
    return mesh


def copied(mesh: TinyMesh, factor: int) -> None:
    code = COPY.format(factor=factor)
    mesh.product("order/copied", contract_text("order/copied", COPIED), code)


def by_name(told: dict[str, object]) -> dict[str, dict[str, object]]:
    return {str(case["name"]): case for case in cases(told, "data")}


def test_a_change_and_what_its_consumers_make_of_it_are_told_and_kept_in_the_branch(
    published: TinyMesh, tmp_path: Path
) -> None:
    copied(published, 2)
    commit(published)
    page, xml = tmp_path / "page.md", tmp_path / "found.xml"
    told = reviewed(*ONLY_DATA, "--summary", page, "--junit", xml, code=0)
    found = by_name(told)
    changed = found["order/copied"]["facts"]
    assert isinstance(changed, dict)
    assert changed["branch"] == "pr-1" and changed["changes"]["columns"] == {"amount": 3}
    consumer = found["sales/daily"]
    assert consumer["suite"] == "sales" and "are in branch pr-1" in str(consumer["said"])
    assert "sales/daily" in page.read_text() and "sales/daily" in xml.read_text()
    assert read(branch(published, "pr-1"), "order/copied") == [20, 40, 60]
    assert read(current(), "order/copied") == [10, 20, 30]
    (listed,) = call("branch", "list", "--json").json
    assert listed["made_by"] == "mesh ci" and "sales/daily" in listed["products"]

    copied(published, 3)  # the next commit of the request: the branch is made anew
    reviewed(*ONLY_DATA, code=0)
    assert read(branch(published, "pr-1"), "order/copied") == [30, 60, 90]
    told_twice = call("branch", "promote", "pr-1")
    assert told_twice.code == 0, told_twice.err
    assert read(current(), "order/copied") == [30, 60, 90]
    assert call("branch", "drop", "pr-1").code == 0
    assert call("branch", "drop", "--if-there", "pr-1").out == "there is no branch pr-1\n"


def test_what_is_made_of_a_sample_is_told_so_and_never_promoted(published: TinyMesh) -> None:
    copied(published, 2)
    found = by_name(reviewed(*ONLY_DATA, "--sample", 2, code=0))
    facts = found["order/copied"]["facts"]
    assert isinstance(facts, dict)
    assert facts["sampled"] and facts["publishable"] == 2
    assert read(branch(published, "pr-1"), "order/copied") == [20, 40]
    told = call("branch", "promote", "pr-1")
    assert told.code == 1 and "order/copied: it was made of a sample of order/lines" in told.err
    whole = by_name(reviewed(*ONLY_DATA, "--sample", 2, "--whole", code=0))
    facts = whole["order/copied"]["facts"]
    assert isinstance(facts, dict) and not facts["sampled"] and facts["publishable"] == 3


def test_a_consumer_of_what_was_refused_is_left_out(published: TinyMesh) -> None:
    copied(published, -1)
    told = reviewed(*ONLY_DATA, code=1)
    found = by_name(told)
    assert found["order/copied"]["outcome"] == "failed"
    assert "it reads order/copied, which was not made" in str(found["sales/daily"]["said"])
    assert read(branch(published, "pr-1"), "order/copied") == [10, 20, 30]


def test_a_branch_of_a_person_is_not_touched(published: TinyMesh) -> None:
    assert call("branch", "create", "pr-1").code == 0
    copied(published, 2)
    with working_in(published, "pr-1") as inside:
        assert inside.run("order/copied").success
    assert "and all in it would be lost" in refused(*ONLY_DATA).err
    assert read(branch(published, "pr-1"), "order/copied") == [20, 40, 60]
    assert "cannot name a branch" in refused("--branch", "PR/1", "--no-tests").err


def test_without_access_to_data_products_are_rehearsed_and_that_is_said(
    published: TinyMesh, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copied(published, 2)
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "nothing"))
    told = reviewed(*ONLY_DATA, code=0)
    found = by_name(told)
    assert found["branch"]["suite"] == "the mesh"
    said = str(found["branch"]["said"])
    assert "no branch pr-1 was made: nothing is published" in said and "rehearsed" in said
    assert "sales/daily" not in found
