"""A file format that another distribution adds lands like any other: the example of CONTRIBUTING."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import orc

from shared_resources.contracts import file_formats
from shared_resources.extensions import UnusableExtension
from tests.architecture.tree import ROOT
from tests.cli.commands import start
from tests.distributions import install
from tests.guarantees.orders import COLUMNS, KEY
from tests.tiny_mesh import TinyMesh, contract_text

(CODE,) = re.findall(
    r"<!-- example: format orc -->\n```python\n(.*?)```",
    (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"),
    re.DOTALL,
)
POINTS = "orc = orc_format:FORMAT"
LANDING = {"landing": {"prefix": KEY, "format": "orc", "object": "*.orc"}}
ROWS = pa.table({"order_id": pa.array([1, 2], pa.int32()), "amount": [1.5, 2.5]})


@pytest.fixture(autouse=True)
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the distribution is installed, for this process and those that it starts."""
    site = install(tmp_path / "site", "orc_format", CODE, formats=POINTS)
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), *sys.path[1:]]))
    file_formats.all_formats.cache_clear()
    yield site
    monkeypatch.undo()
    sys.modules.pop("orc_format", None)
    file_formats.all_formats.cache_clear()


def land(mesh: TinyMesh, table: pa.Table, name: str = "orders.orc") -> Path:
    file = mesh.environment.home / "landing" / KEY / name
    file.parent.mkdir(parents=True, exist_ok=True)
    orc.write_table(table, file)
    return file


def test_its_objects_are_ingested(mesh: TinyMesh) -> None:
    mesh.product(KEY, contract_text(KEY, COLUMNS, properties=LANDING))
    land(mesh, ROWS)
    assert mesh.run(KEY).success
    assert mesh.rows(KEY) == ROWS.to_pylist()


@pytest.mark.parametrize("wrong", ["damaged", "another type"])
def test_what_it_cannot_read_is_in_quarantine_and_never_published(
    mesh: TinyMesh, wrong: str
) -> None:
    mesh.product(KEY, contract_text(KEY, COLUMNS, properties=LANDING))
    file = land(mesh, ROWS.set_column(1, "amount", pa.array(["many", "few"])))
    if wrong == "damaged":
        file.write_bytes(file.read_bytes()[:-20])
    assert not mesh.run(KEY).success
    assert mesh.versions(KEY) == []
    (entry,) = mesh.environment.quarantine.list(KEY)
    said = json.dumps([reason[-1] for reason in entry.reasons])
    assert ("cannot be read as ORC" if wrong == "damaged" else "amount") in said


def test_mesh_audit_knows_it_by_its_ending(mesh: TinyMesh, tmp_path: Path) -> None:
    contract = tmp_path / "contract.odcs.yaml"
    contract.write_text(contract_text(KEY, COLUMNS))
    audited = start("audit", contract, "--data", land(mesh, ROWS), "--json")
    assert (audited.code, audited.json["publishable"]) == (0, True), audited.err


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (CODE.replace('"orc", (".orc",)', '"csv", (".orc",)'), "whose name there is already"),
        (CODE.replace('(".orc",)', '(".parquet",)'), r"whose ending \.parquet there is already"),
        (CODE.replace("FORMAT = FileFormat(", "FORMAT = str("), "cannot be loaded: TypeError"),
        (CODE.replace("FORMAT = FileFormat(", "FORMAT = ("), "leads to a tuple"),
    ],
    ids=["name", "ending", "raises", "no format"],
)
def test_one_that_cannot_be_added_says_whose_it_is(site: Path, code: str, said: str) -> None:
    (site / "orc_format.py").write_text(code)
    with pytest.raises(UnusableExtension, match=f"'orc' of offices.*{said}"):
        file_formats.all_formats()
