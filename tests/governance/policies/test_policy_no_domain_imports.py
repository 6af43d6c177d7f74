"""The import policy: every form in which one domain could reach into another's code."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.findings import Finding
from shared_resources.governance.policies.structure.no_domain_imports import POLICY
from tests.governance.policies.meshes import domain, mesh


def findings(root: Path, code: str, file: str = "products/orders/product.py") -> list[Finding]:
    path = root / "domains" / "order" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(code, encoding="utf-8")
    order = domain("order", root=root)
    return list(POLICY.check(order, mesh(order, domain("customer", root=root), root=root)))


@pytest.mark.parametrize(
    "code",
    [
        "import domains.customer",
        "import os, domains.customer.products.contacts.product as p",
        "from domains.customer import products",
        "from domains.customer.products.contacts.product import contacts",
        "from domains import customer",
        "from domains import order, customer",
        "from domains import *",
        "import domains",
        "from .... import customer",
        "from ....customer import products",
        "from ....customer.products import contacts",
        "from ..... import domains",
        "from .....domains.customer import products",
        "def f():\n    import domains.customer",
        "try:\n    import domains.customer\nexcept ImportError:\n    pass",
        "import importlib\nimportlib.import_module('domains.customer')",
        "from importlib import import_module as load\nload('domains.customer.products')",
        "from importlib import import_module\nimport_module('....customer', __package__)",
        "from importlib import import_module\nimport_module('domains.' + 'customer')",
        "from importlib import import_module\nname = 'x'\nimport_module(f'domains.{name}')",
        "from importlib import import_module\nname = 'x'\nimport_module(name)",
        "__import__('domains.customer')",
        "import runpy\nrunpy.run_module('domains.customer.products.contacts.product')",
        "import runpy\nrunpy.run_path('domains/customer/products/contacts/product.py')",
        "import sys\nsys.modules['domains.customer.definitions']",
        "import pkgutil\npkgutil.resolve_name('domains.customer:x')",
        "import domains.source_systems.source",
        "from domains import source_systems",
        "from ....source_systems import objects",
    ],
)
def test_every_way_into_another_domain_is_found(tmp_path: Path, code: str) -> None:
    found = findings(tmp_path, code)
    assert found
    assert {f.rule for f in found} == {"no_domain_imports"}
    reaching = len(code.splitlines()) if "except" not in code else 2
    assert {f.line for f in found} == {reaching}
    assert all("products/orders/product.py" in str(f.file) and f.remedy for f in found)


@pytest.mark.parametrize(
    "code",
    [
        "import polars\nfrom shared_resources import data_product",
        "from domains.order.products.baskets import rules",
        "from domains.order import calendars",
        "from domains import order",
        "from . import rules",
        "from .rules import check",
        "from ...calendars import days",
        "from ..baskets import rules",
        "import importlib\nimportlib.import_module('domains.order.calendars')",
        "import importlib\nimportlib.import_module(__name__)",
        "import importlib\nimportlib.import_module(f'{__package__}.rules')",
        "import importlib\nkind = 'svm'\nimportlib.import_module(f'sklearn.{kind}')",
        '"""Read beside domains.customer: its contacts are not ours."""',
        "x = 1\n'domains.customer'\n",
        "# import domains.customer",
        "text = 'the domains of customers'",
        "column = 'domains'",
    ],
)
def test_what_stays_at_home_is_not_found(tmp_path: Path, code: str) -> None:
    assert findings(tmp_path, code) == []


def test_one_line_is_one_finding_that_names_the_domain(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "import os\nfrom domains.customer import a, b, c\n")
    assert found.line == 2
    assert "domain 'order' reaches into domain 'customer'" in found.message


def test_code_beside_the_products_is_looked_at_too(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "from ..customer import x", "calendars.py")
    assert found.file.name == "calendars.py"


def test_caches_are_not_looked_at(tmp_path: Path) -> None:
    assert findings(tmp_path, "import domains.customer", "__pycache__/old.py") == []


@pytest.mark.parametrize(
    "code",
    ["def (:", "x = 1\n  y = 2", "a\0b", "x = 'open", "-" * 100_000 + "1"],
    ids=["syntax", "indentation", "nul", "string", "depth"],
)
def test_a_file_that_is_no_python_is_a_finding_and_no_traceback(tmp_path: Path, code: str) -> None:
    (found,) = findings(tmp_path, code)
    assert found.rule == "python"
    assert "no valid Python" in found.message
