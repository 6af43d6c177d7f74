"""Staging bytes as a landing object, and reading back what became of them; for the tests here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import all_formats
from shared_resources.contracts.model import Contract, Landing
from shared_resources.contracts.types import ColumnType, arrow_schema
from shared_resources.landing.reader import Limits, UnreadableObject, stage_object
from tests.contract_factory import make_contract

COLUMNS = {"id": "int", "name": "text", "price": "float", "day": "date"}


@dataclass(frozen=True)
class Outcome:
    """The staged rows, and the rejects: (row, line, what it held, [(column, problem)])."""

    rows: list[dict[str, Any]]
    rejects: list[dict[str, Any]]

    @property
    def problems(self) -> list[tuple[int, str | None, str]]:
        """(line, column, problem) of every reason."""
        return [
            (reject["_line"], reason["column"], reason["problem"])
            for reject in self.rejects
            for reason in reject["_reasons"]
        ]


def landing_contract(
    format_: str, columns: Mapping[str, str | ColumnType] = COLUMNS, **landing: Any
) -> Contract:
    fields = {"prefix": "shop/items", "object_name": "*", **landing}
    return make_contract(columns, landing=Landing(format=all_formats()[format_], **fields))


def stage(
    contract: Contract,
    content: bytes,
    tmp_path: Path,
    name: str = "items",
    limits: Limits | None = None,
) -> Outcome:
    """Stage the bytes; checks on the way what holds for every outcome."""
    copy = tmp_path / "copy"
    copy.write_bytes(content)
    folder = tmp_path / "staging"
    folder.mkdir(exist_ok=True)
    try:
        staged = stage_object(contract, copy, f"shop/items/{name}", folder, limits=limits)
    except UnreadableObject:
        assert not any(path.is_file() for path in folder.rglob("*")), "a refusal left something"
        raise
    assert copy.read_bytes() == content, "the copy was changed"
    expected = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    rows: list[dict[str, Any]] = []
    for file in staged.files:
        table = pq.read_table(file.path)
        assert table.schema.equals(expected)
        assert table.num_rows == file.rows
        rows.extend(table.to_pylist())
    rejects = pq.read_table(staged.rejects).to_pylist() if staged.rejects else []
    assert len(rejects) == staged.rejected_rows
    for reject in rejects:
        json.loads(reject["_raw"])
        assert reject["_reasons"]
    left = {path.name for path in folder.rglob("*") if path.is_file()}
    assert left == {f.path.name for f in staged.files} | ({"all.parquet"} if rejects else set())
    return Outcome(rows, rejects)
