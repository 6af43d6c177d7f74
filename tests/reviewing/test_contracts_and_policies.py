"""A change is compared with its base in git and with what is published, and its policies are asked."""

from __future__ import annotations

import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from shared_resources.findings import Finding
from shared_resources.governance import asking_published
from shared_resources.governance.waivers import DomainCheck
from tests.cli.commands import call
from tests.mesh_files import in_days
from tests.registry.test_registry import promise
from tests.reviewing.repositories import (
    LINES,
    cases,
    commit,
    daily,
    failed,
    git,
    lines,
    refused,
    reviewed,
    shop,
)
from tests.tiny_mesh import TinyMesh, column

STATIC = ("--static", "--no-tests")
RENAMED = [LINES[0], column("total", "DOUBLE", required=True)]


@pytest.fixture
def changed(mesh: TinyMesh) -> TinyMesh:
    return shop(mesh)


def test_a_change_of_nothing_looks_at_no_domain(changed: TinyMesh) -> None:
    (changed.root / "README.md").write_text("A page touches no domain.\n")
    commit(changed)
    told = reviewed("--since", "main", *STATIC, code=0)
    assert told["domains"] == [] and told["base"]["ref"] == "main"
    assert reviewed(*STATIC, code=0)["domains"] == ["order", "sales"]


def test_a_break_is_told_with_its_place_its_consumers_and_what_to_do(changed: TinyMesh) -> None:
    folder = lines(changed, RENAMED)
    told = reviewed("--since", "main", *STATIC)
    assert told["domains"] == ["order"]
    (case,) = failed(told)
    assert case["kind"] == "contract" and case["facts"]["verdict"] == "breaking"
    assert case["facts"]["consumers"] == [{"product": "sales/daily", "columns": ["amount"]}]
    assert case["facts"]["breaks"] == ["column amount is gone"]
    (found,) = case["findings"]
    text = (folder / "contract.odcs.yaml").read_text().splitlines()
    assert found["file"] == "domains/order/products/lines/contract.odcs.yaml"
    assert text[found["line"] - 1].startswith("version:")
    assert "new major version" in found["remedy"]
    # With the consumer's own domain, its input is no column any more, too.
    both = failed(reviewed(*STATIC))
    assert {one["suite"] for one in both} == {"sales"}


def test_a_break_in_a_new_major_version_is_permitted_and_told(changed: TinyMesh) -> None:
    lines(changed, RENAMED, "2.0.0")
    told = reviewed("--since", "main", *STATIC, code=0)
    (case,) = cases(told, "contract", "warning")
    assert case["facts"]["permitted"] and "sales/daily (amount)" in case["said"]
    out = call("ci", "--since", "main", *STATIC, "--annotations", "github").out
    assert out.startswith("::warning file=domains/order/products/lines/contract.odcs.yaml,line=")


def test_what_is_added_is_compatible_and_what_is_lowered_is_not(changed: TinyMesh) -> None:
    lines(changed, [*LINES, column("note", "VARCHAR")], "1.1.0")
    (case,) = cases(reviewed("--since", "main", *STATIC, code=0), "contract")
    assert case["facts"]["verdict"] == "compatible"
    assert case["facts"]["versions"] == {"from": "1.0.0", "to": "1.1.0"}
    lines(changed, version="0.9.0")
    (case,) = failed(reviewed("--since", "main", *STATIC))
    assert "goes back from 1.0.0 to 0.9.0" in case["said"]


def test_a_deleted_product_with_consumers_fails_and_one_without_is_told(changed: TinyMesh) -> None:
    shutil.rmtree(changed.root / "domains" / "sales" / "products" / "daily")
    told = reviewed("--since", "main", *STATIC, code=0)
    (case,) = cases(told, "contract", "warning")
    assert case["facts"]["verdict"] == "gone" and case["findings"][0]["line"] == 0
    git(changed.root, "checkout", ".")
    shutil.rmtree(changed.root / "domains" / "order" / "products" / "lines")
    commit(changed)
    (case,) = failed(reviewed("--since", "main", *STATIC))
    assert "order/lines is gone; it is read by sales/daily" in case["said"]


def test_a_renamed_domain_is_one_that_is_gone_and_one_that_is_new(changed: TinyMesh) -> None:
    git(changed.root, "mv", "domains/sales", "domains/selling")
    file = changed.root / "domains" / "selling" / "products" / "daily" / "contract.odcs.yaml"
    file.write_text(file.read_text().replace("sales", "selling"))
    changed.domain("selling")
    commit(changed)
    told = reviewed("--since", "main", *STATIC, code=0)
    assert told["domains"] == ["sales", "selling"]
    verdicts = {one["suite"]: one["facts"]["verdict"] for one in cases(told, "contract")}
    assert verdicts == {"sales": "gone", "selling": "new"}


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("domains/order/products/lines/contract.odcs.yaml", "kind: [\n"),
        ("domains/order/products/lines/contract.odcs.yaml", "\x00\x1b[31m: {"),
        ("domains/order/domain.yaml", "name: order\n  owner: : :\n"),
        ("domains/sales/products/daily/product.py", "def daily(:\n"),
    ],
)
def test_what_is_no_yaml_or_python_is_found_at_its_line(
    changed: TinyMesh, file: str, text: str
) -> None:
    (changed.root / file).write_text(text)
    told = reviewed("--since", "main", *STATIC)
    found = [one for case in failed(told) for one in case["findings"]]
    assert file in {one["file"] for one in found}
    assert all(one["message"] and one["remedy"] for one in found)
    # The base may be what is not valid: then there is nothing to compare with.
    commit(changed)
    git(changed.root, "branch", "--force", "main", "HEAD")
    git(changed.root, "checkout", "--quiet", "HEAD~1", "--", file)
    told = reviewed("--since", "main", *STATIC, code=0)
    assert all(one["facts"]["verdict"] != "breaking" for one in cases(told, "contract"))


def test_a_policy_is_a_case_and_a_waiver_is_told(changed: TinyMesh) -> None:
    lines(changed, [{**LINES[0], "description": ""}, LINES[1]])
    told = reviewed("--since", "main", *STATIC)
    (case,) = failed(told)
    assert (case["kind"], case["name"], case["suite"]) == ("policy", "described", "order")
    assert {one["name"] for one in cases(told, "policy", "passed")} >= {"classified", "naming"}
    waiver = {
        "policy": "described",
        "product": "lines",
        "reason": "the vendor's words are to come",
        "approver": "governance@example.com",
        "expires": in_days(30),
    }
    changed.domain("order", waivers=[waiver])
    told = reviewed("--since", "main", *STATIC, code=0)
    (case,) = [one for one in cases(told, "policy", "passed") if one["facts"]["waived"]]
    assert "the vendor's words" in case["said"]


def test_policies_are_asked_about_what_is_published_too(changed: TinyMesh) -> None:
    """A table that somebody altered beside the mesh is found in the review of a change."""
    changed.environment.home.mkdir()  # there is a state to look at
    told = reviewed("--no-tests", "order", code=0)
    name = "stored_as_promised, of what is published"
    assert name in {one["name"] for one in cases(told, "policy", "passed")}
    assert name not in {one["name"] for one in cases(reviewed(*STATIC, code=0), "policy")}
    altered = [Finding(Path("a"), 1, "stored_as_promised", "order/lines was altered", "run it")]
    with patch.object(asking_published, "ask_published", lambda *_, **__: DomainCheck((*altered,))):
        (case,) = failed(reviewed("--no-tests", "order"))
    assert (case["name"], case["said"]) == (name, "order/lines was altered -> run it")


def test_what_is_everybodys_touches_every_domain(changed: TinyMesh) -> None:
    changed.central(waiverDays=90)
    told = reviewed("--since", "main", *STATIC, code=0)
    assert told["domains"] == ["order", "sales"]


def test_a_change_is_compared_with_where_it_began_not_with_what_others_did(
    changed: TinyMesh,
) -> None:
    git(changed.root, "switch", "--quiet", "main")
    daily(changed, factor=7)
    commit(changed, "what somebody else did meanwhile")
    git(changed.root, "switch", "--quiet", "change")
    lines(changed, [*LINES, column("note", "VARCHAR")])
    assert reviewed("--since", "main", *STATIC, code=0)["domains"] == ["order"]


def test_the_checkout_and_its_index_stay_as_they_are(changed: TinyMesh) -> None:
    lines(changed, RENAMED)
    git(changed.root, "add", "--all")
    (changed.root / "domains" / "order" / "new.txt").write_text("not yet known to git\n")
    before = git(changed.root, "status", "--porcelain")
    reviewed("--since", "main", *STATIC)
    assert git(changed.root, "status", "--porcelain") == before
    assert not list((changed.root / ".git").glob("*.lock"))


def test_a_project_below_the_repositorys_folder_is_named_from_there(
    mesh: TinyMesh,
) -> None:
    lines(mesh)
    top = mesh.root.parent
    git(top, "init", "--quiet", "--initial-branch", "main")
    git(top, "add", "mesh")
    git(top, "commit", "--quiet", "--message", "a mesh among other things")
    lines(mesh, RENAMED)
    (case,) = failed(reviewed("--since", "main", *STATIC))
    assert case["findings"][0]["file"].startswith("mesh/domains/order/")


def test_what_git_does_not_have_is_wrong_use(changed: TinyMesh, tmp_path: Path) -> None:
    assert "git fetch origin nowhere" in refused("--since", "origin/nowhere", *STATIC).err
    assert "no commit '--all'" in refused("--since=--all", *STATIC).err
    assert "did you mean order" in refused("ordr", *STATIC).err
    assert "choose one" in refused("--json", "--annotations", "github").err
    assert "no folder" in refused("--summary", tmp_path / "no" / "page.md", *STATIC).err
    for option in ("--summary", "--junit"):
        assert f"{tmp_path} is a folder" in refused(option, tmp_path, *STATIC).err


def test_a_shallow_clone_is_told_to_fetch_its_history(
    changed: TinyMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        commit(changed, f"change {number}")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{changed.root}", str(clone))
    git(clone, "fetch", "--quiet", "--depth", "1", "origin", "main:refs/remotes/origin/main")
    monkeypatch.setenv("MESH_ROOT", str(clone))
    assert "fetch-depth: 0" in refused("--since", "origin/main", *STATIC).err


def test_without_git_what_is_published_is_compared_all_the_same(mesh: TinyMesh) -> None:
    lines(mesh)
    daily(mesh)
    assert "no repository" in refused("--since", "main", *STATIC).err
    mesh.land("order/lines/1.csv", "line_id,amount\n1,10\n")
    assert mesh.run("order/lines").success
    lines(mesh, RENAMED)
    told = reviewed("order", "--no-tests", "--no-data")
    (case,) = failed(told)
    assert "under which version 1 of order/lines in the lake is published" in case["said"]
    assert case["facts"]["consumers"] == [{"product": "sales/daily", "columns": ["amount"]}]
    lines(mesh, RENAMED, "2.0.0")
    (case,) = cases(reviewed("order", "--no-tests", "--no-data", code=0), "contract")
    assert case["outcome"] == "warning" and case["facts"]["permitted"]


def test_consumers_in_other_repositories_are_known_from_what_they_registered(
    changed: TinyMesh,
) -> None:
    changed.environment.registry.register(*promise(changed.root), None)
    shutil.rmtree(changed.root / "domains" / "sales")
    commit(changed, "sales moves into a repository of its own")
    git(changed.root, "branch", "--force", "main", "HEAD")
    lines(changed, RENAMED)
    told = reviewed("--since", "main", *STATIC)
    assert told["domains"] == ["order"]
    (case,) = failed(told)
    assert case["facts"]["consumers"] == [{"product": "sales/daily", "columns": ["amount"]}]
    # Their files are elsewhere, and so is what reviews them.
    assert "did you mean order" in refused("orders", *STATIC).err
    refused("sales", *STATIC)
