"""The lake: products as Apache Iceberg tables that any engine reads, published in single commits.

Belongs here: the publish protocol on Iceberg (namespace = domain, table = product), and who does what.
Does not belong here: publishing (`committing/publishing.py`), schemas (`schema.py`),
versions (`history.py`), reading (`snapshot.py`), Dagster.

What changes a table is imported when it is asked for: most of a short command's time would go into
importing what it does not use.

Every version is one snapshot on main whose summary carries its number, its batch and its evidence,
and which a tag `v<number>` keeps. In the local lake a staged batch lies below the table's own data
location, so that publishing it is nothing but that commit: the very files are adopted. Elsewhere
they are uploaded first (`stores/lake/files/local.py`), and made visible by the same commit.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import RolledBack
from shared_resources.stores.attested.attestor import NOT_ATTESTING, Attestor
from shared_resources.stores.branched.names import without_branches
from shared_resources.stores.commit_attempts import advisory_lock
from shared_resources.stores.erased import Rewritten, Without
from shared_resources.stores.expiring.thinning import Expiry
from shared_resources.stores.lake.catalog.sqlite import LakeCatalog
from shared_resources.stores.lake.catalog.table_catalog import TableCatalog
from shared_resources.stores.lake.files.local import LakeFiles, LocalFiles
from shared_resources.stores.lake.history import (
    STORE,
    snapshot_of,
    version_of_batch,
    versions_of,
)
from shared_resources.stores.lake.metadata_files import in_step, known
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.table_facts import AnyTable
from shared_resources.stores.protocol import (
    ORPHAN_AGE,
    Cleared,
    Compaction,
    Snapshot,
    StagedBatch,
    Version,
)
from shared_resources.stores.staging import staging_area
from shared_resources.stores.versions import readable


class LakeStore:
    """`protocol.ProductStore` on Iceberg: by default a SQLite catalog and files below `root`.

    `files_s3.s3_lake` gives the same on S3 and Glue; `root` is where batches are staged then.
    """

    name = STORE

    def __init__(
        self,
        where: Path | LakeFiles,
        catalog: TableCatalog | None = None,
        attestor: Attestor = NOT_ATTESTING,
    ) -> None:
        self.attestor = attestor
        self._files = LocalFiles(where) if isinstance(where, Path) else where
        self.root = self._files.root
        self._catalog = catalog or LakeCatalog(self.root)

    # -- staging ---------------------------------------------------------------------------------

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        """A new folder on every call; in the local lake it lies below the table's data location."""
        return staging_area.new_attempt(self._area(contract.key), batch_id)

    def release(self, staged: StagedBatch) -> None:
        """On S3 the uploaded files; in the local lake they are the version's own."""
        if not self._files.adopts:
            staging_area.remove_attempt(staged.folder)

    def discard(self, contract: Contract, batch_id: str) -> None:
        from shared_resources.stores.lake.leftovers import unneeded

        attempts = staging_area.attempts_of(self._area(contract.key), batch_id)
        for attempt in unneeded(self.at(contract.key), batch_id, attempts):
            staging_area.remove_attempt(attempt)

    def remove_orphans(self, product: str, older_than: timedelta = ORPHAN_AGE) -> list[str]:
        """Remove what dead processes left, and what expired or was compacted so long ago."""
        from shared_resources.stores.lake import housekeeping

        return housekeeping.remove_orphans(self.at(product), older_than)

    # -- housekeeping ----------------------------------------------------------------------------

    def compact(self, contract: Contract) -> Compaction | None:
        from shared_resources.stores.lake import housekeeping

        return housekeeping.compact(self.at(contract.key), contract)

    def would_compact(self, contract: Contract) -> Compaction | None:
        """What `compact` would do now."""
        from shared_resources.stores.lake import housekeeping

        return housekeeping.would_compact(self.at(contract.key))

    def orphans(self, product: str) -> list[str]:
        """What `remove_orphans` would remove now."""
        from shared_resources.stores.lake import housekeeping

        return housekeeping.orphans(self.at(product), ORPHAN_AGE)

    def stored_bytes(self, product: str) -> int:
        from shared_resources.stores.lake.leftovers import stored_bytes

        return stored_bytes(self.at(product))

    def expire(self, contract: Contract, before: Expiry) -> list[Version]:
        from shared_resources.stores.lake import housekeeping

        return housekeeping.expire(self.at(contract.key), before)

    def erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        from shared_resources.stores.lake.committing import erasing

        return erasing.erase(self.at(contract.key), contract, without)

    def would_erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        from shared_resources.stores.lake.committing import erasing

        return erasing.count(self.at(contract.key), without)

    def at(self, product: str) -> LakeTable:
        """What is done with the product beside the protocol needs this."""

        def lock() -> AbstractContextManager[None]:
            return advisory_lock(area.parent / ".publish.lock")

        area, staging = self._area(product), self.staging_folder
        return LakeTable(product, self._catalog, self._files, area, staging, lock, self.attestor)

    # -- publishing ------------------------------------------------------------------------------

    def publish(
        self,
        contract: Contract,
        cleared: Cleared,
        *,
        append: bool = False,
    ) -> Version:
        from shared_resources.stores.lake.committing import publishing

        return publishing.publish(self.at(contract.key), contract, cleared, append=append)

    def rollback(self, contract: Contract, to: int, why: RolledBack, *, batch_id: str) -> Version:
        from shared_resources.stores.lake.committing import publishing

        return publishing.rollback(self.at(contract.key), contract, to, why, batch_id=batch_id)

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """The keys of all published products."""
        return without_branches(self._catalog.products())

    def all_products(self) -> list[str]:
        """Those of branches among them."""
        return self._catalog.products()

    def versions(self, product: str) -> list[Version]:
        return versions_of(self._described(product), product)

    def open(self, product: str, number: int | None = None) -> Snapshot:
        from shared_resources.stores.lake.snapshot import LakeSnapshot

        table = self._described(product)
        version = readable(versions_of(table, product), product, self.name, number)
        assert table is not None
        snapshot = snapshot_of(table, product, version.number)
        opened = LakeSnapshot(table, snapshot, version, self._files)
        opened.check()
        return opened

    def field_ids(self, product: str) -> dict[str, int]:
        """Iceberg's number of each column of the current version. Raises `NotPublished`."""
        from shared_resources.stores.lake.schema import schema_of

        table = self._described(product)
        version = readable(versions_of(table, product), product, self.name, None)
        assert table is not None
        fields = schema_of(table, snapshot_of(table, product, version.number)).fields
        return {field.name: field.field_id for field in fields}

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        return version_of_batch(self._described(product), product, batch_id)

    def check_in_step(self, product: str) -> None:
        at = self.at(product)
        in_step(at, at.described)

    def repair(self, product: str, *, dry_run: bool = False) -> str | None:
        from shared_resources.stores.lake.repair import repair

        at = self.at(product)
        with at.lock():
            return repair(at, dry_run=dry_run)

    def _described(self, product: str) -> AnyTable | None:
        at = self.at(product)
        return known(at, at.described)

    def _area(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / "data"
