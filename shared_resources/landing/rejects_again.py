"""Rejected rows tried again, by what the contract says now.

Belongs here: reading a rejects file back as rows of text.
Does not belong here: which text is a value (`typed_cells.py`), or what becomes of rows that fail again.

A row that could not be matched to the columns, or a line that could not be split, is no more
readable than before, whatever the contract says: it stays a reject until the object is mended.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import JSONL
from shared_resources.contracts.model import Column, Contract, Landing
from shared_resources.landing.formats.json_fields import UNKNOWN, Fields, JsonColumns, read_fields
from shared_resources.landing.rejects import CELLS, TEXT, Reason, Reject, RejectsWriter
from shared_resources.landing.staged_object import StagedObject, Staging, carefully
from shared_resources.landing.typed_rows import BATCH_ROWS, TextBatch

Row = dict[str, Any]


def stage_rejects(contract: Contract, rejects: Path, folder: Path, partition: str) -> StagedObject:
    """Stage the rows of a rejects file that are readable now; the others are rejects again.

    Rows keep the object, row and line where they stood. A column that the contract has since got is
    null in them; a value of one that it no longer has keeps its row a reject. Raises `ValueError`
    when the contract has no landing any more.
    """
    if contract.landing is None:
        raise ValueError(f"{contract.key}: its contract has no landing to read rejected rows by")
    again = _Again(contract.columns, contract.landing, rejects)
    work = folder / ".reading"
    return Staging(contract, "", folder, partition, work).write(carefully(again.batches))


class _Again:
    """The rows of one rejects file."""

    def __init__(self, columns: Sequence[Column], landing: Landing, rejects: Path) -> None:
        self._names = [column.name for column in columns]
        self._ignores_extra = landing.ignores_extra
        lines = landing.format == JSONL
        self._json = JsonColumns(columns, landing.ignores_extra) if lines else None
        self._landed = {column.landed_as: column.name for column in columns if column.landed_as}
        self._rejects = rejects

    def batches(self, rejects: RejectsWriter) -> Iterator[TextBatch]:
        with pq.ParquetFile(self._rejects) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                rows = batch.to_pylist()
                found = [self._fields(row) for row in rows]
                faults = self._faults(rows, found)
                for i in sorted(faults):
                    rejects.add(_reject(rows[i], faults[i]))
                kept = [i for i in range(len(rows)) if i not in faults]
                if kept:
                    yield self._batch([rows[i] for i in kept], [found[i] for i in kept])

    def _fields(self, row: Row) -> Fields:
        """By the names of the contract as it is now; cells stand under those that it had."""
        found = _fields(row)
        if self._json is not None:
            return self._json.named(found)
        return {
            own if (own := self._landed.get(name, name)) not in found else name: value
            for name, value in found.items()
        }

    def _faults(self, rows: Sequence[Row], found: Sequence[Fields]) -> dict[int, list[Reason]]:
        """Why rows are still none of the contract's, by position."""
        if self._json is not None:
            faults = self._json.faults(found, [row["_raw"] for row in rows])
        elif self._ignores_extra:
            faults = {}
        else:
            faults = {
                i: [Reason(name, cells[name], UNKNOWN) for name in lost]
                for i, cells in enumerate(found)
                if (lost := [n for n in cells if cells[n] is not None and n not in self._names])
            }
        for i, fields in enumerate(found):
            if TEXT in fields or CELLS in fields:
                faults[i] = [Reason(**reason) for reason in rows[i]["_reasons"]]
        return faults

    def _batch(self, rows: Sequence[Row], found: Sequence[Fields]) -> TextBatch:
        if self._json is not None:
            columns = self._json.texts(found)
        else:
            columns = [[cells.get(name) for cells in found] for name in self._names]
        return TextBatch(
            columns=columns,
            rows=[row["_row"] for row in rows],
            lines=[row["_line"] for row in rows],
            raw=[row["_raw"] for row in rows],
            object_keys=[row["_object"] for row in rows],
        )


def _fields(row: Row) -> Fields:
    found = read_fields(row["_raw"])
    assert not isinstance(found, Reason), "a rejects file holds JSON objects"
    return found


def _reject(row: Row, reasons: Sequence[Reason]) -> Reject:
    return Reject(row["_row"], row["_line"], row["_raw"], tuple(reasons), row["_object"])
