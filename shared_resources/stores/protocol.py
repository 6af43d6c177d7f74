"""The publish protocol: how a batch becomes a version that readers see, in any store.

Belongs here: the types that pass between the audit, the stores and the readers, and the interface
that each store implements (`lake/`, `embedded_warehouse/`, `cloud_warehouse/`). One conformance suite
tests them all.
Does not belong here: anything that knows Dagster, Iceberg, DuckDB or S3.

    stage -> (audit) -> publish | discard          rollback, versions, read

A staged batch is a set of Parquet files that no reader can see. Publishing is one atomic commit;
whoever dies before it has changed nothing, whoever dies after it has changed everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from shared_resources.contracts.model import UNPARTITIONED as UNPARTITIONED
from shared_resources.contracts.model import Contract
from shared_resources.evidence import keys
from shared_resources.evidence.record import Evidence, NoEvidence, RolledBack
from shared_resources.evidence.statement import AttestedFile
from shared_resources.problems import MeshProblem
from shared_resources.stores.expiring.thinning import Expiry
from shared_resources.stores.staged import Cleared as Cleared
from shared_resources.stores.staged import StagedBatch as StagedBatch
from shared_resources.stores.staged import StagedFile as StagedFile

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from shared_resources.stores.erased import Rewritten, Without

ORPHAN_AGE = timedelta(days=1)


@dataclass(frozen=True)
class Version:
    """One published version of a product, in one store.

    `snapshot` is the store's own name for it (the Iceberg snapshot id, the warehouse manifest).
    `properties` are all that was committed with it, its evidence among them (`evidence/keys.py`).
    `rollback_of` is the number of the version that a rollback restored, else None.
    """

    product: str
    store: str
    number: int
    snapshot: str
    rows: int
    published_at: datetime
    properties: Mapping[str, str] = field(default_factory=dict)
    rollback_of: int | None = None

    @property
    def batch_id(self) -> str:
        return self.properties[keys.BATCH_ID]

    @cached_property
    def evidence(self) -> Evidence:
        """What it was made from and checked against. Raises `NoEvidence` when it does not say."""
        of = f"{self.product} version {self.number} in the {self.store}"
        return Evidence.read(self.properties, of)

    @property
    def evidence_or_none(self) -> Evidence | None:
        """None for a version that nobody may read, as nobody knows what it was checked against."""
        try:
            return self.evidence
        except NoEvidence:
            return None


@dataclass(frozen=True)
class Compaction:
    """What a compaction did to the files of the current version."""

    files_before: int
    files_after: int


@dataclass(frozen=True)
class Verified:
    """What became of comparing every byte: files compared, those without a digest, what differs."""

    compared: int
    unknown: int = 0
    problems: tuple[str, ...] = ()


class Snapshot(Protocol):
    """A pinned version, open for reading. It does not change, whatever is published meanwhile."""

    @property
    def version(self) -> Version: ...

    @property
    def schema(self) -> pa.Schema: ...

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        """Stream the rows: only `columns`, only `partitions`, when given."""
        ...

    def register(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Sequence[str] | None = None,
        partitions: Sequence[str] | None = None,
    ) -> None:
        """Make the version queryable as the view `name` on a DuckDB connection: only these columns
        and partitions, when given. Nothing is copied; with columns it may be read once alone."""
        ...

    def partitions(self) -> tuple[str, ...]:
        """The partition keys that hold rows, sorted; empty for a product without partitions."""
        ...

    def attested(self) -> tuple[AttestedFile, ...]:
        """The files of the version, and what is known of each: what an attestation is about."""
        ...

    def verify(self) -> Verified:
        """Compare what lies there with what was published, byte for byte."""
        ...

    def paths(self) -> tuple[Path, ...]:
        """The immutable files that hold the rows: what the audit's connection may read."""
        ...

    @property
    def renamed(self) -> bool:
        """Whether the files call a column otherwise than the version: nobody reads them by its names."""
        ...


class ProductStore(Protocol):
    """A place where products are published. Every method is safe to call from many processes."""

    name: str

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        """Create and return a new folder that this batch's Parquet files are written to.

        Every call gives another folder: an attempt never writes into files that an earlier attempt
        of the same batch may have published.
        """
        ...

    def publish(
        self,
        contract: Contract,
        cleared: Cleared,
        *,
        append: bool = False,
    ) -> Version:
        """Make the audited batch the next version, in one atomic commit that carries its evidence.

        Replaces the whole product, or exactly the batch's partitions. With `append` nothing is
        replaced: the rows, if there are any, are added to the version that it is made on top of.
        Publishing a `batch_id` that is already published returns that version and changes nothing.
        Other writers' versions are never lost: on a conflict the commit is made again on top of theirs,
        but of one that carries a position in a topic.

        Raises `PublishError` when the product's published schema cannot take the contract's, or the
        batch is not what the audit let through; and `MovedOn` when, since it was begun, somebody
        replaced rows that it would replace.
        """
        ...

    def release(self, staged: StagedBatch) -> None:
        """Remove what this store staged and no version needs: every store has published the batch."""
        ...

    def discard(self, contract: Contract, batch_id: str) -> None:
        """Remove what was staged for the batch, unless it is published; no error if nothing was."""
        ...

    def remove_orphans(self, product: str, older_than: timedelta = ORPHAN_AGE) -> list[str]:
        """Remove what processes that are gone staged and never published; name what was removed.

        Where it cannot be told whether a process is gone, what is older than `older_than`.
        """
        ...

    def orphans(self, product: str) -> list[str]:
        """What `remove_orphans` would remove now."""
        ...

    def products(self) -> list[str]:
        """The keys of all published products, without those of branches."""
        ...

    def versions(self, product: str) -> list[Version]:
        """All kept versions, oldest first; empty for a product that was never published."""
        ...

    def open(self, product: str, number: int | None = None) -> Snapshot:
        """Pin a version (the current one by default).

        Raises `NotPublished` when there is none, `NoEvidence` when nobody audited it, and `Damaged`
        when a file of it is not what was published.
        """
        ...

    def rollback(self, contract: Contract, to: int, why: RolledBack, *, batch_id: str) -> Version:
        """Publish the content of version `to` again as the next version, in one atomic commit.

        It carries the evidence of `to`, and `why`.
        """
        ...

    def compact(self, contract: Contract) -> Compaction | None:
        """Rewrite the current version's small files as fewer; None when there is nothing to do.

        The version stays what it was: number, rows, batch and evidence. Raises `Overtaken`, with
        nothing changed, when someone published meanwhile.
        """
        ...

    def would_compact(self, contract: Contract) -> Compaction | None:
        """What `compact` would do now."""
        ...

    def expire(self, contract: Contract, before: Expiry) -> list[Version]:
        """Remove the versions that were published before, or that are too many; say which: never the
        current one, and never one that a kept version restored.
        """
        ...

    def erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        """Take these rows out of every kept version, and remove what still held them; say from which.

        A version stays what it was but for its rows, `mesh.erased` and its attestation. Doing it again
        finishes what a process left that died. Who has a version open that held such rows may find a
        file of it gone. What cannot be read is said of its version, and keeps no other from being done.
        """
        ...

    def would_erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        """What `erase` would do now."""
        ...

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        """The version that published this batch, if one did."""
        ...

    def check_in_step(self, product: str) -> None:
        """Raise `OutOfStep` when versions lie there that the store's catalog does not know.

        Everything that publishes or removes asks so itself.
        """
        ...

    def repair(self, product: str, *, dry_run: bool = False) -> str | None:
        """Tell the catalog of the newest version that lies there whole; say what was done.

        None when there is nothing to do. With `dry_run` nothing is changed, and the answer is what
        would be. Raises `Unreadable` when nothing can be done.
        """
        ...


class PublishError(MeshProblem):
    """The store refused to publish; the message says why and what to do."""


class MovedOn(MeshProblem):
    """Someone replaced the same rows meanwhile; nothing was published. Try again."""


class Overtaken(Exception):
    """Someone published while housekeeping worked on what was current; nothing was changed."""

    def __init__(self, product: str, number: int) -> None:
        super().__init__(
            f"{product}: someone published while version {number} was compacted; it stays as it was"
        )


class Unreadable(MeshProblem):
    """What is kept of one product cannot be read; that is its trouble, and no other product's.

    `file` names the file, table or object; `remedy` says what to do.
    """

    def __init__(self, product: str, file: object, problem: str, remedy: str) -> None:
        super().__init__(f"{product}: {file} {problem}. {remedy}")
        self.product = product
        self.file = str(file)
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.product, self.file, self.problem, self.remedy)


class OutOfStep(Unreadable, PublishError):
    """Versions lie there that the store's own catalog does not know: it was lost, or put back.

    Nothing is published and nothing removed until `mesh repair` has brought the two together.
    """


class Damaged(Unreadable):
    """What lies there is not what was published."""


class NotPublished(MeshProblem, LookupError):
    """The product, or the version asked for, is not there; the message says which are."""

    exit_code = 2
