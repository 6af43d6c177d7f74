"""The warehouse's housekeeping: fewer files, expired versions, files that nobody needs any more.

Belongs here: compaction, expiry and orphans of a product's DuckDB files and manifests.
Does not belong here: the manifests' form (`manifest.py`) and their atomic steps (`manifests.py`), when
and how long something is kept (`shared_resources/housekeeping/`).

Nothing here needs a lock to be right. A manifest that was replaced or expired is only retired, and
its files stay until it has been so for as long as `remove_orphans` is told: whoever read it, or
publishes on top of it at this moment, finds everything that it names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType
from shared_resources.stores.attested.attestor import Attestor
from shared_resources.stores.commit_attempts import advisory_lock
from shared_resources.stores.embedded_warehouse.files import (
    attach_statement,
    file_query,
    merge,
)
from shared_resources.stores.embedded_warehouse.manifest import DataFile, Manifest
from shared_resources.stores.embedded_warehouse.manifests import Manifests
from shared_resources.stores.expiring.thinning import Expiry, Thinning
from shared_resources.stores.protocol import Compaction, ProductStore, PublishError, Version
from shared_resources.stores.reading.duck import in_memory
from shared_resources.stores.reading.same_rows import checksums
from shared_resources.stores.staging import staging_area
from shared_resources.stores.versions import expirable

# Fewer small files than these are not worth rewriting: a publish leaves one.
COMPACT_FROM = 4
SMALL_ROWS = 1_000_000


def compact(
    store: ProductStore, manifests: Manifests, contract: Contract, attestor: Attestor
) -> Compaction | None:
    """Merge the current version's small files, and those of which little is left, into one.

    None when there is nothing to do, or when someone published meanwhile: their version is another.
    """
    manifests.check_in_step()
    current = manifests.last()
    chosen = _worth_merging(current.files) if current is not None else []
    if current is None or not chosen:
        return None
    folder = manifests.folder
    target = store.staging_folder(contract, f"compaction-v{current.number}") / "data.duckdb"
    try:
        merged = merge(folder, target, chosen, current.types, current.partition_column)
        same = _check(folder, current, chosen, merged)
        files = (*(file for file in current.files if file not in chosen), merged)
        with advisory_lock(folder / ".publish.lock"):
            if manifests.last() != current:
                return None
            made = replace(current, files=files)
            own = attestor.attest_compaction(
                current.product, store.name, current.properties, made.attested, same
            )
            manifests.replace(replace(made, properties=own))
            attestor.committed(manifests.version(current.number))
    finally:
        if target not in manifests.files(current.number):
            staging_area.remove_attempt(target.parent)
    return Compaction(files_before=len(current.files), files_after=len(files))


def would_compact(manifests: Manifests) -> Compaction | None:
    """What `compact` would do now."""
    manifests.check_in_step()
    current = manifests.last()
    chosen = _worth_merging(current.files) if current is not None else []
    if current is None or not chosen:
        return None
    return Compaction(len(current.files), len(current.files) - len(chosen) + 1)


def _worth_merging(files: Sequence[DataFile]) -> list[DataFile]:
    small = [file for file in files if file.rows < SMALL_ROWS]
    return small if len(small) >= COMPACT_FROM else []


def _check(
    folder: Path, manifest: Manifest, old: Sequence[DataFile], new: DataFile
) -> Mapping[str, int]:
    """The sums by which the new file holds exactly the rows of the old ones. Else `PublishError`."""
    expected = _checksums(folder, manifest, old)
    found = _checksums(folder, manifest, [new])
    if expected != found:
        raise PublishError(
            f"{manifest.product}: compacting version {manifest.number} in the warehouse gave other "
            f"rows ({found} instead of {expected}); nothing was changed. Look for a damaged file "
            f"below {folder / 'data'}, and keep what there is."
        )
    return found


def _checksums(folder: Path, manifest: Manifest, files: Sequence[DataFile]) -> Mapping[str, int]:
    columns: Sequence[tuple[str, ColumnType]] = manifest.types
    with in_memory() as connection:
        for file in files:
            connection.execute(attach_statement(folder / file.path))
        queries = (file_query(folder, file, columns, manifest.partition_column) for file in files)
        return checksums(connection, " UNION ALL ".join(queries), [name for name, _ in columns])


def expire(manifests: Manifests, before: Expiry, attestor: Attestor) -> list[Version]:
    """Take from the readers what `expirable` says. A death in between leaves the rest for later."""
    manifests.check_in_step()
    with advisory_lock(manifests.folder / ".publish.lock"):
        expired = expirable(manifests.versions(), before)
        in_runs = isinstance(before, Thinning)
        attestor.expiring(manifests.product, manifests.store, expired, in_runs=in_runs)
        for version in expired:
            manifests.retire(version.number)
        attestor.expired(manifests.product, manifests.store, expired)
    return expired


def remove_orphans(area: Path, manifests: Manifests, older_than: timedelta) -> list[str]:
    """Remove what dead processes left, and what no manifest names that was not retired lately."""
    manifests.check_in_step()
    manifests.remove_drafts(older_than.total_seconds())
    manifests.refresh_spares()
    attempts, retired = orphans(area, manifests, older_than)
    for attempt in attempts:
        staging_area.remove_attempt(attempt)
    # Last: who died before has forgotten nothing.
    for path in retired:
        path.unlink(missing_ok=True)
    return [str(path) for path in (*attempts, *retired)]


def orphans(
    area: Path, manifests: Manifests, older_than: timedelta
) -> tuple[list[Path], list[Path]]:
    """The attempts that nobody needs, and the manifests that were retired before."""
    manifests.check_in_step()
    seconds = older_than.total_seconds()
    ripe = [path for path, age in manifests.retired() if age > seconds]

    @cache
    def needed() -> set[Path]:  # not before it was asked whose processes are gone
        return {path.parent for path in manifests.files(without=ripe)}

    def is_needed(attempt: Path) -> bool:
        return attempt in needed()

    return staging_area.orphans(area, is_needed, older_than), ripe
