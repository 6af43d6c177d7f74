"""Taking subjects' rows from every kept version of a product in Snowflake.

Belongs here: each version's table without them, the record that names it, dropping the table
before.
Does not belong here: which products hold a subject (`shared_resources/erasing/`).

A table that rows are deleted from gives them back by Time Travel. So what stays is copied to a new
one, and the old one is dropped, which keeps no history from then on: Snowflake is told to keep it
for no day. Tables of the mesh are transient, and have no Fail-safe.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from shared_resources.contracts.model import UNPARTITIONED
from shared_resources.contracts.types import Family
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.sql import quote_identifier
from shared_resources.stores.attested.attestor import Attestor
from shared_resources.stores.cloud_warehouse.forgetting.told import (
    Told,
    drop_told,
    keep_no_history,
    told,
)
from shared_resources.stores.cloud_warehouse.leftovers import drop_unnamed
from shared_resources.stores.cloud_warehouse.record.entry import STORE, Entry
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.session import (
    Missing,
    SnowflakeSession,
    quoting_nothing,
)
from shared_resources.stores.cloud_warehouse.sql import Name
from shared_resources.stores.cloud_warehouse.tables import VersionTables
from shared_resources.stores.erased import Rewritten, Without, redacted
from shared_resources.stores.protocol import PublishError


@dataclass(frozen=True)
class Forgetting:
    """One product's record and tables."""

    session: SnowflakeSession
    versions: Versions
    tables: VersionTables
    attestor: Attestor

    def erase(self, without: Without) -> list[Rewritten]:
        """`protocol.ProductStore.erase`."""
        with suppress(Missing):  # nothing was ever published in the domain
            self.versions.check_in_step()
            drop_told(self.session, self.tables.schema)
            if (half := self.versions.half_rewritten()) is not None:
                self._show(*half)
            with told(self.session, self.tables.schema, without) as known:
                done = [self._of_version(one, without, known) for one in self._numbers()]
            found = [table for table in self.tables.all() if table.name.name not in self._named()]
            for table in found:
                keep_no_history(self.session, table.name)
            drop_unnamed(self.versions, self.tables, found)
            return [one for one in done if one.rows or one.problem]
        return []

    def count(self, without: Without) -> list[Rewritten]:
        """What `erase` would take from which version."""
        found = []
        with suppress(Missing), told(self.session, self.tables.schema, without) as known:
            for number in self._numbers():
                gone, problem = self._counted(self._entry(number), known)
                rows = sum(gone.values())
                found += [Rewritten(number, rows, problem)] if rows or problem else []
        return found

    def _counted(self, entry: Entry | None, known: Told) -> tuple[Mapping[str, int], str]:
        """The rows to go by partition key; and why they cannot be told, if so."""
        if entry is None:
            return {}, ""
        try:
            return self._gone(entry, known), ""
        except Missing:
            return {}, f"its table {entry.table} is not there, or may not be read"

    def _of_version(self, number: int, without: Without, known: Told) -> Rewritten:
        entry = self._entry(number)
        gone, problem = self._counted(entry, known)
        if entry is None or not gone:
            return Rewritten(number, 0, problem)
        left = {key: rows - gone.get(key, 0) for key, rows in entry.partitions.items()}
        left = {key: rows for key, rows in left.items() if rows or key == UNPARTITIONED}
        table = self.tables.new_name(without.erasure)
        view = entry.view.replace(entry.table, table.name)
        made = replace(entry, table=table.name, partitions=left, view=view)
        joined = known.joined([name for name, _ in entry.columns])
        assert joined is not None, "who has no such column loses no row"
        with quoting_nothing(f"copying {entry.table} without what is erased"):
            self.tables.copy_part(table, entry, joined.rest, made.rows)
        removed = sum(gone.values())
        own = self.attestor.attest_erasure(
            self.versions.product,
            STORE,
            redacted(entry.properties, without, removed),
            made.attested,
            entry.properties.get(ATTESTATION),
            {"erasure": without.erasure, "rows": removed},
        )
        self._record(replace(made, properties=own), entry)
        return Rewritten(number, removed)

    def _record(self, made: Entry, before: Entry) -> None:
        """The head first, then people's view, the history last: what the view shows is recorded at any
        moment, and whoever dies in between is followed by one who sees how far it came."""
        head = self.versions.head().entry
        is_head = head is not None and head.number == made.number
        if is_head:
            self.versions.record(before)  # its publisher may have died before that
        if not self.versions.rewrite(made, before, head=is_head):
            raise PublishError(
                f"{self.versions.product}: version {made.number} in the {STORE} changed while rows were "
                "erased from it; erase again"
            )
        if is_head:
            self._show(made, before)

    def _show(self, made: Entry, before: Entry) -> None:
        self.session.execute(made.view)
        self.versions.rewrite(made, before, head=False)
        self.attestor.committed(made.version(self.versions.product))

    def _gone(self, entry: Entry, known: Told) -> Mapping[str, int]:
        """The rows to go by partition key."""
        joined = known.joined([name for name, _ in entry.columns])
        if joined is None:
            return {}
        day = f"'{UNPARTITIONED}'"
        if entry.partition_column is not None:
            column = quote_identifier(entry.partition_column)
            if dict(entry.columns)[entry.partition_column].family is Family.TIMESTAMP_TZ:
                column = f"CONVERT_TIMEZONE('UTC', {column})"
            day = f"TO_VARCHAR(CAST({column} AS DATE), 'YYYY-MM-DD')"
        table = Name(self.tables.schema, entry.table)
        rows = self.session.query(
            f"SELECT {day}, COUNT(*) FROM {table} {joined.found} GROUP BY 1"
        ).rows
        return {str(key or UNPARTITIONED): int(number) for key, number in rows}

    def _numbers(self) -> list[int]:
        return [version.number for version in self.versions.all()]

    def _named(self) -> set[str]:
        return self.versions.tables()

    def _entry(self, number: int) -> Entry | None:
        return self.versions.entry(number)
