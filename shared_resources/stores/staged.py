"""What was made and not yet published.

Belongs here: staged files, a batch of them, and a batch that the audit let through.
Does not belong here: writing files (`stores/staging/staging.py`), clearing and checking a batch
(`cleared.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shared_resources.contracts.model import UNPARTITIONED
from shared_resources.evidence.record import Evidence


@dataclass(frozen=True)
class StagedFile:
    """One Parquet file of a staged batch. `partition` is a key such as `2017-03-01`, or ``""``.

    `half_decoded`: another system wrote it, and Arrow alone has decoded it so far. The audit has
    DuckDB decode all of it, too, and publishes nothing that either cannot.

    `sha256` is that of its content where it was taken as the file was staged.
    """

    path: Path
    partition: str
    rows: int
    half_decoded: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class StagedBatch:
    """What was made and not yet published.

    `batch_id` names the attempt and is the idempotency key: publishing the same id twice publishes
    once. `partitions` are those that the batch replaces, even when it holds no row for one; it is
    ``("",)`` for a product without partitions. `rejects`, if any, is a Parquet file of the rows
    that could not be read as the contract's types, as text, with their place and reasons
    (`landing/rejects.py` gives its columns).
    """

    product: str
    batch_id: str
    folder: Path
    files: tuple[StagedFile, ...]
    partitions: tuple[str, ...] = (UNPARTITIONED,)
    rejects: Path | None = None
    rejected_rows: int = 0
    replaces_all: bool = False  # a partitioned product's whole content, not only these partitions

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)


@dataclass(frozen=True)
class Cleared:
    """A batch that the audit let through (`cleared.py`): the only thing that can be published.

    `on_top_of` is the store's current version when the batch was begun, 0 for none.

    None: whatever is published by then, as when a store follows another one.
    """

    staged: StagedBatch
    evidence: Evidence
    on_top_of: int | None = None

    @property
    def product(self) -> str:
        return self.staged.product

    @property
    def batch_id(self) -> str:
        return self.staged.batch_id
