"""Which domains a changed file touches."""

from __future__ import annotations

import pytest

from shared_resources.reviewing.touched import touched_domains
from tests.reviewing.repositories import commit, git, lines, reviewed
from tests.tiny_mesh import TinyMesh

KNOWN = {"order", "stock"}


@pytest.mark.parametrize(
    ("path", "touched"),
    [
        ("domains/order/domain.yaml", ("order",)),
        ("dbt_project/models/stock/x.sql", ("stock",)),
        ("requirements.lock", ("order", "stock")),
        ("tests/test_lines.py", ()),
        ("README.md", ()),
    ],
)
def test_a_file_touches_whose_it_is(path: str, touched: tuple[str, ...]) -> None:
    assert touched_domains([path], KNOWN) == touched


def test_tests_beside_the_only_domain_are_its_own() -> None:
    for path in ("tests/test_lines.py", "tests/deep/rows.csv"):
        assert touched_domains([path], {"order"}, "order") == ("order",)
    assert touched_domains(["docs/tests/x.md"], {"order"}, "order") == ()


@pytest.mark.parametrize("alone", [True, False])
def test_a_change_of_tests_alone_is_reviewed_in_a_repository_of_one_domain(
    mesh: TinyMesh, alone: bool
) -> None:
    lines(mesh)
    git(mesh.root, "init", "--quiet", "--initial-branch", "main")
    commit(mesh, "the mesh")
    tests = mesh.root / "tests"
    tests.mkdir(exist_ok=True)
    (tests / "test_lines.py").write_text("def test_good():\n    pass\n")
    if not alone:
        (mesh.root / "shared_resources").mkdir()
    commit(mesh)
    told = reviewed("--static", "--since", "HEAD~1")
    assert ("order" in [suite["name"] for suite in told["suites"]]) is alone
