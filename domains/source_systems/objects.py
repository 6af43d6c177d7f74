"""One object of the landing zone, written the way a careful producer writes it.

Belongs here: the three formats, and the atomic replacement of one object.
Does not belong here: which objects there are (`systems.py`).

An object appears whole or not at all: it is written under `.incoming/` at the root of the zone,
below no product's prefix, and renamed into place. Content that is there already is left alone, so
that a second run gives no sensor a reason to fire.
"""

from __future__ import annotations

import contextlib
import csv
import filecmp
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

INCOMING = ".incoming"


class LandingWriter:
    """Writes objects below `root`; counts those `written` and those `kept` as they were."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        self.kept = 0

    def csv(self, key: str, table: pa.Table) -> None:
        """A header and one line a row, UTF-8; a null is an empty cell."""

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(table.column_names)
                writer.writerows(zip(*(c.to_pylist() for c in table.columns), strict=True))

        self._put(key, write)

    def jsonl(self, key: str, table: pa.Table) -> None:
        """One JSON object a line, UTF-8; dates as ISO 8601 text."""

        def write(path: Path) -> None:
            with path.open("w", encoding="utf-8", newline="") as file:
                file.writelines(f"{line}\n" for line in _json_lines(_rows(table)))

        self._put(key, write)

    def parquet(self, key: str, schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> None:
        """Zstandard Parquet of the batches, streamed. They must have the schema."""

        def write(path: Path) -> None:
            with pq.ParquetWriter(path, schema, compression="zstd") as writer:
                for batch in batches:
                    writer.write_batch(batch)

        self._put(key, write)

    def _put(self, key: str, write: Callable[[Path], None]) -> None:
        target = self.root / key
        incoming = self.root / INCOMING / f"{os.getpid()}-{key.replace('/', '~')}"
        incoming.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write(incoming)
            if target.exists() and filecmp.cmp(incoming, target, shallow=False):
                self.kept += 1
            else:
                incoming.replace(target)
                self.written += 1
        finally:
            incoming.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another simulator may be writing there
                incoming.parent.rmdir()


def _rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    for batch in table.to_batches(max_chunksize=16_384):
        yield from batch.to_pylist()


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
    return map(encoder.encode, rows)
