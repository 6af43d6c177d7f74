"""A generation and its staging table as a job leaves them, written by pyiceberg: for tests without Flink.

Belongs here: the layout of a catalog of Hadoop's kind. Does not belong here: what a real job writes
(`test_with_flink.py`).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.environment import Environment
from shared_resources.streams.flink.generations import (
    CURRENT,
    SAID,
    Generation,
    staging_of,
    statement_digest,
)
from shared_resources.streams.flink.staged_columns import OFFSET, PARTITION, REASONS, VERDICT

Row = tuple[int, int, str, dict[str, Any]]  # partition, offset, verdict, values


class StagingJob:
    """Stands for a job: `stage` is a checkpoint of it."""

    def __init__(
        self,
        environment: Environment,
        contract: Contract,
        name: str = "one",
        begins: dict[int, int] | None = None,
        **said: Any,
    ) -> None:
        root = staging_of(environment, contract)
        topic = environment.log.topic(contract.stream.topic if contract.stream else "")
        self.folder = root / name
        self.folder.mkdir(parents=True)
        self.contract = contract
        described = {
            "topic_id": topic.id if topic else "",
            "begins": begins or {"0": 0, "1": 0},
            "statement": statement_digest(contract),
            "checkpoint_seconds": 1,
            **said,
        }
        (self.folder / SAID).write_text(json.dumps(described))
        (root / CURRENT).write_text(name)
        self._catalog = SqlCatalog(
            "c", uri=f"sqlite:///{self.folder}/c.db", warehouse=f"file://{self.folder}/w"
        )
        self._catalog.create_namespace("stream")
        own = {
            PARTITION: pa.int32(),
            OFFSET: pa.int64(),
            VERDICT: pa.string(),
            REASONS: pa.string(),
        }
        columns = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
        self.schema = pa.schema([*(pa.field(n, t) for n, t in own.items()), *columns])
        place = f"file://{self.folder}/stream/messages"
        self._table = self._catalog.create_table("stream.messages", self.schema, location=place)
        self._commits = 0

    @property
    def generation(self) -> Generation:
        return Generation(self.folder, "", {}, "", 1)

    def stage(self, rows: Sequence[Row]) -> None:
        if rows:
            written = [
                {PARTITION: p, OFFSET: o, VERDICT: v, REASONS: None, **values}
                for p, o, v, values in rows
            ]
            self._table.append(pa.Table.from_pylist(written, schema=self.schema))
        self._commits += 1
        folder = self.generation.metadata
        newest = Path(self._table.metadata_location.removeprefix("file://"))
        shutil.copy(newest, folder / f"v{self._commits}.metadata.json")
        (folder / "version-hint.text").write_text(str(self._commits))

    def files(self) -> list[Path]:
        return sorted((self.folder / "stream" / "messages" / "data").rglob("*.parquet"))
