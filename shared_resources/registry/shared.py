"""The registry of several machines: promises on S3 by digest, entries in the state's database.

Belongs here: the table of entries, and reading what is promised with one request.
Does not belong here: the database and the objects themselves (`state/`, `object_store/`).

The table has the promise's text, too: so a location that loads asks the database once, and S3 never. S3
has what was ever promised, for those who have no access to the database.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from shared_resources.mesh.promised import Registered
from shared_resources.registry.folder import PromiseFolders
from shared_resources.registry.registry import CENTRAL, Entry, RegistryDamaged, meanwhile
from shared_resources.state.database import TABLES, StateDatabase, insert

if TYPE_CHECKING:
    from shared_resources.object_store.s3_objects import S3Objects

ENTRIES = sa.Table(
    "mesh_registry",
    TABLES,
    sa.Column("domain", sa.Text, primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("promise", sa.Text, nullable=False),
    sa.Column("release", sa.Text, nullable=False),
    sa.Column("platform", sa.Text, nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("files", sa.Text, nullable=False),
)


class SharedRegistry:
    """`place` is where promises lie on S3 (`s3://bucket/prefix`); `local` keeps what was read here."""

    def __init__(self, state: StateDatabase, objects: S3Objects, place: str, local: Path) -> None:
        self._state = state
        self._objects = objects
        self._place = place
        self._promises = PromiseFolders(local)

    def promised(self, domains: Collection[str] | None) -> Registered:
        found = self._in_force(None if domains is None else {*domains, CENTRAL}, ENTRIES.c.files)
        entries = {}
        for row in found:
            entry = _entry(row)
            self._promises.keep(entry, _files(row.files))
            entries[entry.domain] = entry
        return self._promises.registered(entries)

    def entries(self) -> Mapping[str, Entry]:
        found = {row.domain: _entry(row) for row in self._in_force(None)}
        found.pop(CENTRAL, None)
        return found

    def history(self, domain: str) -> tuple[Entry, ...]:
        query = sa.select(ENTRIES).where(ENTRIES.c.domain == domain).order_by(ENTRIES.c.number)
        with self._state.begin() as connection:
            return tuple(_entry(row) for row in connection.execute(query))

    def register(
        self, entry: Entry, files: Mapping[str, bytes] | None, after: Entry | None
    ) -> None:
        text = "{}" if files is None else _text(files)
        if files is not None:
            self._promises.keep(entry, files)
            self._objects.put_once(f"{self._place}/promises/{entry.promise}.json", text.encode())
        with self._state.lock(f"registry/{entry.domain}"), self._state.begin() as connection:
            history = self._last(connection, entry.domain)
            now = _entry(history) if history is not None and history.promise else None
            if now != after:
                raise meanwhile(entry.domain, now)
            if files is None and entry.promise:
                text = self._kept(connection, entry)
            number = 1 if history is None else history.number + 1
            row = {**entry.as_json(), "at": entry.at, "number": number, "files": text}
            # The key decides between two whose lock was cut.
            done = connection.execute(
                insert(connection, ENTRIES).values(row).on_conflict_do_nothing()
            )
            if done.rowcount != 1:
                raise meanwhile(entry.domain, None)

    def _kept(self, connection: sa.Connection, entry: Entry) -> str:
        """The text of a promise that was registered before."""
        same = (ENTRIES.c.domain == entry.domain) & (ENTRIES.c.promise == entry.promise)
        text = connection.scalar(sa.select(ENTRIES.c.files).where(same).limit(1))
        if text is None:
            raise RegistryDamaged(
                f"the registry has no promise {entry.promise[:12]} of {entry.domain!r}; deploy it again"
            )
        return str(text)

    def _last(self, connection: sa.Connection, domain: str) -> Any:
        query = sa.select(ENTRIES).where(ENTRIES.c.domain == domain)
        return connection.execute(query.order_by(ENTRIES.c.number.desc()).limit(1)).first()

    def _in_force(self, wanted: Collection[str] | None, *more: sa.Column[Any]) -> list[Any]:
        last = sa.select(ENTRIES.c.domain, sa.func.max(ENTRIES.c.number).label("number"))
        last_of = last.group_by(ENTRIES.c.domain).subquery()
        columns = [one for one in ENTRIES.columns if one is not ENTRIES.c.files]
        query = sa.select(*columns, *more).join(
            last_of,
            (ENTRIES.c.domain == last_of.c.domain) & (ENTRIES.c.number == last_of.c.number),
        )
        query = query.where(ENTRIES.c.promise != "")
        if wanted is not None:
            query = query.where(ENTRIES.c.domain.in_(sorted(wanted)))
        with self._state.begin() as connection:
            return list(connection.execute(query))


def _entry(row: Any) -> Entry:
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)  # SQLite keeps no zone
    return Entry(row.domain, row.promise, row.release, row.platform, row.by, at.astimezone(UTC))


def _text(files: Mapping[str, bytes]) -> str:
    """As JSON, whatever the files' encoding."""
    return json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()})


def _files(text: str) -> dict[str, bytes]:
    return {name: base64.b64decode(content) for name, content in json.loads(text).items()}
