"""A maker that another distribution adds makes products like any other: the example of CONTRIBUTING."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared_resources.mesh import ProductKind, read_mesh
from shared_resources.mesh.code import makers
from tests.architecture.tree import ROOT
from tests.distributions import install
from tests.guarantees.orders import COLUMNS, KEY, land_orders, orders_product
from tests.tiny_mesh import TinyMesh, contract_text

(CODE,) = re.findall(
    r"<!-- example: maker query -->\n```python\n(.*?)```",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.DOTALL,
)
POINTS = "query = query_maker:MAKER"
LARGE = "sales/large"
QUERY = f"-- orders: {KEY}\nSELECT * FROM orders WHERE amount > 2\n"


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    site = install(tmp_path / "site", "query_maker", CODE, makers=POINTS)
    monkeypatch.syspath_prepend(site)
    makers.added_makers.cache_clear()
    yield site
    monkeypatch.undo()
    anew()


@pytest.fixture
def sales(mesh: TinyMesh) -> TinyMesh:
    orders_product(mesh)
    land_orders(mesh, [1.5, 2.5])
    assert mesh.run(KEY).success
    write(mesh, QUERY)
    return mesh


def write(mesh: TinyMesh, query: str) -> Path:
    mesh.product(LARGE, contract_text(LARGE, COLUMNS))
    file = mesh.environment.domains / "sales" / "products" / "large" / "query.sql"
    file.write_text(query)
    return file


def test_it_makes_a_product_that_is_audited_with_its_inputs_pinned(sales: TinyMesh) -> None:
    folder = read_mesh(sales.environment.root).product(LARGE)
    assert folder is not None
    assert (folder.kind, [one.key for one in folder.inputs]) == (ProductKind.ADDED, [KEY])
    assert sales.run(LARGE).success
    assert [row["amount"] for row in sales.rows(LARGE)] == [2.5]
    (version,) = sales.versions(LARGE)
    assert KEY in str(dict(version.properties))


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("-- orders: order/nothing\nSELECT 1", "order/nothing"),
        (f"-- orders: {KEY}\nSELECT * FROM read_csv('/etc/passwd')", "(?i)permission|disabled"),
        (f"-- orders: {KEY}\nSELECT order_id, amunt FROM orders", "amunt"),
    ],
    ids=["input", "file", "column"],
)
def test_what_is_wrong_with_the_file_publishes_nothing_and_is_said(
    sales: TinyMesh, query: str, said: str
) -> None:
    write(sales, query)
    assert re.search(said, refused(sales))
    assert sales.versions(LARGE) == []


def test_a_second_maker_in_the_folder_is_a_finding(sales: TinyMesh) -> None:
    file = write(sales, QUERY)
    file.with_name("product.py").write_text(
        "from shared_resources import data_product\n\n\n"
        "@data_product()\ndef large():\n    return None\n"
    )
    (domain,) = [one for one in read_mesh(sales.environment.root).domains if one.name == "sales"]
    assert any("made in 2 ways: product.py and query.sql" in one.message for one in domain.findings)


@pytest.mark.parametrize(
    "file",
    ["product.py", "contract.odcs.yaml", "rules.py", "sub/query.sql", "", "..", ".flow", "a.md"],
)
def test_a_maker_for_a_file_that_means_something_else_makes_nothing_and_stops_nobody(
    sales: TinyMesh, site: Path, file: str
) -> None:
    (site / "query_maker.py").write_text(CODE.replace('"query.sql", inputs', f"{file!r}, inputs"))
    anew()
    findings = [one for domain in read_mesh(sales.root).domains for one in domain.findings]
    (finding,) = [one for one in findings if f"nothing makes {LARGE}" in one.message]
    assert "means something already" in finding.remedy
    assert len(findings) == 1


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("MAKER = Maker('a', 'query.sql', lambda file: 'order/orders', function)", "not a list of"),
        ("MAKER = Maker('a', 'query.sql', lambda file: ['orders'], function)", "is no product key"),
        ("MAKER = Maker('a', 'query.sql', lambda file: {}['reads'], function)", "KeyError"),
        ("MAKER = Maker('a', 'query.sql', lambda file: None, function)", "TypeError"),
    ],
)
def test_what_a_maker_raises_or_says_wrongly_is_a_finding_of_its_product(
    sales: TinyMesh, site: Path, code: str, said: str
) -> None:
    (site / "query_maker.py").write_text(f"{CODE}\n{code}\n")
    anew()
    (finding,) = [one for domain in read_mesh(sales.root).domains for one in domain.findings]
    assert said in finding.message and finding.file.name == "query.sql"


def test_two_added_makers_in_a_folder_are_a_finding(sales: TinyMesh, site: Path) -> None:
    second = CODE.replace('"query.sql", inputs', '"flow.sql", inputs')
    (site / "flow_maker.py").write_text(second)
    points = site / "offices-1.0.dist-info" / "entry_points.txt"
    points.write_text(points.read_text() + "flow = flow_maker:MAKER\n")
    anew()
    file = write(sales, QUERY)
    file.with_name("flow.sql").write_text(QUERY)
    findings = [one for domain in read_mesh(sales.root).domains for one in domain.findings]
    assert any("made in 2 ways" in one.message for one in findings)


def anew() -> None:
    """As another process would find what is installed."""
    for module in ("query_maker", "flow_maker"):
        sys.modules.pop(module, None)
    makers.added_makers.cache_clear()


def refused(mesh: TinyMesh) -> str:
    """What is said of the product by whoever refuses it first: the check, or its run."""
    findings = [
        one.message
        for domain in read_mesh(mesh.environment.root).domains
        for one in domain.findings
    ]
    try:
        result = mesh.run(LARGE)
    except Exception as problem:  # noqa: BLE001 - the location's own refusal
        return f"{findings} {problem}"
    assert not result.success
    return f"{findings} {[event.step_failure_data.error for event in result.get_step_failure_events()]}"
