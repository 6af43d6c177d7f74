"""Taking subjects' rows from every kept version of a product in Snowflake.

Belongs here: each version's table without them, the record that names it, dropping the table
before.
Does not belong here: which products hold a subject (`shared_resources/erasing/`).

A table that rows are deleted from gives them back by Time Travel. So what stays is copied to a new
one, and the old one is dropped, which keeps no history from then on: Snowflake is told to keep it
for no day. Tables of the mesh are transient, and have no Fail-safe. Values are bound, and stand in
no statement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from shared_resources.contracts.model import UNPARTITIONED
from shared_resources.contracts.types import Family
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.sql import quote_identifier
from shared_resources.stores.attested.attestor import Attestor
from shared_resources.stores.cloud_warehouse.leftovers import drop_unnamed
from shared_resources.stores.cloud_warehouse.record.entry import STORE, Entry
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.session import (
    Missing,
    SnowflakeProblem,
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
            if (half := self.versions.half_rewritten()) is not None:
                self._show(*half)
            done = [self._of_version(number, without) for number in self._numbers()]
            found = [table for table in self.tables.all() if table.name.name not in self._named()]
            for table in found:
                self._keep_no_history(table.name)
            drop_unnamed(self.versions, self.tables, found)
            return [one for one in done if one.rows]
        return []

    def count(self, without: Without) -> list[Rewritten]:
        """What `erase` would take from which version."""
        found = []
        with suppress(Missing):
            for number in self._numbers():
                entry = self._entry(number)
                gone = sum(self._gone(entry, without).values()) if entry is not None else 0
                found += [Rewritten(number, gone)] if gone else []
        return found

    def _of_version(self, number: int, without: Without) -> Rewritten:
        entry = self._entry(number)
        gone = self._gone(entry, without) if entry is not None else {}
        if entry is None or not gone:
            return Rewritten(number, 0)
        left = {key: rows - gone.get(key, 0) for key, rows in entry.partitions.items()}
        left = {key: rows for key, rows in left.items() if rows or key == UNPARTITIONED}
        table = self.tables.new_name(without.erasure)
        view = entry.view.replace(entry.table, table.name)
        made = replace(entry, table=table.name, partitions=left, view=view)
        with quoting_nothing(f"copying {entry.table} without what is erased"):
            self.tables.copy_without(table, entry, *self._condition(entry, without), made.rows)
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

    def _gone(self, entry: Entry, without: Without) -> Mapping[str, int]:
        """The rows to go by partition key."""
        condition, values = self._condition(entry, without)
        if not values:
            return {}
        day = f"'{UNPARTITIONED}'"
        if entry.partition_column is not None:
            column = quote_identifier(entry.partition_column)
            if dict(entry.columns)[entry.partition_column].family is Family.TIMESTAMP_TZ:
                column = f"CONVERT_TIMEZONE('UTC', {column})"
            day = f"TO_VARCHAR(CAST({column} AS DATE), 'YYYY-MM-DD')"
        table = Name(self.tables.schema, entry.table)
        rows = self.session.query(
            f"SELECT {day}, COUNT(*) FROM {table} WHERE {condition} GROUP BY 1", values
        ).rows
        return {str(key or UNPARTITIONED): int(number) for key, number in rows}

    def _condition(self, entry: Entry, without: Without) -> tuple[str, Sequence[str]]:
        keys = without.among([name for name, _ in entry.columns])
        values = sorted(without.values)
        marks = ", ".join("?" for _ in values)
        asked = (f"CAST({quote_identifier(key)} AS VARCHAR) IN ({marks})" for key in keys)
        return " OR ".join(f"COALESCE({one}, FALSE)" for one in asked), values * len(keys)

    def _keep_no_history(self, table: Name) -> None:
        # Where this cannot be said, a dropped table comes back by UNDROP for a day at most.
        with suppress(SnowflakeProblem):
            self.session.execute(f"ALTER TABLE {table} SET DATA_RETENTION_TIME_IN_DAYS = 0")

    def _numbers(self) -> list[int]:
        return [version.number for version in self.versions.all()]

    def _named(self) -> set[str]:
        return self.versions.tables()

    def _entry(self, number: int) -> Entry | None:
        return self.versions.entry(number)
