"""Who breaks whom is known before anything is deployed."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared_resources.mesh import read_mesh
from shared_resources.mesh.promised import promise_digest
from shared_resources.registry.registry import CENTRAL, Entry
from shared_resources.releasing.judging import Judgement, judge, shown
from shared_resources.releasing.releases import Releases
from shared_resources.releasing.undoing import standing
from tests.releasing.projects import COLUMNS, build, lines, project, publish_lines, register
from tests.tiny_mesh import TinyMesh, column, contract_text


def judged(mesh: TinyMesh, *domains: str) -> Judgement:
    return judge(mesh.environment, [build(mesh, one) for one in domains], lambda _: sys.path)


@pytest.fixture(autouse=True)
def two_domains(mesh: TinyMesh) -> None:
    project(mesh)


def test_domains_that_read_each_other_go_together_and_none_goes_without_its_source(
    mesh: TinyMesh,
) -> None:
    assert judged(mesh, "order", "sales") == Judgement((), ())
    (found,) = judged(mesh, "sales").findings
    assert "'order/lines', which no domain publishes" in found.message
    register(mesh, "order")
    assert judged(mesh, "sales") == Judgement((), ())


def test_what_others_read_does_not_go_without_a_new_major_version(mesh: TinyMesh) -> None:
    register(mesh, "order", "sales")
    mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="1.1.0"))
    (found,) = judged(mesh, "order").findings
    assert "column amount is gone" in found.message
    assert "it breaks sales/sums (amount)" in found.message
    (line,) = shown([found], [build(mesh, "order")])
    assert line.startswith("domains/order/products/lines/contract.odcs.yaml:")


def test_a_new_major_version_names_those_whom_it_breaks(mesh: TinyMesh) -> None:
    register(mesh, "order", "sales")
    mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="2.0.0"))
    judgement = judged(mesh, "order")
    assert judgement.findings == ()
    assert judgement.broken == (
        "order/lines: column amount is gone, which breaks sales/sums (amount)",
    )


def test_who_goes_back_is_told_whom_it_hits_and_no_more(mesh: TinyMesh) -> None:
    first = build(mesh, "order")
    mesh.product("order/lines", lines(*COLUMNS, column("price"), version="2.0.0"))
    register(mesh, "order", "sales")
    assert judge(mesh.environment, [first], lambda _: sys.path).findings
    assert judge(mesh.environment, [first], lambda _: sys.path, back=True) == Judgement((), ())
    code = mesh.root / "domains/sales/products/sums/product.py"
    code.write_text(code.read_text().replace('columns=["amount"]', 'columns=["price"]'))
    register(mesh, "sales")
    judgement = judge(mesh.environment, [first], lambda _: sys.path, back=True)
    assert judgement.broken == (
        "order/lines: column price is gone, which breaks sales/sums (price)",
    )


def test_a_product_that_goes_away_names_its_readers(mesh: TinyMesh) -> None:
    register(mesh, "order", "sales")
    (mesh.root / "domains/order/products/lines/contract.odcs.yaml").unlink()
    (mesh.root / "domains/order/products/lines").rmdir()
    judgement = judged(mesh, "order")
    assert judgement.broken == ("order/lines is gone, and is read by sales/sums",)


def test_what_nobody_reads_breaks_nobody(mesh: TinyMesh) -> None:
    register(mesh, "order")
    mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="2.0.0"))
    assert judged(mesh, "order") == Judgement((), ())


def test_what_is_published_counts_as_much_as_what_is_registered(mesh: TinyMesh) -> None:
    publish_lines(mesh)
    register(mesh, "sales")
    mesh.product("order/lines", lines(COLUMNS[0], column("price"), version="1.1.0"))
    (found,) = judged(mesh, "order").findings
    assert "it breaks sales/sums (amount)" in found.message and "is published" in found.message


def test_a_deployment_that_was_undone_is_none_to_go_back_to() -> None:
    def entry(release: str, day: int = 1, promise: str = "p") -> Entry:
        return Entry("order", promise, release, "1", "us", datetime(2026, 1, day, tzinfo=UTC))

    first, second, undone = entry("a"), entry("b", 2), entry("c", 3)
    assert standing([first, second, undone, second]) == [first, second]
    assert standing([first, undone, first, second]) == [first, second]
    again = entry("a", 4)
    assert standing([first, second, again]) == [first, second, again]
    assert standing([first, entry("", 5, ""), second]) == [first, second]


def test_what_a_release_imports_is_looked_for_where_it_runs(mesh: TinyMesh, tmp_path: Path) -> None:
    (mesh.root / "domains/order/helpers.py").write_text("import only_there\nimport json\n")
    (tmp_path / "only_there.py").write_text("")
    releases = [build(mesh, "order")]
    (found,) = judge(mesh.environment, releases, lambda _: []).findings
    assert "imports 'only_there', and there is no such module" in found.message
    assert judge(mesh.environment, releases, lambda _: [str(tmp_path)]) == Judgement((), ())


def test_a_policy_is_asked(mesh: TinyMesh) -> None:
    text = contract_text("order/lines", [{**column("line"), "classification": None}])
    mesh.product("order/lines", text)
    assert judged(mesh, "order").findings


def test_what_the_governance_team_registered_holds_and_a_file_of_ones_own_does_not(
    mesh: TinyMesh,
) -> None:
    def found() -> list[str]:
        mesh_here = read_mesh(mesh.root, registered=mesh.environment.registry.promised)
        return [one.remedy for one in mesh_here.central.findings]

    assert found() == []
    files = {CENTRAL: b"approvers: [boss@example.com]\nlossBudgetPercent: 1\n"}
    before = Releases(mesh.environment.home).build(mesh.root, "order", "us", central=True)
    entry = Entry(CENTRAL, promise_digest(files), "", "1", "us", datetime.now(UTC))
    mesh.environment.registry.register(entry, files, None)
    assert found() == ["register it (`mesh registry govern`), or take it out"]
    (mesh.root / "domains" / CENTRAL).write_bytes(files[CENTRAL])
    assert found() == []
    # A release from before has a file of its own, which holds no longer.
    central = read_mesh(before.root, registered=mesh.environment.registry.promised).central
    assert central.approvers == ("boss@example.com",)
    text = contract_text("order/lines", COLUMNS, properties={"lossBudgetPercent": 5})
    mesh.product("order/lines", text)
    releases = Releases(mesh.environment.home)
    release = releases.build(mesh.root, "order", "us", central=False)
    findings = judge(mesh.environment, [release], lambda _: sys.path).findings
    assert any(one.rule == "loss_budget_capped" for one in findings), findings
