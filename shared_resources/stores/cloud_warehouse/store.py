"""The warehouse on Snowflake: every version an immutable table, the current one behind a view.

Belongs here: the publish protocol on Snowflake: what is done in which order, and what after a
conflict or a lost connection.
Does not belong here: loading (`loading.py`), the versions' tables (`tables.py`, `leftovers.py`),
the record of versions and the commit (`stores/cloud_warehouse/record/versions.py`), the view (`view.py`).

    stage locally -> PUT -> clone + DELETE + COPY, unseen -> one UPDATE: it is published -> the view

The table is complete and counted before the UPDATE that makes it a version, and never changes after
it. A death before the UPDATE leaves a table that nobody knows; after it, at most a view that still
shows the version before, which the next look at the product's publishing mends.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence, RolledBack
from shared_resources.object_store.local_copies import LocalCopies
from shared_resources.sql import quote_identifier
from shared_resources.stores.attested.attestor import NOT_ATTESTING, Attestor
from shared_resources.stores.branched.names import without_branches
from shared_resources.stores.cleared import check_cleared
from shared_resources.stores.cloud_warehouse.content import (
    Content,
    NewContent,
    RestoredContent,
    claim,
)
from shared_resources.stores.cloud_warehouse.forgetting.erasing import Forgetting
from shared_resources.stores.cloud_warehouse.leftovers import drop_unnamed, expire, unnamed
from shared_resources.stores.cloud_warehouse.record.entry import STORE, Entry, Head
from shared_resources.stores.cloud_warehouse.record.versions import (
    Versions,
    products,
    versions_schema,
)
from shared_resources.stores.cloud_warehouse.repair import repair
from shared_resources.stores.cloud_warehouse.session import (
    ConnectionLost,
    Locked,
    Missing,
    SnowflakeSession,
)
from shared_resources.stores.cloud_warehouse.showing import show
from shared_resources.stores.cloud_warehouse.snapshot import SnowflakeSnapshot
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.tables import VersionTables
from shared_resources.stores.cloud_warehouse.view import create_tags
from shared_resources.stores.commit_attempts import Attempts, advisory_lock
from shared_resources.stores.erased import Rewritten, Without
from shared_resources.stores.expiring.thinning import Expiry
from shared_resources.stores.protocol import (
    ORPHAN_AGE,
    Cleared,
    Compaction,
    NotPublished,
    OutOfStep,
    Snapshot,
    StagedBatch,
    Version,
)
from shared_resources.stores.staging import staging_area
from shared_resources.stores.versions import choose, restored, stamp

if TYPE_CHECKING:
    from snowflake.connector import SnowflakeConnection

# The connector itself tries each request again for minutes: more than a few losses are an outage.
LOSSES = 5


class SnowflakeStore:
    """`protocol.ProductStore` on Snowflake. `connect` is `SnowflakeLogin.connection`.

    `root` is a local folder for staged batches; `copies` keeps what DuckDB read of versions.
    """

    name = STORE

    def __init__(
        self,
        connect: Callable[..., AbstractContextManager[SnowflakeConnection]],
        root: Path,
        copies: LocalCopies,
        attestor: Attestor = NOT_ATTESTING,
    ) -> None:
        self.attestor = attestor
        self.root = root.absolute()
        self.session = SnowflakeSession(connect)
        self._copies = copies
        self._known: dict[str, Versions] = {}

    # -- staging ---------------------------------------------------------------------------------

    def staging_folder(self, contract: Contract, batch_id: str) -> Path:
        """A new local folder on every call."""
        return staging_area.new_attempt(self._area(contract.key), batch_id)

    def release(self, staged: StagedBatch) -> None:
        staging_area.remove_attempt(staged.folder)  # a version's rows are in Snowflake

    def discard(self, contract: Contract, batch_id: str) -> None:
        for attempt in staging_area.attempts_of(self._area(contract.key), batch_id):
            staging_area.remove_attempt(attempt)
        versions, tables = self.record_of(contract.key), self._tables(contract.key)
        with contextlib.suppress(Missing, OutOfStep), self._tagged(contract.key, batch_id):
            versions.check_in_step()
            drop_unnamed(versions, tables, tables.of_batch(batch_id))

    def remove_orphans(self, product: str, older_than: timedelta = ORPHAN_AGE) -> list[str]:
        """Remove staged folders and tables that dead processes left; mend the view if it is behind."""
        removed = staging_area.remove_orphans(self._area(product), lambda _: False, older_than)
        versions, tables = self.record_of(product), self._tables(product)
        with contextlib.suppress(Missing), self._tagged(product):
            versions.check_in_step()
            removed += drop_unnamed(versions, tables, tables.abandoned(older_than))
            self._finish(product, whether_behind_or_not=True)
            versions.refresh_spares()
        return removed

    def orphans(self, product: str) -> list[str]:
        """What `remove_orphans` would remove now."""
        area, found = self._area(product), list[Name]()
        with contextlib.suppress(Missing), self._tagged(product):
            self.record_of(product).check_in_step()
            found = unnamed(self.record_of(product), self._tables(product).abandoned(ORPHAN_AGE))
        return [*map(str, staging_area.orphans(area, lambda _: False)), *map(str, found)]

    # -- publishing ------------------------------------------------------------------------------

    def publish(self, contract: Contract, cleared: Cleared, *, append: bool = False) -> Version:
        check_cleared(contract, cleared, append=append)
        tables, versions = self._tables(contract.key), self.record_of(contract.key)
        with contextlib.closing(
            NewContent(self.session, tables, versions, contract, cleared, append=append)
        ) as content:
            return self.commit(contract, cleared.batch_id, cleared.evidence, content)

    def rollback(self, contract: Contract, to: int, why: RolledBack, *, batch_id: str) -> Version:
        versions = self.record_of(contract.key)
        kept = self.versions(contract.key)
        choose(kept, contract.key, self.name, to)
        content, proof = RestoredContent(versions, contract, to), restored(kept, to, why)
        return self.commit(contract, batch_id, proof, content, rollback_of=to)

    def commit(
        self,
        contract: Contract,
        batch_id: str,
        evidence: Evidence,
        content: Content,
        rollback_of: int | None = None,
    ) -> Version:
        """Publish the content on top of whatever is published by then; once a batch id."""
        versions = self.record_of(contract.key)
        attempts = Attempts(f"publishing {contract.key} in the {self.name}")
        losses = 0
        with self._tagged(contract.key, batch_id), advisory_lock(self._lock(contract.key)):
            highest = versions.check_in_step()
            for _ in attempts:
                try:
                    # In this order: a version published after the look is not after that head.
                    head = self.head(versions)
                    if published := self.published_batch(contract.key, batch_id):
                        return published
                    planned = content.on_top_of(head)
                    number = max(head.number, highest) + 1
                    own = stamp(evidence, number, batch_id, planned.rows, rollback_of)
                    before = head.entry.properties if head.entry else None
                    own = self.attestor.attest(contract.key, STORE, own, planned.attested, before)
                    entry = replace(planned, properties=own)
                    if claim(versions, entry, head, content):
                        self.follow_up(contract.key, entry)
                        return self.attestor.committed(entry.version(contract.key))
                except Locked as problem:
                    attempts.failed(problem)
                except (ConnectionLost, Missing) as problem:
                    # What the lost statement did is seen by the next look at the batch's version. A
                    # stage is gone with its session, a table by another process's clearing up.
                    losses += 1
                    if losses > LOSSES:
                        raise
                    content.begin_again()
                    attempts.failed(problem)
        if published := self.published_batch(contract.key, batch_id):
            return published
        raise attempts.exhausted()

    def head(self, versions: Versions) -> Head:
        """The product's head, in a domain that may publish its first product."""
        try:
            return versions.head()
        except Missing:
            create_tags(self.session)
            versions.prepare()
            return versions.head()

    def follow_up(self, product: str, entry: Entry) -> None:
        """What comes after the commit: the rest of the records, and people's view."""
        versions = self.record_of(product)
        versions.spares.keep(entry)
        versions.record(entry)
        show(self.session, versions, entry)

    def _finish(self, product: str, *, whether_behind_or_not: bool = False) -> None:
        """Do what a process that died after its commit left undone."""
        versions = self.record_of(product)
        head = versions.head()
        if head.entry is not None and (whether_behind_or_not or head.shown < head.number):
            self.follow_up(product, head.entry)

    # -- housekeeping ----------------------------------------------------------------------------

    def compact(self, contract: Contract) -> Compaction | None:
        """Nothing: Snowflake merges its micro-partitions by itself, and shows no files to rewrite."""
        return None

    def would_compact(self, contract: Contract) -> Compaction | None:
        return None

    def expire(self, contract: Contract, before: Expiry) -> list[Version]:
        """Forget the versions in one statement, then drop the tables that no other version has."""
        finish = partial(self._finish, key := contract.key, whether_behind_or_not=True)
        with self._tagged(key):
            return expire(self.record_of(key), self._tables(key), finish, before, self.attestor)

    def erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        with self._tagged(contract.key), advisory_lock(self._lock(contract.key)):
            return self._forgetting(contract.key).erase(without)

    def would_erase(self, contract: Contract, without: Without) -> list[Rewritten]:
        return self._forgetting(contract.key).count(without)

    def _forgetting(self, product: str) -> Forgetting:
        tables = self._tables(product)
        return Forgetting(self.session, self.record_of(product), tables, self.attestor)

    # -- reading ---------------------------------------------------------------------------------

    def products(self) -> list[str]:
        """The keys of all published products."""
        return without_branches(products(self.session))

    def versions(self, product: str) -> list[Version]:
        found = self.record_of(product).all()
        if not found:
            self.check_in_step(product)
        return found

    def check_in_step(self, product: str) -> None:
        self.record_of(product).check_in_step()

    def repair(self, product: str, *, dry_run: bool = False) -> str | None:
        with self._tagged(product):
            versions, tables = self.record_of(product), self._tables(product)
            return repair(versions, tables, partial(show, self.session, versions), dry_run)

    def open(self, product: str, number: int | None = None) -> Snapshot:
        entry = self._readable(product, number)
        version = entry.version(product)
        opened = SnowflakeSnapshot(self.session, self._copies, version, entry)
        opened.check()
        return opened

    def relation(self, product: str, number: int | None = None) -> str:
        """The version's table, quoted, for SQL executed in Snowflake. Raises `NotPublished`."""
        table = Name(
            versions_schema(product.partition("/")[0]), self._readable(product, number).table
        )
        return f"{quote_identifier(self.session.database)}.{table}"

    def published_batch(self, product: str, batch_id: str) -> Version | None:
        """The batch's version; if its process died after the commit, what it left is done."""
        entry = self.record_of(product).of_batch(batch_id)
        if entry is None:
            return None
        with self._tagged(product, batch_id):
            self._finish(product)
        return entry.version(product)

    def _readable(self, product: str, number: int | None) -> Entry:
        """Raises `NotPublished`, and `NoEvidence` when nobody knows what the version passed."""
        versions = self.record_of(product)
        with contextlib.suppress(Missing):
            entry = versions.head().entry if number is None else versions.entry(number)
            if entry is not None:
                _ = entry.version(product).evidence
                return entry
        chosen = choose(versions.all(), product, self.name, number)
        raise NotPublished(f"{product} version {chosen.number} was published just now; read again")

    # -- internals -------------------------------------------------------------------------------

    def _area(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / "data"

    def _lock(self, product: str) -> Path:
        return staging_area.product_folder(self.root, product) / ".publish.lock"

    def record_of(self, product: str) -> Versions:
        if product not in self._known:
            staging_area.product_folder(self.root, product)  # refuses what is no key
            self._known[product] = Versions(self.session, product)
        return self._known[product]

    def _tables(self, product: str) -> VersionTables:
        return VersionTables(self.session, product)

    def _tagged(self, product: str, batch_id: str = "") -> AbstractContextManager[None]:
        return self.session.tagged(product=product, batch=batch_id)
