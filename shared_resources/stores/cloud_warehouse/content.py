"""What a publish makes the next version of: a new table from a batch, or the table of an old one.

Belongs here: building on top of the head that is there, again when another writer was first, and
clearing up what was built in vain. Does not belong here: the commit (`store.py`), the tables'
SQL (`tables.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

from shared_resources.contracts.model import Contract
from shared_resources.stores.cleared import check_not_overtaken
from shared_resources.stores.cloud_warehouse.loading import Upload
from shared_resources.stores.cloud_warehouse.record.entry import Entry, Head
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.session import (
    Locked,
    SnowflakeProblem,
    SnowflakeSession,
)
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.tables import VersionTables
from shared_resources.stores.cloud_warehouse.view import view_statement
from shared_resources.stores.evolution import (
    check_evolution,
    check_partition_column,
    columns_of,
)
from shared_resources.stores.protocol import Cleared, NotPublished
from shared_resources.stores.staging.footers import Footers, read_footers


class Content(Protocol):
    """The content of the next version, as often as it takes to publish it."""

    def on_top_of(self, head: Head) -> Entry:
        """The version to publish after that head; its table is complete."""
        ...

    def claiming(self, entry: Entry) -> None:
        """The entry is about to be published: nobody may drop its table until it is settled."""
        ...

    def settled(self, entry: Entry, *, claimed: bool) -> None:
        """It was published, or another version was first."""
        ...

    def begin_again(self) -> None:
        """Rely on nothing that was made before: the session may be another one."""
        ...


class NewContent:
    """The head's rows without those that the batch replaces, and the batch's."""

    def __init__(
        self,
        session: SnowflakeSession,
        tables: VersionTables,
        versions: Versions,
        contract: Contract,
        cleared: Cleared,
        *,
        append: bool,
    ) -> None:
        self._session = session
        self._tables = tables
        self._versions = versions
        self._contract = contract
        self._cleared = cleared
        self._staged = cleared.staged
        self._append = append
        self._upload: Upload | None = None
        self._in_vain: set[Name] = set()  # made, and certainly no version
        # Without rows of the head, so it fits on top of any with the same fence: whoever raised that
        # since may have chosen the table, and drops it only now.
        self._whole: tuple[Entry, int] | None = None

    def on_top_of(self, head: Head) -> Entry:
        contract = self._contract
        self._check_not_overtaken(head)
        kept = self._kept(head.entry)
        partitions = self._with_batch(kept)
        check_schema(contract, head.entry, rows_stay=bool(kept))
        if self._whole is not None and not kept and self._whole[1] == head.fence:
            return self._whole[0]
        if self._upload is None:
            files = [file for file, _ in self._footers]
            self._upload = Upload(self._session, self._tables.schema, files)
        table = self._tables.new_name(self._staged.batch_id)
        self._in_vain.add(table)
        entry = Entry(
            table=table.name,
            columns=columns_of(contract),
            partition_column=contract.partitioning.column if contract.partitioning else None,
            partitions=partitions,
            view=view_statement(contract, columns_of(contract), table),
        )
        base = head.entry if kept else None
        replaced = base.partitions.keys() - kept.keys() if base else ()
        self._tables.build(table, contract, self._upload, base, replaced, entry.rows)
        if not kept:
            self._whole = entry, head.fence
        return entry

    def claiming(self, entry: Entry) -> None:
        self._in_vain.discard(self._name(entry))

    def settled(self, entry: Entry, *, claimed: bool) -> None:
        if not claimed:
            self._in_vain.add(self._name(entry))

    def begin_again(self) -> None:
        self._upload = None
        self._whole = None

    def close(self) -> None:
        """Drop what was made in vain, if Snowflake still answers; else `remove_orphans` does it."""
        with contextlib.suppress(SnowflakeProblem):
            for table in sorted(self._in_vain, key=str):
                self._tables.drop(table)
        if self._upload is not None:
            self._upload.drop()

    @cached_property
    def _footers(self) -> Footers:
        """Raises `PublishError` when the files are not what the contract says."""
        return read_footers(self._staged.files, self._contract)

    def _check_not_overtaken(self, head: Head) -> None:
        """Raise `MovedOn` when what the batch replaces was replaced since it was begun."""
        if head.number:
            versions = self._versions.all()
            known = [version for version in versions if version.number <= head.number]
            check_not_overtaken(self._contract, self._cleared, known, append=self._append)

    def _kept(self, head: Entry | None) -> Mapping[str, int]:
        """The rows by partition of the head that stay."""
        if head is None or (self._staged.replaces_all and not self._append):
            return {}
        replaced = frozenset() if self._append else frozenset(self._staged.partitions)
        return {key: rows for key, rows in head.partitions.items() if key not in replaced}

    def _with_batch(self, kept: Mapping[str, int]) -> Mapping[str, int]:
        partitions = dict(kept)
        for file, footer in self._footers:
            partitions[file.partition] = partitions.get(file.partition, 0) + footer.num_rows
        return partitions

    def _name(self, entry: Entry) -> Name:
        return Name(self._tables.schema, entry.table)


class RestoredContent:
    """The table of a version that was: a rollback copies nothing."""

    def __init__(self, versions: Versions, contract: Contract, to: int) -> None:
        self._versions = versions
        self._contract = contract
        self._to = to

    def on_top_of(self, head: Head) -> Entry:
        """Raises `NotPublished` when the version has expired meanwhile."""
        target = self._versions.entry(self._to)
        if target is None:
            raise NotPublished(
                f"{self._contract.key} version {self._to} expired just now; roll back to another"
            )
        table = Name(self._versions.schema, target.table)
        return Entry(
            table=target.table,
            columns=target.columns,
            partition_column=target.partition_column,
            partitions=target.partitions,
            view=view_statement(self._contract, target.columns, table),
        )

    def claiming(self, entry: Entry) -> None:
        """Nothing was made."""

    def settled(self, entry: Entry, *, claimed: bool) -> None:
        """Nothing was made."""

    def begin_again(self) -> None:
        """Nothing was made."""


def claim(versions: Versions, entry: Entry, head: Head, content: Content) -> bool:
    """Whether the entry is the version after that head now. After `ConnectionLost` nobody knows."""
    content.claiming(entry)
    try:
        claimed = versions.claim(entry, head)
    except Locked:
        content.settled(entry, claimed=False)
        raise
    content.settled(entry, claimed=claimed)
    return claimed


def check_schema(contract: Contract, head: Entry | None, *, rows_stay: bool) -> None:
    if head is None:
        return
    check_partition_column(contract, head.partition_column)
    check_evolution(contract, head.columns, head.properties, replaces_everything=not rows_stay)
