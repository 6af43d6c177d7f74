"""The tables that hold the rows of versions in Snowflake: made unseen, never changed afterwards.

Belongs here: their names, making one from its predecessor and the staged files, finding those that
nobody needs. Does not belong here: which of them is a version
(`stores/cloud_warehouse/record/versions.py`).

A table is a version when a row of `heads` or `versions` names it. Until then nobody else knows it,
so a death while it is made costs nothing but its removal.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import renamed
from shared_resources.stores.cloud_warehouse.loading import Upload
from shared_resources.stores.cloud_warehouse.record.entry import Entry
from shared_resources.stores.cloud_warehouse.record.versions import versions_schema
from shared_resources.stores.cloud_warehouse.session import (
    Missing,
    SnowflakeProblem,
    SnowflakeSession,
)
from shared_resources.stores.cloud_warehouse.sql import (
    SUFFIX,
    Name,
    definitions,
    evolved,
    in_days,
    names,
    text,
)
from shared_resources.stores.evolution import columns_of
from shared_resources.stores.protocol import PublishError
from shared_resources.stores.staging import staging_area

# Between making a table and signing it.
SIGNING = timedelta(minutes=1)


@dataclass(frozen=True)
class VersionTable:
    """A table that was found: `batch` is the digest of its batch's id, `made_at` in seconds."""

    name: Name
    batch: str
    made_at: int


class VersionTables:
    """The tables of one product's versions."""

    def __init__(self, session: SnowflakeSession, product: str) -> None:
        self._session = session
        domain, _, self._product = product.partition("/")
        self.schema = versions_schema(domain)

    def new_name(self, batch_id: str) -> Name:
        """A name that no other attempt has: its batch and when it was made can be read from it."""
        now, attempt = int(time.time()), uuid.uuid4().hex[:12]
        return Name(self.schema, f"{self._product}__{_digest(batch_id)}_{now:08x}_{attempt}")

    def build(
        self,
        table: Name,
        contract: Contract,
        upload: Upload,
        base: Entry | None,
        replaced: Collection[str],
        rows: int,
    ) -> None:
        """Make the table of the base's rows without those of the replaced partitions, and the upload.

        It is a clone, which copies nothing, whose columns are called otherwise, widened and added in
        place. `base` is None when nothing of it stays. Raises `PublishError` unless the table has that
        many rows in the end.
        """
        columns = columns_of(contract)
        if base is None:
            self._session.execute(
                f"CREATE OR REPLACE TRANSIENT TABLE {table} ({definitions(columns)}) "
                f"COMMENT = {text(_signature(table))}"
            )
            upload.copy_into(table, columns)
        else:
            self._session.execute(
                f"CREATE OR REPLACE TRANSIENT TABLE {table} CLONE {Name(self.schema, base.table)}"
            )
            self._session.execute(f"COMMENT ON TABLE {table} IS {text(_signature(table))}")
            called = renamed(contract, dict(base.columns))
            for statement in evolved(table, columns, base.columns, called):
                self._session.execute(statement)
            with self._transaction():
                if replaced:
                    gone = self._in_partitions(base, replaced, called)
                    self._session.execute(f"DELETE FROM {table} WHERE {gone}")
                upload.copy_into(table, columns)
        self._check_rows(contract.key, table, rows)

    def _check_rows(self, product: str, table: Name, rows: int) -> None:
        counted = self._count(table)
        if counted != rows:
            raise PublishError(
                f"{product}: the new version's table has {counted} rows instead of {rows}, "
                "and was not published. Look in Snowflake's query history, by the QUERY_TAG, for "
                "who changed a table of the mesh; run it again."
            )

    def clone(self, table: Name, source: Name, rows: int) -> None:
        """Make the table of another product's, row for row; nothing is copied."""
        self._session.execute(f"CREATE OR REPLACE TRANSIENT TABLE {table} CLONE {source}")
        self._session.execute(f"COMMENT ON TABLE {table} IS {text(_signature(table))}")
        self._check_rows(self._product, table, rows)

    def copy_part(self, table: Name, source: Entry, part: str, rows: int) -> None:
        """Make the table of some rows of a version's: `part` says which, from its first join on."""
        columns = [name for name, _ in source.columns]
        self._session.execute(
            f"CREATE OR REPLACE TRANSIENT TABLE {table} ({definitions(source.columns)}) "
            f"COMMENT = {text(_signature(table))}"
        )
        self._session.execute(
            f"INSERT INTO {table} ({names(columns)}) SELECT {names(columns)} "
            f"FROM {Name(self.schema, source.table)} {part}"
        )
        self._check_rows(self._product, table, rows)

    def drop(self, table: Name) -> None:
        self._session.execute(f"DROP TABLE IF EXISTS {table}")

    def holds(self, entry: Entry) -> bool:
        """Whether the version's table is there, with as many rows as were published."""
        try:
            return self._count(Name(self.schema, entry.table)) == entry.rows
        except Missing:
            return False

    def all(self) -> list[VersionTable]:
        """Every table of the product, versions or not."""
        prefix = self._product + "__"
        # An underscore of LIKE is any character: what is found is looked at again.
        found = self._session.query(
            f"SHOW TERSE TABLES LIKE {text(prefix + '%')} IN SCHEMA {_schema(self.schema)}"
        )
        column = [name.lower() for name in found.columns].index("name")
        tables = []
        for row in found.rows:
            name = str(row[column])
            match = re.fullmatch(SUFFIX, name.removeprefix(self._product))
            if name.startswith(prefix) and match:
                tables.append(VersionTable(Name(self.schema, name), match[1], int(match[2], 16)))
        return tables

    def of_batch(self, batch_id: str) -> list[VersionTable]:
        """The tables that attempts at the batch made."""
        digest = _digest(batch_id)
        return [table for table in self.all() if table.batch == digest]

    def abandoned(self, older_than: timedelta) -> list[VersionTable]:
        """The tables whose process is gone, or that are older; versions may be among them."""
        found = []
        signatures = self._signatures()
        for table in self.all():
            age = time.time() - table.made_at
            owner = signatures.get(table.name.name)
            signed = owner is not None and owner.get("table") == table.name.name
            if age > older_than.total_seconds() or (
                # A clone has the signature of what it was cloned from, until it gets its own.
                staging_area.is_gone(owner) if signed and owner else age > SIGNING.total_seconds()
            ):
                found.append(table)
        return found

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """One transaction: it is rolled back when the block fails."""
        self._session.execute("BEGIN TRANSACTION")
        try:
            yield
            self._session.execute("COMMIT")
        except BaseException:
            # A lost session's transaction is rolled back by Snowflake.
            with contextlib.suppress(SnowflakeProblem):
                self._session.execute("ROLLBACK")
            raise

    def _count(self, table: Name) -> int:
        return int(self._session.query(f"SELECT COUNT(*) FROM {table}").rows[0][0])

    def _in_partitions(
        self, base: Entry, partitions: Collection[str], called: Mapping[str, str]
    ) -> str:
        column = base.partition_column
        assert column is not None, "only a partitioned product keeps some of its rows"
        now = {old: new for new, old in called.items()}
        return in_days(now.get(column, column), dict(base.columns)[column], partitions)

    def _signatures(self) -> Mapping[str, dict[str, Any]]:
        rows = self._session.query(
            "SELECT table_name, comment FROM information_schema.tables "
            "WHERE table_schema = ? AND STARTSWITH(table_name, ?)",
            [self.schema, self._product + "__"],
        ).rows
        return {str(name): _read_signature(comment) for name, comment in rows}


def _digest(batch_id: str) -> str:
    return hashlib.sha256(batch_id.encode()).hexdigest()[:12]


def _signature(table: Name) -> str:
    return json.dumps({"table": table.name, **staging_area.this_process()})


def _read_signature(comment: str | None) -> dict[str, Any]:
    try:
        read = json.loads(comment or "")
    except ValueError:
        return {}
    return read if isinstance(read, dict) and {"host", "pid", "started"} <= read.keys() else {}


def _schema(schema: str) -> str:
    return names([schema])
