"""Making one store follow another: the version that it lacks, with the same content and batch id.

Belongs here: how a version gets from one store into another, long after its batch was staged.
Does not belong here: when that is needed, and which store is the truth (`data_products/`).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.values.comparing import column_type
from shared_resources.evidence.record import RolledBack
from shared_resources.stores.cleared import clear
from shared_resources.stores.protocol import (
    UNPARTITIONED,
    NotPublished,
    ProductStore,
    PublishError,
    Snapshot,
    StagedBatch,
    Version,
)
from shared_resources.stores.staging.fingerprints import fingerprints
from shared_resources.stores.staging.staging import write_staged


def follow(
    contract: Contract,
    source: ProductStore,
    target: ProductStore,
    truth: Version,
) -> Version:
    """Make the source's version `truth` the target's next one; doing it twice changes nothing.

    A rollback is done again where the target has what was restored; anything else is copied, in the
    columns that it was published with: the contract may have moved on since.
    """
    batch_id = truth.batch_id
    theirs = _restored(contract, source, target, truth)
    if theirs is not None:
        # It may expire there at this very moment: then its rows are copied.
        why = truth.evidence.rolled_back or RolledBack("", "")
        with suppress(NotPublished):
            return target.rollback(contract, theirs.number, why, batch_id=batch_id)
    snapshot = source.open(contract.key, truth.number)
    published = as_published(contract, snapshot)
    partitions = snapshot.partitions() or (UNPARTITIONED,)
    folder = target.staging_folder(published, batch_id)
    files = write_staged(snapshot.batches(), folder, published, partitions)
    staged = StagedBatch(contract.key, batch_id, folder, files, partitions, replaces_all=True)
    # Its rows were audited as the source's version: the fingerprints are of the copy.
    cleared = clear(staged, truth.evidence, fingerprints(files))
    version = target.publish(published, cleared)
    target.release(cleared.staged)
    return version


def _restored(
    contract: Contract, source: ProductStore, target: ProductStore, truth: Version
) -> Version | None:
    """The target's version of what `truth` restored, where both have kept it."""
    for version in source.versions(contract.key):
        if version.number == truth.rollback_of:
            return target.published_batch(contract.key, version.batch_id)
    return None


def as_published(contract: Contract, snapshot: Snapshot) -> Contract:
    """The contract with the columns that the version has, and the version number it had then."""
    known = {column.name: column for column in contract.columns}
    columns = []
    for field in snapshot.schema:
        column = known.get(field.name)
        if column is None or column.type.arrow != field.type:
            type_ = column_type(field.type)
            if type_ is None:
                raise PublishError(f"{contract.key}: column {field.name} has the type {field.type}")
            column = Column(field.name, type_, description="", classification=None)
        columns.append(column)
    evidence = snapshot.version.evidence
    # What it had to pass, and whether it may be empty, was decided when it was published.
    return replace(
        contract,
        columns=tuple(columns),
        version=evidence.contract_version,
        digest=evidence.contract_digest,
        rules=(),
        allow_empty=True,
    )
