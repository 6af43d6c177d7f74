"""How two products of the warehouse on Snowflake share a version: a clone, which copies no row.

Belongs here: `VersionSharing` on Snowflake.
Does not belong here: when a version is shared (`stores/branched/`), the commit (`store.py`).

A clone is a table of its own over the same micro-partitions: dropping either leaves the other whole.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence
from shared_resources.sql import quote_identifier
from shared_resources.stores.cloud_warehouse.content import check_schema, claim
from shared_resources.stores.cloud_warehouse.record.entry import Entry, Head
from shared_resources.stores.cloud_warehouse.record.versions import products, versions_schema
from shared_resources.stores.cloud_warehouse.session import Missing, SnowflakeProblem
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.tables import VersionTables
from shared_resources.stores.cloud_warehouse.view import view_statement
from shared_resources.stores.protocol import NotPublished, Version
from shared_resources.stores.staging import staging_area
from shared_resources.stores.versions import check_on_top_of

if TYPE_CHECKING:
    from shared_resources.stores.cloud_warehouse.store import SnowflakeStore


class SnowflakeSharing:
    """`VersionSharing` between products of this store."""

    def __init__(self, store: SnowflakeStore) -> None:
        self._store = store

    def fork(self, contract: Contract, source: str, number: int) -> None:
        store, versions = self._store, self._store.record_of(contract.key)
        theirs, head = self._entry(source, number), store.head(versions)
        if head.number:
            return
        with self._cloned(contract, source, theirs) as content:
            entry = replace(content.on_top_of(head), properties=theirs.properties)
            if claim(versions, entry, head, content):
                store.follow_up(contract.key, entry)

    def check(self, contract: Contract, source: str, number: int, on_top_of: int) -> None:
        store, theirs = self._store, self._entry(source, number)
        if store.published_batch(contract.key, theirs.version(source).batch_id):
            return
        head = store.head(store.record_of(contract.key))
        check_on_top_of(contract, head.number, on_top_of)
        check_schema(contract, head.entry, rows_stay=False)

    def take(
        self, contract: Contract, source: str, number: int, evidence: Evidence, on_top_of: int
    ) -> Version:
        theirs = self._entry(source, number)
        batch_id = theirs.version(source).batch_id
        with self._cloned(contract, source, theirs, on_top_of) as content:
            return self._store.commit(contract, batch_id, evidence, content)

    def forget(self, product: str, origin: str) -> None:
        """Tables and view, then the record; the domain's schemas with its last product."""
        store = self._store
        versions, tables = store.record_of(product), VersionTables(store.session, product)
        versions.drop_view()
        with contextlib.suppress(Missing):  # it has published nothing here
            for table in tables.all():
                tables.drop(table.name)
        versions.remove()
        store.attestor.forget(product, store.name)
        domain = product.partition("/")[0]
        if not any(key.startswith(f"{domain}/") for key in self.products()):
            for schema in (domain, versions_schema(domain)):
                store.session.execute(f"DROP SCHEMA IF EXISTS {quote_identifier(schema)}")
        folder = staging_area.product_folder(store.root, product)
        shutil.rmtree(folder, ignore_errors=True)
        with contextlib.suppress(OSError):  # another product of the branch is there
            folder.parent.rmdir()

    def products(self) -> list[str]:
        found = (path for path in self._store.root.glob("*/*") if path.is_dir())
        staged = {f"{folder.parent.name}/{folder.name}" for folder in found}
        return sorted({*staged, *products(self._store.session)})

    def _entry(self, product: str, number: int) -> Entry:
        entry = None
        with contextlib.suppress(Missing):
            entry = self._store.record_of(product).entry(number)
        if entry is None:
            raise NotPublished(f"{product} has no version {number} in the warehouse any more")
        return entry

    @contextlib.contextmanager
    def _cloned(
        self, contract: Contract, source: str, theirs: Entry, on_top_of: int = 0
    ) -> Iterator[_Clone]:
        content = _Clone(self._store, contract, source, theirs, on_top_of)
        try:
            yield content
        finally:
            content.close()


class _Clone:
    """Content of the next version: a clone of another product's table."""

    def __init__(
        self, store: SnowflakeStore, contract: Contract, source: str, theirs: Entry, on_top_of: int
    ) -> None:
        self._tables = VersionTables(store.session, contract.key)
        self._contract = contract
        self._from = Name(versions_schema(source.partition("/")[0]), theirs.table)
        self._theirs = theirs
        self._batch_id = theirs.version(source).batch_id
        self._on_top_of = on_top_of
        self._in_vain: set[Name] = set()

    def on_top_of(self, head: Head) -> Entry:
        contract, theirs = self._contract, self._theirs
        check_on_top_of(contract, head.number, self._on_top_of)
        check_schema(contract, head.entry, rows_stay=False)
        table = self._tables.new_name(self._batch_id)
        self._in_vain.add(table)
        entry = replace(
            theirs, table=table.name, view=view_statement(contract, theirs.columns, table)
        )
        self._tables.clone(table, self._from, entry.rows)
        return entry

    def claiming(self, entry: Entry) -> None:
        self._in_vain.discard(Name(self._tables.schema, entry.table))

    def settled(self, entry: Entry, *, claimed: bool) -> None:
        if not claimed:
            self._in_vain.add(Name(self._tables.schema, entry.table))

    def begin_again(self) -> None:
        """Each look at the head makes a clone of its own."""

    def close(self) -> None:
        """Drop what was made in vain, if Snowflake still answers; else `remove_orphans` does it."""
        with contextlib.suppress(SnowflakeProblem):
            for table in sorted(self._in_vain, key=str):
                self._tables.drop(table)
