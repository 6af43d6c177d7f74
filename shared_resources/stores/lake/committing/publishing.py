"""Publishing in the lake: a batch, or an earlier version again, as the table's next snapshot.

Belongs here: which files the next version has, and trying its commit until it is made.
Does not belong here: what the commit is made on (`planning.py`), what it consists of (`commit.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from pyiceberg.table import Table, Transaction
from pyiceberg.types import NestedField

from shared_resources.contracts.compiling.iceberg_schema import (
    iceberg_partition_spec,
    iceberg_schema,
)
from shared_resources.contracts.model import Contract
from shared_resources.evidence.record import Evidence, RolledBack
from shared_resources.state.durable import sync_all
from shared_resources.stores.cleared import check_cleared, check_not_overtaken
from shared_resources.stores.commit_attempts import Attempts
from shared_resources.stores.lake.committing.commit import (
    TABLE_PROPERTIES,
    LakeTransaction,
    data_files,
    is_conflict,
    unbounded,
    without_bounds,
)
from shared_resources.stores.lake.committing.evolving import name_mapping, use_schema
from shared_resources.stores.lake.committing.planning import (
    Base,
    Files,
    evolve_table,
    stage_version,
)
from shared_resources.stores.lake.files.local import Placed
from shared_resources.stores.lake.files.manifests import attested_files, live_files, partition_of
from shared_resources.stores.lake.history import (
    STORE,
    highest_number,
    snapshot_of,
    tag_of,
    to_version,
    version_of_batch,
    versions_of,
)
from shared_resources.stores.lake.metadata_files import known, load_in_step
from shared_resources.stores.lake.places import LakeTable
from shared_resources.stores.lake.schema import schema_of
from shared_resources.stores.protocol import Cleared, PublishError, Version
from shared_resources.stores.staging.footers import read_footers
from shared_resources.stores.versions import choose, restored, stamp


def publish(at: LakeTable, contract: Contract, cleared: Cleared, *, append: bool) -> Version:
    """`protocol.ProductStore.publish`."""
    _check(at, contract, cleared, append=append)
    staged = cleared.staged
    footers = read_footers(staged.files, contract)

    @cache  # files are brought to their place once, however often the same commit is tried
    def placed(fields: tuple[NestedField, ...]) -> Mapping[Path, Placed]:
        paths = [file.path for file, _ in footers]
        return at.files.place(contract.key, staged, paths, fields)

    def plan(base: Base, transaction: Transaction) -> Files:
        versions = versions_of(base.table, contract.key)
        check_not_overtaken(contract, cleared, versions, append=append)
        everything = staged.replaces_all or contract.partitioning is None
        if base.lost and (append or not everything):
            raise base.lost
        kept = {
            path: file
            for path, file in base.held.items()
            if append or not (staged.replaces_all or partition_of(file) in staged.partitions)
        }
        if base.last is not None:
            evolve_table(contract, base, transaction, rows_stay=bool(kept))
        metadata = transaction.table_metadata
        add = data_files(footers, metadata, placed(metadata.schema().fields), unbounded(contract))
        return kept | {file.file_path: file for file in add}

    return commit(at, contract, staged.batch_id, cleared.evidence, plan)


def _check(at: LakeTable, contract: Contract, cleared: Cleared, *, append: bool) -> None:
    """Check the batch; where its files are published as they are, while they go to the disk.

    The one takes a processor and the other none. What the disk cannot take is raised here: asked
    again, it may say nothing of it.
    """
    if not at.files.adopts or not isinstance(cleared, Cleared):
        check_cleared(contract, cleared, append=append)
        return
    with ThreadPoolExecutor(1, thread_name_prefix="sync") as beside:
        paths = [file.path for file in cleared.staged.files]
        going = beside.submit(sync_all, paths, at.files.root)
        check_cleared(contract, cleared, append=append)
    going.result()


def rollback(
    at: LakeTable, contract: Contract, to: int, why: RolledBack, *, batch_id: str
) -> Version:
    """`protocol.ProductStore.rollback`."""

    def plan(base: Base, transaction: Transaction) -> Files:
        assert base.table is not None and isinstance(transaction, LakeTransaction)
        target = snapshot_of(base.table, contract.key, to)
        if tag_of(to) in base.table.metadata.refs:  # else this commit tags it again
            transaction.keep_ref(tag_of(to))  # it may expire meanwhile, files and all
        use_schema(transaction, schema_of(base.table, target))
        return live_files(base.table, target)

    versions = versions_of(known(at, at.described), contract.key)
    choose(versions, contract.key, STORE, to)
    proof = restored(versions, to, why)
    return commit(at, contract, batch_id, proof, plan, rollback_of=to)


def published_batch(at: LakeTable, batch_id: str) -> Version | None:
    return version_of_batch(known(at, at.described), at.product, batch_id)


def commit(
    at: LakeTable,
    contract: Contract,
    batch_id: str,
    evidence: Evidence,
    plan: Callable[[Base, Transaction], Files],
    rollback_of: int | None = None,
) -> Version:
    """Commit what `plan` wants on top of whatever is published by then; once per batch id."""
    attempts = Attempts(f"publishing {contract.key} in the {STORE}")
    with at.lock():
        for attempt in attempts:
            table = known(at, at.load) if attempt else load_in_step(at, publishing=True)
            if published := version_of_batch(table, contract.key, batch_id):
                return published
            try:
                base = Base.of(table)
                transaction = _begin(at, contract, table)
                files = plan(base, transaction)
                number = 1 + highest_number(table)
                rows = sum(file.record_count for file in files.values())
                own = stamp(evidence, number, batch_id, rows, rollback_of)
                stage_version(transaction, base, files, _attested(at, base, files, own))
                committed = transaction.commit_transaction().current_snapshot()
                assert committed is not None
                return at.attestor.committed(to_version(contract.key, committed))
            except Exception as problem:
                # Even when the outcome is unknown the next look at the table knows it.
                if at.catalog.outcome_is_unknown(problem):
                    return _look_again(at, batch_id, problem)
                if not is_conflict(problem):
                    raise
                attempts.failed(problem)
    if published := published_batch(at, batch_id):
        return published
    raise attempts.exhausted()


def _attested(
    at: LakeTable, base: Base, files: Files, properties: Mapping[str, str]
) -> dict[str, str]:
    before = to_version(at.product, base.last).properties if base.last else None
    return at.attestor.attest(
        at.product, STORE, properties, lambda: attested_files(files.values()), before
    )


def _look_again(at: LakeTable, batch_id: str, problem: Exception) -> Version:
    """The version, if it was committed although its commit failed."""
    if published := published_batch(at, batch_id):
        return published
    raise PublishError(
        f"{at.product}: publishing batch {batch_id} in the {STORE} failed: {problem}. "
        "The table does not have it. Run it again: a batch is published once, whatever is heard "
        "of this attempt later."
    ) from problem


def _begin(at: LakeTable, contract: Contract, table: Table | None) -> Transaction:
    """A transaction on the table; the first one creates it together with its first version."""
    if table is not None:
        return LakeTransaction(table)
    schema = iceberg_schema(contract)
    return at.catalog.begin_table(
        contract.key,
        schema,
        at.files.location(contract.key),
        iceberg_partition_spec(contract, schema),
        TABLE_PROPERTIES | name_mapping(schema) | without_bounds(unbounded(contract)),
    )
