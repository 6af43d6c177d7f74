"""CODEOWNERS says who domain.yaml and governance.yaml say, and a review tells when it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.commands import call
from tests.reviewing.repositories import daily, failed, git, reviewed, shop
from tests.tiny_mesh import TinyMesh

STATIC = ("--static", "--no-tests")


@pytest.fixture
def changed(mesh: TinyMesh) -> TinyMesh:
    (mesh.root / "dbt_project" / "models" / "sales").mkdir()
    return shop(mesh)


def rules(file: Path) -> dict[str, list[str]]:
    """Each pattern's owners; the last rule that matches a file counts, so the order is the file's."""
    said = (line.split() for line in file.read_text().splitlines() if line.strip())
    return {words[0]: words[1:] for words in said if words[0] != "#"}


def test_domains_are_their_owners_and_the_rest_the_central_approvers(changed: TinyMesh) -> None:
    changed.domain("order", owner="o@example.com", owners=["o@example.com", "@shop/orders"])
    assert call("codeowners", "--check").code == 1
    assert call("codeowners").code == 0
    told = rules(changed.root / "CODEOWNERS")
    assert told == {
        "/domains/*": ["governance@example.com"],
        "/dbt_project/": ["governance@example.com"],
        "/CODEOWNERS": ["governance@example.com"],
        "/domains/order/": ["o@example.com", "@shop/orders"],
        "/domains/sales/": ["sales@example.com"],
        "/dbt_project/models/sales/": ["sales@example.com"],
    }
    assert [*told].index("/dbt_project/") < [*told].index("/dbt_project/models/sales/")
    assert call("codeowners", "--check").code == 0


def test_what_people_write_around_the_part_stays(changed: TinyMesh) -> None:
    file = changed.root / ".github" / "CODEOWNERS"
    file.parent.mkdir()
    file.write_text("* @everybody")
    assert call("codeowners").code == 0
    file.write_text(file.read_text() + "/secret.txt @somebody\n")
    changed.domain("order", owner="new@example.com", owners=["new@example.com"])
    why = call("codeowners", "--check")
    assert why.code == 1 and "`/domains/order/ new@example.com` is missing" in why.out
    assert call("codeowners").code == 0
    text = file.read_text()
    assert text.startswith("* @everybody\n\n# <mesh>") and text.endswith("/secret.txt @somebody\n")
    assert text.count("# <mesh>") == 1 and "/.github/CODEOWNERS" in text
    assert not (changed.root / "CODEOWNERS").exists()


def test_a_review_tells_when_it_no_longer_says_what_is_so(changed: TinyMesh) -> None:
    assert reviewed(*STATIC)["passed"]  # without the file nobody asked for it
    call("codeowners")
    assert reviewed(*STATIC)["passed"]
    changed.domain("order", owner="new@example.com", owners=["new@example.com"])
    (case,) = failed(reviewed("sales", *STATIC))
    assert case["name"] == "codeowners" and "/domains/order/" in case["said"]
    assert case["findings"][0]["remedy"] == "run `mesh codeowners`"


@pytest.mark.parametrize("owner", ["order team", "#order", "order", "o@example.com @evil/*", "@"])
def test_owners_whom_nobody_could_ask_are_named_with_their_line(
    changed: TinyMesh, owner: str
) -> None:
    changed.domain("order", owner=owner, owners=[owner])
    told = call("codeowners")
    told.refused("domains/order/domain.yaml:5", repr(owner), "@organisation/team")
    assert not (changed.root / "CODEOWNERS").exists()


def test_a_file_that_is_no_yaml_writes_nothing(changed: TinyMesh) -> None:
    call("codeowners")
    before = (changed.root / "CODEOWNERS").read_bytes()
    (changed.root / "domains" / "order" / "domain.yaml").write_text("name: [\n")
    call("codeowners").refused("domains/order/domain.yaml")
    assert (changed.root / "CODEOWNERS").read_bytes() == before
    assert "codeowners" in {case["name"] for case in failed(reviewed("sales", *STATIC))}


def test_marks_that_are_no_pair_are_refused(changed: TinyMesh) -> None:
    call("codeowners")
    file = changed.root / "CODEOWNERS"
    file.write_text(file.read_text().replace("# </mesh>", "# gone"))
    call("codeowners").refused("CODEOWNERS", "mend the marks", code=1)


def test_below_a_repositorys_folder_patterns_begin_there(mesh: TinyMesh) -> None:
    daily(mesh)
    git(mesh.root.parent, "init", "--quiet")
    assert call("codeowners").code == 0
    assert "/mesh/domains/sales/" in rules(mesh.root.parent / "CODEOWNERS")


def test_in_a_repository_of_its_own_everything_is_the_domains(mesh: TinyMesh) -> None:
    daily(mesh)
    (mesh.root / "domains" / "governance.yaml").unlink()
    git(mesh.root, "init", "--quiet")
    assert call("codeowners").code == 0
    told = rules(mesh.root / "CODEOWNERS")
    assert told == {"*": ["sales@example.com"], "/domains/sales/": ["sales@example.com"]}
