"""Rejected rows tried again, by what the contract says now.

Belongs here: reading a rejects file back as rows of text.
Does not belong here: which text is a value (`parsing.py`), or what becomes of rows that fail again.

A row that could not be matched to the columns, or a line that could not be split, is no more
readable than before, whatever the contract says: it stays a reject until the object is mended.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from shared_resources.contracts.model import Column, Contract, LandingFormat
from shared_resources.landing.jsonl import UNKNOWN, JsonRowReader
from shared_resources.landing.rejects import CELLS, TEXT, Reason, Reject, RejectsWriter
from shared_resources.landing.staged_object import StagedObject, Staging, carefully
from shared_resources.landing.typed_rows import BATCH_ROWS, TextBatch


def stage_rejects(contract: Contract, rejects: Path, folder: Path, partition: str) -> StagedObject:
    """Stage the rows of a rejects file that are readable now; the others are rejects again.

    Rows keep the object, row and line where they stood. A column that the contract has since got is
    null in them; a value of one that it no longer has keeps its row a reject. Raises `ValueError`
    when the contract has no landing any more.
    """
    if contract.landing is None:
        raise ValueError(f"{contract.key}: its contract has no landing to read rejected rows by")
    again = _Again(contract.columns, contract.landing.format, rejects)
    work = folder / ".reading"
    return Staging(contract, "", folder, partition, work).write(carefully(again.batches))


class _Again:
    """The rows of one rejects file."""

    def __init__(self, columns: Sequence[Column], format_: LandingFormat, rejects: Path) -> None:
        self._names = [column.name for column in columns]
        self._json = JsonRowReader(columns) if format_ is LandingFormat.JSONL else None
        self._rejects = rejects

    def batches(self, rejects: RejectsWriter) -> Iterator[TextBatch]:
        with pq.ParquetFile(self._rejects) as file:
            for batch in file.iter_batches(batch_size=BATCH_ROWS):
                readable: list[tuple[dict[str, Any], dict[str, str | None]]] = []
                for row in batch.to_pylist():
                    cells, reasons = self._cells(row)
                    if reasons:
                        rejects.add(_reject(row, reasons))
                    else:
                        readable.append((row, cells))
                if readable:
                    yield self._batch(readable)

    def _cells(self, row: dict[str, Any]) -> tuple[dict[str, str | None], tuple[Reason, ...]]:
        """The row's cells as text, and why it still is no row of the contract."""
        found = json.loads(row["_raw"])
        if TEXT in found or CELLS in found:
            return {}, tuple(Reason(**reason) for reason in row["_reasons"])
        if self._json is not None:
            fields = self._json.fields(row["_raw"])
            if isinstance(fields, Reason):
                return {}, (fields,)
            return fields, self._json.reasons(fields)
        lost = [name for name in found if name not in self._names and found[name] is not None]
        return found, tuple(Reason(name, found[name], UNKNOWN) for name in lost)

    def _batch(self, readable: Sequence[tuple[dict[str, Any], dict[str, str | None]]]) -> TextBatch:
        return TextBatch(
            columns=[[cells.get(name) for _, cells in readable] for name in self._names],
            rows=[row["_row"] for row, _ in readable],
            lines=[row["_line"] for row, _ in readable],
            raw=[row["_raw"] for row, _ in readable],
            object_keys=[row["_object"] for row, _ in readable],
        )


def _reject(row: dict[str, Any], reasons: tuple[Reason, ...]) -> Reject:
    return Reject(row["_row"], row["_line"], row["_raw"], reasons, row["_object"])
