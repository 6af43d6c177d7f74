"""`physicalName`: files call a column otherwise than its contract, in every format."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.file_formats import OWN, FileFormat
from shared_resources.contracts.model import Contract, Landing
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.reader import StagedObject, stage_object
from shared_resources.landing.rejects_again import stage_rejects
from tests.contract_factory import make_column, make_contract

ROWS = [{"Order ID": 1, "Straße": "Am Wall"}, {"Order ID": 2, "Straße": None}]


def contract_for(form: FileFormat, **options: Any) -> Contract:
    columns = (
        make_column("order_id", "int", landed_as="Order ID"),
        make_column("street", "text", landed_as="Straße"),
    )
    landing = Landing("order/lines", form, "*", **options)
    return replace(make_contract({"order_id": "int"}), columns=columns, landing=landing)


def file_of(form: FileFormat, rows: list[dict[str, object]], folder: Path) -> Path:
    file = folder / f"rows{form.endings[0]}"
    if form.name == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), file)
    elif form.name == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        lines = [list(rows[0]), *(["" if v is None else str(v) for v in r.values()] for r in rows)]
        file.write_text("".join(",".join(line) + "\n" for line in lines))
    return file


def stage(form: FileFormat, rows: list[dict[str, object]], folder: Path) -> StagedObject:
    file = file_of(form, rows, folder)
    return stage_object(contract_for(form), file, file.name, folder / "staged")


@pytest.mark.parametrize("form", OWN, ids=lambda form: form.name)
def test_a_file_is_read_by_the_names_that_it_has(form: FileFormat, tmp_path: Path) -> None:
    staged = stage(form, ROWS, tmp_path)
    assert staged.rejected_rows == 0 and staged.ignored == ()
    (file,) = staged.files
    assert pq.read_table(file.path).to_pylist() == [
        {"order_id": 1, "street": "Am Wall"},
        {"order_id": 2, "street": None},
    ]


@pytest.mark.parametrize("form", OWN, ids=lambda form: form.name)
def test_a_file_that_has_the_contracts_names_is_read_as_well(
    form: FileFormat, tmp_path: Path
) -> None:
    rows = [{"order_id": 1, "street": "Am Wall"}]
    (file,) = stage(form, rows, tmp_path).files
    assert pq.read_table(file.path).to_pylist() == rows


@pytest.mark.parametrize("form", OWN, ids=lambda form: form.name)
def test_one_that_has_both_is_refused(form: FileFormat, tmp_path: Path) -> None:
    rows = [{"Order ID": 1, "order_id": 2, "Straße": "x"}]
    try:
        staged = stage(form, rows, tmp_path)
    except UnreadableObject as refused:
        assert "order_id" in str(refused)
    else:
        assert (staged.rejected_rows, sum(file.rows for file in staged.files)) == (1, 0)


@pytest.mark.parametrize("form", OWN, ids=lambda form: form.name)
@pytest.mark.parametrize(
    "row",
    [{"ORDER-ID": 1, "Straße": "x"}, {"order_id": 1, "Order ID": 7, "Straße": "x"}],
    ids=["misspelt", "both"],
)
def test_leaving_out_columns_leaves_out_no_landed_name(
    form: FileFormat, row: dict[str, object], tmp_path: Path
) -> None:
    file = file_of(form, [row], tmp_path)
    contract = contract_for(form, ignores_extra=True)
    may_be_absent = (replace(contract.columns[0], absent_before=date.max), contract.columns[1])
    try:
        staged = stage_object(
            replace(contract, columns=may_be_absent), file, file.name, tmp_path / "staged"
        )
    except UnreadableObject as refused:
        assert "ORDER-ID" in str(refused) or "order_id" in str(refused)
    else:
        assert (staged.rejected_rows, sum(one.rows for one in staged.files)) == (1, 0)


@pytest.mark.parametrize("ignores_extra", [False, True])
def test_cells_that_were_rejected_are_tried_again_by_the_name_that_they_had(
    ignores_extra: bool, tmp_path: Path
) -> None:
    landing = Landing("order/lines", OWN[0], "*", ignores_extra=ignores_extra)
    before = replace(
        make_contract({"score": "int"}), columns=(make_column("score", "int"),), landing=landing
    )
    file = tmp_path / "rows.csv"
    file.write_text("score\nabc\n")
    rejects = stage_object(before, file, file.name, tmp_path / "first").rejects
    assert rejects is not None
    after = replace(before, columns=(make_column("points", "text", landed_as="score"),))
    again = stage_rejects(after, rejects, tmp_path / "second", "")
    (made,) = again.files
    assert pq.read_table(made.path).to_pylist() == [{"points": "abc"}]
