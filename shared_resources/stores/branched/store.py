"""The store of a branch: reads fall through to production's versions, writes stay in the branch.

Belongs here: which of the two a call goes to, and the names in between.
Does not belong here: how a version is shared without copying it (`sharing.py`), promoting it.

Until a branch publishes a product it reads what production has at that moment. From its first
publication on it goes its own way, from the version that was production's then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import RolledBack
from shared_resources.evidence.statement import AttestedFile
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.sharing import VersionSharing
from shared_resources.stores.erased import Rewritten, Without
from shared_resources.stores.expiring.thinning import Expiry
from shared_resources.stores.protocol import (
    ORPHAN_AGE,
    Cleared,
    Compaction,
    NotPublished,
    ProductStore,
    PublishError,
    Snapshot,
    StagedBatch,
    Verified,
    Version,
)
from shared_resources.stores.reading.called import CalledSnapshot
from shared_resources.stores.reading.sql_snapshot import SqlSnapshot
from shared_resources.stores.versions import choose

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

FORKS = 5  # production's version may expire, or be another, between a look and the fork


class BranchStore:
    """`protocol.ProductStore` of one branch over `base`, of which it changes nothing."""

    def __init__(self, base: ProductStore, sharing: VersionSharing, branch: str) -> None:
        self.name = base.name
        self.branch = branch
        self.base = base
        self.sharing = sharing

    def own_versions(self, product: str) -> list[Version]:
        """Those of the branch's own line, oldest first: the first is production's where it had one."""
        return [_named(one, product) for one in self.base.versions(self._key(product))]

    # -- staging and publishing ------------------------------------------------------------------

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        return self.base.staging_folder(self._renamed(contract), batch_id)

    def publish(self, contract: Contract, cleared: Cleared, *, append: bool = False) -> Version:
        if published := self.published_batch(contract.key, cleared.batch_id):
            return published
        self._begin(contract)
        staged = replace(cleared.staged, product=self._key(contract.key))
        own = replace(cleared, staged=staged)
        version = self.base.publish(self._renamed(contract), own, append=append)
        return _named(version, contract.key)

    def release(self, staged: StagedBatch) -> None:
        self.base.release(staged)

    def discard(self, contract: Contract, batch_id: str) -> None:
        self.base.discard(self._renamed(contract), batch_id)

    def rollback(self, contract: Contract, to: int, why: RolledBack, *, batch_id: str) -> Version:
        own = self.own_versions(contract.key)
        if to not in {version.number for version in own}:
            choose(self.versions(contract.key), contract.key, self.name, to)
            raise PublishError(
                f"{contract.key}: version {to} is production's, from before branch {self.branch} "
                "published the product. In a branch only its own versions come back; nothing was "
                "changed. Roll production back, or drop the branch and make the product again."
            )
        version = self.base.rollback(self._renamed(contract), to, why, batch_id=batch_id)
        return _named(version, contract.key)

    def _begin(self, contract: Contract) -> None:
        """Let the branch's line begin with what production has now; nothing if it has begun."""
        for attempt in range(FORKS):
            theirs = self.base.versions(contract.key)
            if not theirs or self.base.versions(self._key(contract.key)):
                return
            try:
                self.sharing.fork(self._renamed(contract), contract.key, theirs[-1].number)
                return
            except NotPublished:
                if attempt == FORKS - 1:
                    raise

    # -- housekeeping: a branch is dropped, and keeps its versions until then ---------------------

    def remove_orphans(self, product: str, older_than: timedelta = ORPHAN_AGE) -> list[str]:
        return self.base.remove_orphans(self._key(product), older_than)

    def orphans(self, product: str) -> list[str]:
        return self.base.orphans(self._key(product))

    def compact(self, contract: Contract) -> Compaction | None:
        return None

    def would_compact(self, contract: Contract) -> Compaction | None:
        return None

    def expire(self, contract: Contract, before: Expiry) -> list[Version]:
        return []

    def erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        """From the branch's own line: production's versions are production's."""
        return self.base.erase(self._renamed(contract), without)

    def would_erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        return self.base.would_erase(self._renamed(contract), without)

    def check_in_step(self, product: str) -> None:
        self.base.check_in_step(product)
        self.base.check_in_step(self._key(product))

    def repair(self, product: str, *, dry_run: bool = False) -> str | None:
        return self.base.repair(self._key(product), dry_run=dry_run)

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """Production's: what the branch alone has is below it."""
        return self.base.products()

    def versions(self, product: str) -> list[Version]:
        own = self.own_versions(product)
        theirs = self.base.versions(product)
        return [v for v in theirs if not own or v.number < own[0].number] + own

    def open(self, product: str, number: int | None = None) -> Snapshot:
        own = self.own_versions(product)
        if not own:
            return self.base.open(product, number)
        chosen = choose(self.versions(product), product, self.name, number)
        if chosen.number < own[0].number:
            return self.base.open(product, chosen.number)
        return _Named(self.base.open(self._key(product), chosen.number), product)

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        if version := self.base.published_batch(self._key(product), batch_id):
            return _named(version, product)
        theirs = self.base.published_batch(product, batch_id)
        own = self.own_versions(product) if theirs else []
        return None if theirs and own and theirs.number >= own[0].number else theirs

    # -- internals -------------------------------------------------------------------------------

    def _key(self, product: str) -> str:
        return in_branch(product, self.branch)

    def _renamed(self, contract: Contract) -> Contract:
        return replace(contract, domain=self._key(contract.key).partition("/")[0])


class _Named:
    """A version of the branch's own, under the product's name."""

    def __init__(self, snapshot: Snapshot, product: str) -> None:
        self._snapshot = snapshot
        self.version = _named(snapshot.version, product)

    @property
    def schema(self) -> pa.Schema:
        return self._snapshot.schema

    def batches(
        self, columns: Sequence[str] | None = None, partitions: Sequence[str] | None = None
    ) -> pa.RecordBatchReader:
        return self._snapshot.batches(columns, partitions)

    def register(
        self,
        connection: duckdb.DuckDBPyConnection,
        name: str,
        columns: Sequence[str] | None = None,
        partitions: Sequence[str] | None = None,
    ) -> None:
        self._snapshot.register(connection, name, columns, partitions)

    def partitions(self) -> tuple[str, ...]:
        return self._snapshot.partitions()

    def attested(self) -> tuple[AttestedFile, ...]:
        return self._snapshot.attested()

    def verify(self) -> Verified:
        return self._snapshot.verify()

    def paths(self) -> tuple[Path, ...]:
        return self._snapshot.paths()

    @property
    def renamed(self) -> bool:
        return self._snapshot.renamed

    def in_names(self, called: Mapping[str, str], former: Mapping[str, str]) -> Snapshot:
        assert isinstance(self._snapshot, SqlSnapshot)
        return _Named(CalledSnapshot(self._snapshot, called, former), self.version.product)


def _named(version: Version, product: str) -> Version:
    return replace(version, product=product)
