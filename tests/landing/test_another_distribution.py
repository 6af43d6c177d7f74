"""A file format that another distribution adds lands like any other: the example of CONTRIBUTING."""

from __future__ import annotations

import errno
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import orc

from shared_resources.contracts import file_formats
from shared_resources.contracts.file_formats import FileFormat
from shared_resources.contracts.model import Landing
from shared_resources.extensions import UnusableExtension
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.format_reader import ReadAsArrow, reader_of
from shared_resources.landing.staged_object import ObjectToStage
from shared_resources.landing.text import Limits
from tests.architecture.tree import ROOT
from tests.cli.commands import start
from tests.contract_factory import make_contract
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


def test_a_time_of_day_is_not_dropped_from_a_date64(tmp_path: Path) -> None:
    """Parquet keeps a date64 as days."""
    of = ObjectToStage(
        make_contract({"day": "date"}, landing=Landing("a/b", file_formats.CSV, "*")),
        tmp_path / "x.orc", "x.orc", tmp_path / "staged", "", Limits(),
    )  # fmt: skip
    for hour, kept in ((0, True), (1, False)):
        moment = pa.array([datetime(2024, 10, 4, hour)], pa.timestamp("ms"))
        values = moment.view(pa.date64())
        reader = ReadAsArrow("X", lambda _, v=values: pa.table({"day": v}).to_reader())
        if kept:
            (file,) = reader.stage(of).files
            assert pq.read_table(file.path).to_pylist() == [{"day": date(2024, 10, 4)}]
        else:
            with pytest.raises(UnreadableObject, match="without loss"):
                reader.stage(of)


@pytest.mark.parametrize(
    "problem", [OSError(errno.ENOSPC, "full"), MemoryError(), ImportError("no codec")]
)
def test_what_is_the_machines_fault_is_not_the_objects(tmp_path: Path, problem: Exception) -> None:
    of = ObjectToStage(
        make_contract({"day": "date"}), tmp_path / "x", "x", tmp_path / "staged", "", Limits()
    )

    def read(file: Path) -> pa.RecordBatchReader:
        raise problem

    with pytest.raises(type(problem)):
        ReadAsArrow("X", read).stage(of)
    with pytest.raises(UnusableExtension, match="gives a Table"):
        ReadAsArrow("X", lambda _: pa.table({"day": [1]})).stage(of)  # type: ignore[arg-type,return-value]


@pytest.mark.parametrize("name", ["nothing", "ReadAsArrow"])
def test_a_reader_that_is_none_is_said_to_be_none(name: str) -> None:
    where = f"shared_resources.landing.formats.format_reader:{name}"
    with pytest.raises(UnusableExtension, match=where):
        reader_of(FileFormat("x", (".x",), where))


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
