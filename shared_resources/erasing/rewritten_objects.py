"""A landed file without a subject's rows: every other byte as its producer wrote it.

Belongs here: finding the rows of a CSV, JSON lines or Parquet file by key column, and leaving them out.
Does not belong here: which files (`in_landing.py`, `in_quarantine.py`), reading rows as their types
(`landing/formats/`).

A row that cannot be matched to the columns goes when any cell of it is a key, and a line that cannot be
read when it holds one as a word of its own: what was refused may be whoever asked to be forgotten.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.file_formats import COMPRESSIONS
from shared_resources.contracts.model import Column, Landing
from shared_resources.erasing.in_text import Words
from shared_resources.erasing.subjects import Subjects
from shared_resources.landing.errors import UnreadableObject
from shared_resources.landing.formats.csv_records import CsvDamage, Dialect, Record, records
from shared_resources.landing.text import Limits, TextFile, open_text

Keys = Mapping[str, Column]  # by what the file calls them


class NotRewritable(Exception):
    """The file cannot be read so far that rows could be told apart; the message says why."""


def may_hold(file: Path, key: str, encoding: str, who: Subjects) -> bool:
    """Whether any of them may be in a file that is `NotRewritable`. Only a text that can be read to its
    end tells that they are not: of what is cut off, or no text, nobody knows."""
    words = Words(who.said)  # a short one, too: where it stands by chance nothing is taken out
    if file.stat().st_size == 0:
        return False
    with tempfile.TemporaryDirectory(prefix="mesh-erase-") as folder:
        try:
            with (
                open_text(file, key, encoding, Path(folder), Limits()) as text,
                text.path.open("rb") as lines,
            ):
                return any(words.found_in(line) for line in lines)
        except UnreadableObject:
            return True


def rewrite(file: Path, key: str, landing: Landing, columns: Keys, who: Subjects, to: Path) -> int:
    """Write the file without their rows; how many those were. Raises `NotRewritable`."""
    match landing.format.name:
        case "parquet":
            return _parquet(file, columns, who, to)
        case "csv":
            rows = _csv_rows
        case "jsonl":
            rows = _json_rows
        case other:
            raise NotRewritable(f"files of the format {other} cannot be rewritten here")
    try:
        with open_text(file, key, landing.encoding, to.parent, Limits()) as text:
            return _text(text, key, landing, rows(text, landing, columns, who), to)
    except UnreadableObject as problem:
        raise NotRewritable("it is no whole text") from problem


_Rows = Iterator[tuple[int, bool]]  # the characters of each, and whether it goes


def _text(text: TextFile, key: str, landing: Landing, rows: _Rows, to: Path) -> int:
    removed = 0
    with ExitStack() as stack:
        source = stack.enter_context(text.path.open(encoding="utf-8", newline=""))
        target = stack.enter_context(_target(to, key))
        encode = _encoder(text, landing)
        target.write(encode(source.read(1) if text.start else ""))
        for size, goes in rows:
            part = source.read(size)
            removed += goes
            if not goes:
                target.write(encode(part))
        target.write(encode(source.read()))
    return removed


def _encoder(text: TextFile, landing: Landing) -> Callable[[str], bytes]:
    codec = landing.encoding.lower().replace("_", "-").removesuffix("-sig")
    return lambda part: part.encode(codec)


def _target(to: Path, key: str) -> Any:
    compression = COMPRESSIONS.get(Path(key).suffix.lower())
    if compression is None:
        return to.open("wb")
    return pa.CompressedOutputStream(pa.OSFile(str(to), "wb"), compression)


def _csv_rows(text: TextFile, landing: Landing, columns: Keys, who: Subjects) -> _Rows:
    dialect = Dialect(landing.delimiter, landing.null_text)
    header: list[str] | None = None
    try:
        for record in records(text, dialect, Limits().record_bytes):
            if header is None and record.cells:
                header = [cell or "" for cell in record.cells]
                yield record.size, False
            else:
                yield record.size, bool(record.cells) and _csv_goes(record, header, columns, who)
    except CsvDamage as damage:
        raise NotRewritable("from one line on it is no CSV any more") from damage


def _csv_goes(record: Record, header: list[str] | None, columns: Keys, who: Subjects) -> bool:
    if header is not None and len(record.cells) == len(header):
        named = dict(zip(header, record.cells, strict=True))
        keys = [(named[name], column) for name, column in columns.items() if name in named]
        if keys:
            return any(is_one(cell, column, who) for cell, column in keys)
        if any(cell in who.distinctive for cell in record.cells):
            return True
        if not _any_cell(record, columns, who):
            return False
        raise NotRewritable(
            "its header names no column of keys, and a short key that may be something else stands in it"
        )
    return _any_cell(record, columns, who)


def _any_cell(record: Record, columns: Keys, who: Subjects) -> bool:
    return any(is_one(cell, column, who) for cell in record.cells for column in columns.values())


def _json_rows(text: TextFile, landing: Landing, columns: Keys, who: Subjects) -> _Rows:
    words = Words(who.distinctive)
    with text.path.open(encoding="utf-8", newline="") as lines:
        if text.start:
            lines.read(1)
        for line in lines:
            yield len(line), json_goes(line, columns, who, words)


def json_goes(line: str, columns: Keys, who: Subjects, words: Words) -> bool:
    """Whether one JSON object is theirs; what is none, when it holds a key as a word of its own."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return words.found_in(line.encode())
    if not isinstance(said, dict):
        return words.found_in(line.encode())
    return any(is_one(said.get(name), column, who) for name, column in columns.items())


def _parquet(file: Path, columns: Keys, who: Subjects, to: Path) -> int:
    try:
        source = pq.ParquetFile(file)
    except (pa.ArrowException, OSError) as problem:
        raise NotRewritable("it is no whole Parquet file") from problem
    held = [name for name in columns if name in source.schema_arrow.names]
    removed, schema = 0, _without_dictionaries(source.schema_arrow)
    with source, pq.ParquetWriter(to, schema, compression="zstd") as target:
        for number in range(source.num_row_groups):
            group = source.read_row_group(number)
            goes = [False] * group.num_rows
            for name in held:
                values = group.column(name).to_pylist()
                goes = [
                    g or is_one(v, columns[name], who) for g, v in zip(goes, values, strict=True)
                ]
            removed += sum(goes)
            target.write_table(rest_of(group, goes))
    return removed


def rest_of(table: pa.Table, goes: Sequence[bool]) -> pa.Table:
    """The other rows, without dictionaries: one keeps the values that only the rows had that go. In
    Parquet it is the same column."""
    left = table.filter(pa.array([not one for one in goes], pa.bool_()))
    return left.cast(_without_dictionaries(table.schema))


def _without_dictionaries(schema: pa.Schema) -> pa.Schema:
    fields = [
        field.with_type(field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in schema
    ]
    return pa.schema(fields, schema.metadata)


def is_one(value: object, column: Column, who: Subjects) -> bool:
    if value is None or isinstance(value, dict | list):
        return False
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, float | Decimal) and math.isfinite(value) and value == int(value):
        return who.has(str(int(value)), column) or who.has(str(value), column)
    return who.has(str(value), column)
