"""Rows that could not be read as the contract's types: kept as text, with their place and reasons.

Belongs here: the columns of the rejects file, writing it in bounded memory.
Does not belong here: deciding what cannot be read (`typed_cells.py`, `landing/formats/csv.py`,
`landing/formats/jsonl.py`), or what becomes of such rows (the audit's PARSE rule).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

CELLS = "_cells"
TEXT = "_text"
# `_row` counts the object's rows from 1, `_line` its lines; a line is null where it is not known.
# `_raw` is JSON: the row's cells by column, {"_cells": [...]} for a row that cannot be matched to
# the columns, {"_text": "..."} for a line that cannot be split at all.
REJECTS_SCHEMA = pa.schema(
    [
        pa.field("_object", pa.string()),
        pa.field("_row", pa.int64()),
        pa.field("_line", pa.int64()),
        pa.field("_raw", pa.string()),
        pa.field(
            "_reasons",
            pa.list_(
                pa.struct(
                    [
                        pa.field("column", pa.string()),
                        pa.field("value", pa.string()),
                        pa.field("problem", pa.string()),
                    ]
                )
            ),
        ),
    ]
)
SHOWN_CHARACTERS = 200
FLUSH_ROWS = 10_000
FLUSH_CHARACTERS = 8 << 20


@dataclass(frozen=True)
class Reason:
    """Why a row was rejected. `column` is None when the whole row is at fault."""

    column: str | None
    value: str | None
    problem: str


@dataclass(frozen=True)
class Reject:
    row: int
    line: int | None
    raw: str
    reasons: tuple[Reason, ...]
    object_key: str | None = None  # None: the object that is being read


class TakesRejects(Protocol):
    def add(self, reject: Reject) -> None: ...


class RejectsWriter:
    """Writes the rejects of one object to `path`, which is made with the first of them."""

    def __init__(self, path: Path, object_key: str) -> None:
        self.path = path
        self.rows = 0
        self._object_key = object_key
        self._pending: list[Reject] = []
        self._characters = 0
        self._writer: pq.ParquetWriter | None = None

    def add(self, reject: Reject) -> None:
        self._pending.append(reject)
        self._characters += len(reject.raw)
        self.rows += 1
        if len(self._pending) >= FLUSH_ROWS or self._characters >= FLUSH_CHARACTERS:
            self._flush()

    def close(self) -> Path | None:
        """Finish the file; None when nothing was rejected."""
        self._flush()
        if self._writer is None:
            return None
        self._writer.close()
        return self.path

    def abandon(self) -> None:
        """Let go of the file after a failure, without finishing it."""
        if self._writer is not None:
            self._writer.close()

    def _flush(self) -> None:
        if not self._pending:
            return
        if self._writer is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self.path, REJECTS_SCHEMA, compression="zstd")
        self._writer.write_table(self._table())
        self._pending.clear()
        self._characters = 0

    def _table(self) -> pa.Table:
        rejects = self._pending
        return pa.table(
            {
                "_object": pa.array(
                    [r.object_key or self._object_key for r in rejects], pa.string()
                ),
                "_row": pa.array([r.row for r in rejects], pa.int64()),
                "_line": pa.array([r.line for r in rejects], pa.int64()),
                "_raw": pa.array([r.raw for r in rejects], pa.string()),
                "_reasons": [
                    [
                        {"column": x.column, "value": _shown(x.value), "problem": x.problem}
                        for x in r.reasons
                    ]
                    for r in rejects
                ],
            },
            schema=REJECTS_SCHEMA,
        )


def first_reason(rejects: Path) -> str:
    """Where in its object the first of the rejects stands, and why it is one; it quotes no value."""
    first = pq.read_table(rejects).slice(0, 1).to_pylist()[0]
    place = f"line {first['_line']}" if first["_line"] else f"row {first['_row']}"
    reason = first["_reasons"][0]
    column = f", column {reason['column']!r}" if reason["column"] else ""
    return f"{place}{column}: {reason['problem']}"


def _shown(value: str | None) -> str | None:
    """A value as a reason carries it: `_raw` holds the whole."""
    if value is None or len(value) <= SHOWN_CHARACTERS:
        return value
    return f"{value[:SHOWN_CHARACTERS]}… ({len(value)} characters)"
