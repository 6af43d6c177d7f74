"""Where the rows of one object are staged, and where its rejects are kept.

Belongs here: writing both in one pass, and removing what a failed pass wrote.
Does not belong here: finding rows (`reader.py`, `rejects_again.py`).
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shared_resources.contracts.model import Contract, Landing
from shared_resources.landing.rejects import RejectsWriter
from shared_resources.landing.text import Limits
from shared_resources.landing.typed_rows import TextBatch, TypedRows
from shared_resources.stores.protocol import UNPARTITIONED, StagedFile
from shared_resources.stores.staging.staging import write_staged

Batches = Callable[[TypedRows, RejectsWriter], Iterator[pa.RecordBatch]]


@dataclass(frozen=True)
class StagedObject:
    """What became of one object. `rejects` is None when every row could be read.

    `ignored` are its columns that the contract does not know, where it says to leave them out.
    """

    files: tuple[StagedFile, ...]
    rejects: Path | None = None
    rejected_rows: int = 0
    ignored: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectToStage:
    """The object `key`, of which `file` is a copy that is read only, and where its rows go.

    `audit_follows`: what is adopted as it is is decoded by DuckDB in the audit, and not before.
    `in_place`: it is not even copied, for nobody publishes it.
    """

    contract: Contract
    file: Path
    key: str
    folder: Path
    partition: str
    limits: Limits
    audit_follows: bool = False
    in_place: bool = False

    @property
    def landing(self) -> Landing:
        landing = self.contract.landing
        if landing is None:
            raise ValueError(
                f"{self.contract.key}: its contract has no landing, so nothing says how to read "
                f"{self.key}"
            )
        return landing


def carefully(batches: Callable[[RejectsWriter], Iterator[TextBatch]]) -> Batches:
    """Rows as text from Python, parsed batch by batch."""

    def parse(rows: TypedRows, rejects: RejectsWriter) -> Iterator[pa.RecordBatch]:
        for batch in batches(rejects):
            yield rows.parse_batch(batch)

    return parse


def remove_staged(folder: Path, partition: str) -> None:
    """Remove what a failed pass over an object wrote for its partition."""
    written = folder if partition == UNPARTITIONED else folder / f"partition={partition}"
    for file in written.glob("part-*.parquet"):
        file.unlink()


class Staging:
    """Where one object's rows and rejects are written."""

    def __init__(
        self, contract: Contract, key: str, folder: Path, partition: str, work: Path
    ) -> None:
        self._contract = contract
        self._key = key
        self._folder = folder
        self._partition = partition
        self.work = work
        self._rejects = folder / "rejects" / f"{partition or 'all'}.parquet"

    def write(self, batches: Batches) -> StagedObject:
        """Write what `batches` gives; its exceptions come out as they are, and nothing is left."""
        rejects = RejectsWriter(self._rejects, self._key)
        try:
            with TypedRows(self._contract.columns, rejects, self.work) as rows:
                reader = pa.RecordBatchReader.from_batches(rows.schema, batches(rows, rejects))
                files = write_staged(reader, self._folder, self._contract, (self._partition,))
            return StagedObject(files, rejects.close(), rejects.rows)
        except BaseException:
            rejects.abandon()
            self._rejects.unlink(missing_ok=True)
            remove_staged(self._folder, self._partition)
            raise


@contextmanager
def staging(of: ObjectToStage) -> Iterator[Staging]:
    """Where the object's rows are written, with a folder to work in that goes afterwards."""
    work = of.folder / ".reading" / (of.partition or "all")
    work.mkdir(parents=True, exist_ok=True)
    try:
        yield Staging(of.contract, of.key, of.folder, of.partition, work)
    finally:
        shutil.rmtree(work.parent, ignore_errors=True)
