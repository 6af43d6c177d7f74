"""How two products of the warehouse share a version: its database files get a second name each.

Belongs here: `VersionSharing` on DuckDB files that never change.
Does not belong here: when a version is shared (`stores/branched/`), publishing (`store.py`).

A file with two names is there until both are gone: neither product's housekeeping can take it from
the other.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence
from shared_resources.stores.commit_attempts import advisory_lock
from shared_resources.stores.embedded_warehouse.manifest import DataFile, Manifest
from shared_resources.stores.evolution import check_evolution, check_partition_column
from shared_resources.stores.protocol import PublishError, Version
from shared_resources.stores.staging import staging_area
from shared_resources.stores.staging.second_names import second_names
from shared_resources.stores.versions import check_on_top_of

if TYPE_CHECKING:
    from shared_resources.stores.embedded_warehouse.store import WarehouseStore


class WarehouseSharing:
    """`VersionSharing` between products of this store."""

    def __init__(self, store: WarehouseStore) -> None:
        self._store = store

    def fork(self, contract: Contract, source: str, number: int) -> None:
        store = self._store
        manifests, theirs = store.manifests(contract.key), store.manifests(source).get(number)
        with advisory_lock(store.folder(contract.key) / ".publish.lock"):
            if manifests.numbers():
                return
            batch_id = theirs.version(store.name).batch_id
            attempt = store.staging_folder(contract, batch_id)
            try:
                files = self._linked(theirs, source, attempt, contract.key, None)
                manifests.intend(batch_id)
                manifests.publish(replace(theirs, product=contract.key, files=files))
            finally:
                self._clear_up(contract.key, attempt)

    def check(self, contract: Contract, source: str, number: int, on_top_of: int) -> None:
        store = self._store
        theirs = store.manifests(source).get(number)
        if not store.published_batch(contract.key, theirs.version(store.name).batch_id):
            _check(contract, store.manifests(contract.key).last(), on_top_of)

    def take(
        self, contract: Contract, source: str, number: int, evidence: Evidence, on_top_of: int
    ) -> Version:
        store = self._store
        theirs = store.manifests(source).get(number)
        batch_id = theirs.version(store.name).batch_id
        last = store.manifests(contract.key).last()
        attempt = store.staging_folder(contract, batch_id)

        def plan(last: Manifest | None, first_try: bool) -> Manifest:
            _check(contract, last, on_top_of)
            return replace(theirs, product=contract.key, files=files)

        try:
            files = self._linked(theirs, source, attempt, contract.key, last)
            return store.commit(contract, batch_id, evidence, plan)
        finally:
            self._clear_up(contract.key, attempt)

    def forget(self, product: str, origin: str) -> None:
        folder = self._store.folder(product)
        shutil.rmtree(folder, ignore_errors=True)
        self._store.forget(product)
        self._store.attestor.forget(product, self._store.name)
        if folder.exists():
            raise PublishError(
                f"{product}: {folder} cannot be removed; see who may write there, and drop it again"
            )
        with suppress(OSError):  # another product of the branch is there
            folder.parent.rmdir()

    def products(self) -> list[str]:
        found = (path for path in self._store.root.glob("*/*") if path.is_dir())
        return sorted(f"{folder.parent.name}/{folder.name}" for folder in found)

    def _linked(
        self, manifest: Manifest, source: str, attempt: Path, product: str, last: Manifest | None
    ) -> tuple[DataFile, ...]:
        """The manifest's files under names in `attempt`; those that `last` has stay those."""
        folder, own = self._store.folder(source), self._store.folder(product)
        held = [str(own / file.path) for file in (last.files if last else ())]
        wanted = [str(folder / file.path) for file in manifest.files]
        names = second_names(wanted, held, attempt)
        return tuple(
            replace(file, path=str(Path(names[name]).relative_to(own)))
            for file, name in zip(manifest.files, wanted, strict=True)
        )

    def _clear_up(self, product: str, attempt: Path) -> None:
        """Remove the links of a fork or a promotion that was not made, or was made before."""
        named = {path.parent for path in self._store.manifests(product).files()}
        if attempt not in named:
            staging_area.remove_attempt(attempt)


def _check(contract: Contract, last: Manifest | None, on_top_of: int) -> None:
    """Raises `MovedOn` or `PublishError` unless the version may follow on `last`."""
    check_on_top_of(contract, last.number if last else 0, on_top_of)
    if last is not None:
        check_partition_column(contract, last.partition_column)
        check_evolution(contract, last.types, last.properties, replaces_everything=True)
