"""Taking subjects' rows from every kept version of a product in the warehouse.

Belongs here: which database files hold such rows, each of them written anew without, the manifests that
name the new ones, and removing the old.
Does not belong here: which products hold a subject (`shared_resources/erasing/`), compaction.

DuckDB leaves deleted rows in the blocks of a file. So nothing is deleted in one: what stays is written to
a new file, and the old file goes. One manifest after the other is replaced, at once, the newest last; who
dies in between is followed by one who finds the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from shared_resources.contracts.model import UNPARTITIONED, Contract
from shared_resources.contracts.promise import parse_type
from shared_resources.contracts.types import Family
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.sql import quote_identifier
from shared_resources.stores.commit_attempts import advisory_lock
from shared_resources.stores.embedded_warehouse.files import (
    TABLE,
    alias_of,
    attach_statement,
    build,
)
from shared_resources.stores.embedded_warehouse.manifest import DataFile, Manifest
from shared_resources.stores.embedded_warehouse.manifests import Manifests
from shared_resources.stores.erased import Rewritten, Without, condition, redacted, tell
from shared_resources.stores.protocol import Unreadable
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.fingerprints import sha256_of

if TYPE_CHECKING:
    from shared_resources.stores.embedded_warehouse.store import WarehouseStore


@dataclass(frozen=True)
class _Rest:
    """What is left of a file: `file` is None when nothing is. Rows by partition key that went, of all
    that the file held."""

    file: DataFile | None
    gone: Mapping[str, int]

    def of(self, named: DataFile) -> DataFile | None:
        """The rest of the file as a version names it, with the partitions that belong to that."""
        left = {key: rows - self.gone.get(key, 0) for key, rows in named.partitions.items()}
        left = {key: rows for key, rows in left.items() if rows}
        if self.file is None or not left:
            return None
        return replace(self.file, partitions=left, called=named.called)


def erase(
    store: WarehouseStore, manifests: Manifests, contract: Contract, without: Without
) -> list[Rewritten]:
    """`protocol.ProductStore.erase`."""
    manifests.check_in_step()
    with advisory_lock(manifests.folder / ".publish.lock"):  # nobody publishes on top of what goes
        work = _Erasing(store, manifests, contract, without)
        try:
            done = [work.of_version(number) for number in manifests.numbers()]
        finally:
            work.clear_up()
    return [one for one in done if one.rows or one.problem]


def count(manifests: Manifests, without: Without) -> list[Rewritten]:
    """What `erase` would take from which version."""
    found = []
    for number in manifests.numbers():
        try:
            manifest = manifests.get(number)
        except Unreadable as problem:
            found.append(Rewritten(number, 0, str(problem)))
            continue
        rows, broken = 0, dict[str, str]()
        for file in manifest.files:
            try:
                gone = _gone(manifests.folder, manifest, file, without)
            except (duckdb.Error, OSError) as problem:
                broken[file.path] = _why(file, problem)
                continue
            rows += sum(gone.get(key, 0) for key in file.partitions)
        if rows or broken:
            found.append(Rewritten(number, rows, "; ".join(broken.values())))
    return found


class _Erasing:
    """`_rests` is what became of the files that were looked at: None where one holds no such row."""

    def __init__(
        self, store: WarehouseStore, manifests: Manifests, contract: Contract, without: Without
    ) -> None:
        self._store = store
        self._manifests = manifests
        self._contract = contract
        self._without = without
        self._rests: dict[str, _Rest | None] = {}
        self._broken: dict[str, str] = {}
        self._built: set[Path] = set()

    def of_version(self, number: int) -> Rewritten:
        try:
            manifest = self._manifests.get(number)
        except Unreadable as problem:
            return Rewritten(number, 0, str(problem))
        for file in manifest.files:
            if file.path not in self._rests:
                self._rests[file.path] = self._rest_or_problem(manifest, file)
        broken = [self._broken[f.path] for f in manifest.files if f.path in self._broken]
        said = "; ".join(broken)
        if not any(self._rests[file.path] for file in manifest.files):
            return Rewritten(number, 0, said)
        left = [self._left(file) for file in manifest.files]
        made = replace(manifest, files=tuple(file for file in left if file is not None))
        rows = sum(f.rows for f in manifest.files) - sum(f.rows for f in made.files)
        self._manifests.replace(replace(made, properties=self._properties(made, rows)))
        if number == self._manifests.numbers()[-1]:
            self._store.attestor.committed(self._manifests.version(number))
        return Rewritten(number, rows, said)

    def _rest_or_problem(self, manifest: Manifest, file: DataFile) -> _Rest | None:
        """A file that cannot be read, or written anew, stays as it is, and the others are done."""
        try:
            return self._rest(manifest, file)
        except (duckdb.Error, OSError) as problem:
            self._broken[file.path] = _why(file, problem)
            return None

    def _left(self, file: DataFile) -> DataFile | None:
        rest = self._rests[file.path]
        return file if rest is None else rest.of(file)

    def _properties(self, made: Manifest, rows: int) -> Mapping[str, str]:
        """Also of a version that loses none itself: rows of partitions that a later version had
        replaced lay in its files, too."""
        was = made.properties
        return self._store.attestor.attest_erasure(
            made.product,
            self._store.name,
            redacted(was, self._without, rows),
            made.attested,
            was.get(ATTESTATION),
            {"erasure": self._without.erasure, "rows": rows},
        )

    def _rest(self, manifest: Manifest, file: DataFile) -> _Rest | None:
        """The file written anew without the rows; None when it has none of them."""
        folder = self._manifests.folder
        gone = _gone(folder, manifest, file, self._without)
        if not gone:
            return None
        source = folder / file.path
        stays = f"NOT ({condition(self._without.among([name for name, _ in file.columns]))})"
        held = _by_partition(folder, manifest, file, self._without, stays)
        if not held:
            return _Rest(None, gone)
        target = self._store.staging_folder(self._contract, self._without.erasure) / "data.duckdb"
        self._built.add(target.parent)
        query = f"SELECT * FROM {alias_of(source)}.{TABLE} WHERE {stays}"  # noqa: S608
        build(target, query, sum(held.values()), [source], self._without)
        made = replace(
            file,
            path=str(target.relative_to(folder)),
            partitions=held,
            partitions_held=len(held),
            size=target.stat().st_size,
            sha256=sha256_of(target),
        )
        return _Rest(made, gone)

    def clear_up(self) -> None:
        """Remove what no version names any more: now, and not when nobody can be reading it."""
        manifests = self._manifests
        retired = [path for path, _ in manifests.retired()]
        superseded = {file.parent for file in manifests.files()}
        needed = {file.parent for file in manifests.files(without=retired)}
        for attempt in (superseded | self._built) - needed:
            staging_area.remove_attempt(attempt)
        for path in retired:
            path.unlink(missing_ok=True)
        staging_area.remove_orphans(manifests.folder / "data", lambda attempt: attempt in needed)


def _why(file: DataFile, problem: Exception) -> str:
    """The engine's own words may quote a value."""
    return (
        f"{file.path} cannot be read, or written anew without them ({type(problem).__name__}), and may "
        "hold them: put the file back from a copy, or let its versions expire, and erase again"
    )


def _gone(folder: Path, manifest: Manifest, file: DataFile, without: Without) -> Mapping[str, int]:
    """The rows to go by partition key, of all that the file holds."""
    keys = without.among([name for name, _ in file.columns])
    return _by_partition(folder, manifest, file, without, condition(keys)) if keys else {}


def _by_partition(
    folder: Path, manifest: Manifest, file: DataFile, without: Without, wanted: str
) -> dict[str, int]:
    day, source = f"'{UNPARTITIONED}'", folder / file.path
    if manifest.partition_column is not None:
        day = _day(*file.held[manifest.partition_column])
    with in_memory() as connection:
        connection.execute(attach_statement(source))
        tell(connection, without)
        rows = connection.execute(
            f"SELECT {day}, count(*) FROM {alias_of(source)}.{TABLE} "  # noqa: S608
            f"WHERE {wanted} GROUP BY 1"
        ).fetchall()
    return {str(key): int(number) for key, number in rows}


def _day(column: str, type_: str) -> str:
    quoted = quote_identifier(column)
    if parse_type(type_).family is Family.TIMESTAMP_TZ:
        quoted = f"({quoted} AT TIME ZONE 'UTC')"
    return f"strftime(CAST({quoted} AS DATE), '%Y-%m-%d')"
