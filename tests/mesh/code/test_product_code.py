"""What keeps a domain's code from being loaded is found without loading it."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.findings import Finding
from shared_resources.mesh import read_mesh
from tests.mesh_files import CODE, write_product

MADE = CODE.format(name="lines", inputs="", parameters="")


def found(root: Path) -> list[Finding]:
    return [one for one in read_mesh(root).findings if one.rule == "python"]


@pytest.mark.parametrize(
    "place", ["products/lines/product.py", "products/lines/helper.py", "jobs.py"]
)
@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("from shared_resource import build_domain", "shared_resource"),
        ("import pandsa as pd", "pandsa"),
        ("import polars, polar.frames", "polar"),
        ("def inner():\n    from numpi.linalg import norm", "numpi"),
    ],
)
def test_a_module_that_there_is_not_is_found_before_the_code_runs(
    tmp_path: Path, place: str, line: str, module: str
) -> None:
    write_product(tmp_path, "order/lines", code=MADE)
    file = tmp_path / "domains" / "order" / place
    file.write_text((MADE if place.endswith("product.py") else "") + line + "\n")
    (one,) = found(tmp_path)
    assert (one.file, f"imports {module!r}" in one.message) == (file, True)
    assert line.splitlines()[-1] == file.read_text().splitlines()[one.line - 1]


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    import pandsa\nexcept ImportError:\n    pandsa = None",
        "import json, os.path\nfrom polars import DataFrame",
        "from . import other",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from _typeshed import Incomplete",
        "import sys\nif sys.platform == 'win32':\n    import winreg",
        "from contextlib import suppress\nwith suppress(ImportError):\n    import cudf",
        "from prices import today\nimport rates.daily",
    ],
)
def test_what_can_be_imported_or_is_only_tried_is_no_finding(tmp_path: Path, text: str) -> None:
    folder = write_product(tmp_path, "order/lines", code=MADE)
    (folder / "helper.py").write_text(text + "\n")
    (tmp_path / "prices.py").touch()
    (tmp_path / "rates").mkdir()
    assert not found(tmp_path)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"# prix en \x80\n", 0, "missing encoding"),
        (b"# coding: rot13\n", 0, "rot13"),
        ("x = 1\n".encode("utf-16"), 0, "encoding"),
        (b"\n\nNAME = 'caf\xe9'\n", 3, "no utf-8: b'\\xe9'"),
        (b"# -*- coding: nonsense -*-\n", 0, "unknown encoding"),
        (b"NAME = (\n", 1, "never closed"),
    ],
)
def test_text_that_an_import_refuses_is_found_with_its_line(
    tmp_path: Path, content: bytes, line: int, said: str
) -> None:
    folder = write_product(tmp_path, "order/lines", code=MADE)
    (folder / "product.py").write_bytes(content)
    (one,) = found(tmp_path)
    assert (one.file.name, one.line) == ("product.py", line)
    assert said in one.message


def test_a_coding_that_the_file_names_holds(tmp_path: Path) -> None:
    folder = write_product(tmp_path, "order/lines", code=MADE)
    (folder / "product.py").write_bytes(
        b"# -*- coding: latin-1 -*-\nNAME = 'caf\xe9'\n" + MADE.encode()
    )
    assert not found(tmp_path)
