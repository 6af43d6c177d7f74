"""Policies at work: a domain that breaks one does not load, a product is stopped, a batch refused."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from shared_resources.governance.catalogue import PolicyViolation
from shared_resources.locations.location import build_domain
from tests.mesh_files import (
    DOMAIN,
    contract_text,
    in_days,
    write_central,
    write_domain,
    write_product,
)
from tests.tiny_mesh import TinyMesh, column
from tests.tiny_mesh import contract_text as tiny_contract

CHECK = "policy_no_undeclared_personal_data"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MESH_ROOT", str(tmp_path))
    monkeypatch.setenv("MESH_HOME", str(tmp_path / "home"))
    write_product(tmp_path, "order/lines")
    write_product(tmp_path, "sales/daily")
    return tmp_path


def load(root: Path, domain: str) -> dg.Definitions:
    return build_domain(str(root / "domains" / domain / "definitions.py"))


def test_a_location_whose_domain_breaks_policies_does_not_load_and_says_all_of_them(
    root: Path,
) -> None:
    broken = contract_text("order/lines", landing=True).replace(
        "        description: The row's number.\n        classification: internal\n", ""
    )
    write_product(root, "order/lines", broken)
    code = root / "domains" / "order" / "helpers.py"
    code.write_text("from domains.sales import anything\n")
    with pytest.raises(PolicyViolation) as refused:
        load(root, "order")
    message = str(refused.value)
    assert message.startswith("domain 'order' does not load: 3 findings\n")
    for policy in ("[described]", "[classified]", "[no_domain_imports]"):
        assert policy in message
    assert f"{code}:1: " in message
    assert len(message.splitlines()) == 4


def test_the_other_locations_go_on(root: Path) -> None:
    write_product(root, "order/lines", "kind: [")
    write_domain(root, "order", "name: [")
    with pytest.raises(PolicyViolation):
        load(root, "order")
    assert load(root, "sales").resolve_asset_graph().materializable_asset_keys


def test_a_waiver_lets_the_location_load(root: Path) -> None:
    broken = contract_text("order/lines", landing=True).replace(
        "        description: The row's number.\n", ""
    )
    write_product(root, "order/lines", broken)
    waiver = (
        "waivers: [{policy: described, product: lines, reason: from an old till, "
        f"approver: governance@example.com, expires: {in_days(180)}}}]\n"
    )
    write_central(root)
    write_domain(root, "order", DOMAIN.format(name="order").replace("waivers: []\n", waiver))
    assert load(root, "order").resolve_asset_graph().materializable_asset_keys


def test_the_policy_is_a_check_of_every_product_and_blocks_by_default(root: Path) -> None:
    graph = load(root, "order").resolve_asset_graph()
    check = dg.AssetCheckKey(dg.AssetKey(["order", "lines"]), CHECK)
    assert check in graph.asset_check_keys
    assert graph.get(check).blocking


LANDING = {
    "prefix": "order/lines",
    "format": "csv",
    "mode": "replace",
    "object": "lines.csv",
}


def ingest(mesh: TinyMesh, *notes: str) -> dg.ExecuteInProcessResult:
    rows = "".join(f"{number},{note}\n" for number, note in enumerate(notes))
    mesh.land("order/lines/lines.csv", f"row_id,note\n{rows}")
    return mesh.run("order/lines")


@pytest.fixture
def lines(mesh: TinyMesh) -> TinyMesh:
    columns = [column("row_id"), column("note", "VARCHAR")]
    mesh.product(
        "order/lines", tiny_contract("order/lines", columns, properties={"landing": LANDING})
    )
    return mesh


def test_undeclared_personal_data_never_reaches_a_reader(lines: TinyMesh) -> None:
    assert ingest(lines, "ring twice", "no milk").success
    assert not ingest(lines, "ring twice", "ada@example.com").success
    assert [row["note"] for row in lines.rows("order/lines")] == ["ring twice", "no milk"]


def test_under_a_waiver_it_is_a_warning(lines: TinyMesh) -> None:
    waiver = {
        "policy": "no_undeclared_personal_data",
        "product": "lines",
        "reason": "the column is classified with the next version",
        "approver": "governance@example.com",
        "expires": in_days(180),
    }
    lines.domain("order", waivers=[waiver])
    result = ingest(lines, "ada@example.com")
    assert result.success
    (found,) = [e for e in result.get_asset_check_evaluations() if e.check_name == CHECK]
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert [row["note"] for row in lines.rows("order/lines")] == ["ada@example.com"]
