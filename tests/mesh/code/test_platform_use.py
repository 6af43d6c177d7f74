"""What a domain's files take from the platform is seen before any of it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.mesh import read_mesh
from shared_resources.mesh.kept_contracts import KeptContracts
from tests.mesh_files import CODE, write_product

MADE = CODE.format(name="lines", inputs="", parameters="")
TAKEN = {
    "from shared_resources import read": "reads with read()",
    "from shared_resources import read as anything": "reads with read()",
    "def inner():\n    from shared_resources import read": "reads with read()",
    "import shared_resources": "uses shared_resources,",
    "from shared_resources import *": "uses shared_resources.*",
    "from shared_resources import environment": "uses shared_resources.environment",
    "from shared_resources.wiring import current": "uses shared_resources.wiring.current",
    "from shared_resources.consuming import read": "uses shared_resources.consuming.read",
    "import shared_resources.stores.lake.store": "uses shared_resources.stores.lake.store",
    "from shared_resources import build_domain": "uses shared_resources.build_domain",
    "import importlib\nimportlib.import_module('shared_resources.state')": "uses shared_resources.state",
    "__import__('shared_resources')": "uses shared_resources,",
}


@pytest.mark.parametrize("name", ["product.py", "helper.py", "rules.py", "deep/inside.py"])
@pytest.mark.parametrize("taken", TAKEN)
def test_a_products_code_takes_the_names_for_products_and_no_more(
    tmp_path: Path, taken: str, name: str
) -> None:
    folder = write_product(tmp_path, "order/lines", code=MADE)
    file = folder / name
    file.parent.mkdir(exist_ok=True)
    file.write_text((MADE if name == "product.py" else "") + taken + "\n")
    found = [f for f in read_mesh(tmp_path).findings if f.rule == "platform"]
    assert found and all(f.file == file and f.line and "declare" in f.remedy for f in found)
    assert TAKEN[taken] in found[0].message


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("products/lines/product.py", MADE),
        (
            "products/lines/test_lines.py",
            "from shared_resources.contracts.odcs import read_contract",
        ),
        (
            "products/lines/check.py",
            "from shared_resources.contracts.pandera_schema import schema_for",
        ),
        ("products/lines/other.py", "shared_resources = 'shared_resources.state.database'"),
        ("report.py", "from shared_resources import read"),
    ],
)
def test_what_is_meant_for_domains_is_no_finding(tmp_path: Path, file: str, text: str) -> None:
    write_product(tmp_path, "order/lines", code=MADE)
    (tmp_path / "domains" / "order" / file).write_text(text)
    assert read_mesh(tmp_path).findings == ()


def test_a_location_looks_at_the_code_of_what_it_reads_and_of_no_other_domain(
    tmp_path: Path,
) -> None:
    taken = MADE + "from shared_resources import environment\n"
    for key in ("order/lines", "stock/levels", "shop/visits"):
        write_product(tmp_path, key, code=taken)
    reads = CODE.format(name="sums", inputs='lines="stock/levels"', parameters="lines: object")
    write_product(tmp_path, "order/sums", code=reads)
    kept = KeptContracts(tmp_path / "kept")
    found = read_mesh(tmp_path, kept, anew="order").findings
    judged = {one.file.parents[2].name for one in found if one.rule == "platform"}
    assert judged == {"order", "stock"}
    whole = read_mesh(tmp_path, kept).findings
    assert {one.file.parents[2].name for one in whole if one.rule == "platform"} == {
        *("order", "stock", "shop")
    }
