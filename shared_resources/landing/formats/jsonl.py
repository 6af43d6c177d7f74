"""A JSON lines object: one JSON object a line, its fields the contract's columns.

Belongs here: lines, strict JSON, whole documents in place of lines.
Does not belong here: fields against columns (`json_fields.py`), text values (`landing/typed_cells.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from shared_resources.contracts.model import Column
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.json_fields import Fields, JsonColumns, read_fields
from shared_resources.landing.rejects import TEXT, Reason, Reject, RejectsWriter
from shared_resources.landing.staged_object import (
    ObjectToStage,
    StagedObject,
    carefully,
    staging,
)
from shared_resources.landing.text import TextFile, open_text
from shared_resources.landing.typed_rows import (
    BATCH_CELLS,
    BATCH_CHARACTERS,
    BATCH_ROWS,
    TextBatch,
)


class JsonLinesReader:
    """See `FormatReader`. Nothing in text ends a process."""

    def is_ordinary(self, file: Path) -> bool:
        return True

    def stage(self, of: ObjectToStage) -> StagedObject:
        landing = of.landing
        with (
            staging(of) as stage,
            open_text(of.file, of.key, landing.encoding, stage.work, of.limits) as text,
        ):
            lines = JsonLinesObject(text, of.key, of.contract.columns, landing.ignores_extra)
            staged = stage.write(carefully(lines.batches))
            return replace(staged, ignored=lines.ignored)


READER = JsonLinesReader()


class JsonLinesObject:
    """A JSON lines object and the contract's columns."""

    def __init__(
        self,
        text: TextFile,
        object_key: str,
        columns: Sequence[Column],
        ignores_extra: bool = False,
    ) -> None:
        self._text = text
        self._key = object_key
        self._columns = JsonColumns(columns, ignores_extra)

    @property
    def ignored(self) -> tuple[str, ...]:
        """The fields that were left out, of the lines that were read so far."""
        return tuple(sorted(self._columns.ignored))

    def batches(self, rejects: RejectsWriter) -> Iterator[TextBatch]:
        """The rows as text; lines that are no row of the contract become rejects.

        Raises `UnreadableObject` when no line holds a JSON object.
        """
        batch = _Batch(self._columns)
        row = objects = 0
        for number, line in self._lines():
            row += 1
            found = read_fields(line)
            if isinstance(found, Reason):
                self._refuse_document(line, number)
                raw = json.dumps({TEXT: line}, ensure_ascii=False)
                rejects.add(Reject(row, number, raw, (found,)))
                continue
            objects += 1
            batch.add(self._columns.named(found), row, number, line)
            if batch.full:
                yield batch.finish(rejects)
                batch = _Batch(self._columns)
        if row and not objects:
            raise UnreadableObject(
                self._key, "holds no JSON object", "land one JSON object a line", "line 1"
            )
        if row:
            yield batch.finish(rejects)

    def _lines(self) -> Iterator[tuple[int, str]]:
        """The lines that are not blank, with their numbers."""
        with self._text.path.open("rb") as file:
            file.seek(self._text.start)
            for number, line in enumerate(file, start=1):
                if not line.isspace():
                    yield number, line.decode("utf-8").strip(" \t\r\n")

    def _refuse_document(self, line: str, number: int) -> None:
        """Refuse one whole document in place of lines, where its first line shows it."""
        if number != 1:
            return
        if line.startswith("["):
            problem, remedy = "is a JSON array", "land its elements, one a line (`jq -c '.[]'`)"
        elif line == "{":
            problem, remedy = "spreads an object over lines", "land one object a line (`jq -c .`)"
        else:
            return
        raise UnreadableObject(self._key, problem, remedy, "line 1")


class _Batch:
    """Rows on their way into a `TextBatch`."""

    def __init__(self, columns: JsonColumns) -> None:
        self._columns = columns
        self._most = max(1, min(BATCH_ROWS, BATCH_CELLS // len(columns)))
        self._objects: list[Fields] = []
        self._rows: list[int] = []
        self._lines: list[int] = []
        self._raw: list[str] = []
        self._characters = 0

    def add(self, fields: Fields, row: int, line: int, raw: str) -> None:
        self._objects.append(fields)
        self._rows.append(row)
        self._lines.append(line)
        self._raw.append(raw)
        self._characters += len(raw)

    @property
    def full(self) -> bool:
        return len(self._rows) >= self._most or self._characters >= BATCH_CHARACTERS

    def finish(self, rejects: RejectsWriter) -> TextBatch:
        """The rows that have the columns' JSON types; the others become rejects."""
        faults = self._columns.faults(self._objects, self._raw)
        for i in sorted(faults):
            rejects.add(Reject(self._rows[i], self._lines[i], self._raw[i], tuple(faults[i])))
        if faults:
            kept = [i for i in range(len(self._rows)) if i not in faults]
            self._objects = [self._objects[i] for i in kept]
            self._rows = [self._rows[i] for i in kept]
            self._lines = [self._lines[i] for i in kept]
            self._raw = [self._raw[i] for i in kept]
        return TextBatch(
            columns=self._columns.texts(self._objects),
            rows=self._rows,
            lines=self._lines,
            raw=self._raw,
        )
