"""One object of the landing zone, written the way a careful producer writes it.

Belongs here: the three formats. Does not belong here: which objects there are (`systems.py`), how
the zone makes an object appear whole or not at all (`shared_resources/landing/zones/`).

Content that is there already is left alone, so that a second run gives no sensor a reason to fire.
"""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.landing.zones.zone import LandingZone


class LandingWriter:
    """Writes objects into `zone`; counts those `written` and those `kept` as they were.

    `days` limits what is sent by the day or week to the first so many days of the year.
    """

    def __init__(self, zone: LandingZone, days: int | None = None) -> None:
        self.zone = zone
        self.days = days
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
        with tempfile.TemporaryDirectory(prefix="mesh-landing-") as folder:
            file = Path(folder) / "object"
            write(file)
            if self.zone.put(key, file):
                self.written += 1
            else:
                self.kept += 1


def _rows(table: pa.Table) -> Iterator[Mapping[str, Any]]:
    for batch in table.to_batches(max_chunksize=16_384):
        yield from batch.to_pylist()


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    encoder = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)
    return map(encoder.encode, rows)
