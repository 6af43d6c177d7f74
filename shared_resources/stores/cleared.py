"""What every store asks of a batch before it commits: that the audit let it through, as it is.

Belongs here: joining what was staged and what was found of it, and the checks that are the same in
every store.
Does not belong here: the audit (`data_products/auditing.py`), which alone makes one of new rows, and
how a store commits.

Whoever holds a store object can call it. So a store takes nobody's word: it compares the evidence
with the contract, the files with the fingerprints that were taken before the rules looked at them,
and what is published by now with what the batch was made on top of: by version, for clocks differ and
a process that was stopped does not notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from shared_resources.contracts.model import UNPARTITIONED, Contract
from shared_resources.evidence.record import Evidence, FileDigest
from shared_resources.stores.protocol import (
    Cleared,
    MovedOn,
    PublishError,
    StagedBatch,
    Version,
)
from shared_resources.stores.staging.fingerprints import fingerprints, name_by_digest
from shared_resources.stores.versions import check_batch


def clear(
    staged: StagedBatch,
    evidence: Evidence,
    files: Sequence[FileDigest],
    on_top_of: int | None = None,
) -> Cleared:
    """Join what was staged and what was found of it; `files` are as the rules saw them, in order."""
    named = replace(staged, files=name_by_digest(staged.files, files))
    return Cleared(named, replace(evidence, files=tuple(files)), on_top_of)


def check_cleared(contract: Contract, cleared: Cleared, *, append: bool = False) -> None:
    """Raise `PublishError` unless the audit let this very batch through, by this very contract."""
    if not isinstance(cleared, Cleared):
        raise PublishError(
            f"{contract.key}: a {type(cleared).__name__} is no audited batch, and nothing else is "
            "published. Make the product with `mesh run`."
        )
    staged, evidence = cleared.staged, cleared.evidence
    check_batch(contract, staged, append=append)
    again = "Nothing was published; run it again."
    for what, found, wanted in (
        ("version", evidence.contract_version, contract.version),
        ("digest", evidence.contract_digest, contract.digest),
    ):
        if found != wanted:
            raise PublishError(
                f"{contract.key}: batch {staged.batch_id} was audited by a contract of {what} "
                f"{found}, and {contract.path} has {wanted}. {again}"
            )
    unproven = [rule.name for rule in contract.rules if not evidence.proves(rule)]
    if unproven:
        raise PublishError(
            f"{contract.key}: batch {staged.batch_id} has not passed {', '.join(unproven)}, "
            f"which {contract.path} makes a condition of publishing. {again}"
        )
    if not staged.replaces_all and set(evidence.partitions) != set(staged.partitions):
        raise PublishError(
            f"{contract.key}: batch {staged.batch_id} replaces other partitions than were "
            f"audited. {again}"
        )
    _check_files(contract, cleared)


def _check_files(contract: Contract, cleared: Cleared) -> None:
    staged, audited = cleared.staged, cleared.evidence.files
    if len(audited) != len(staged.files):
        raise PublishError(
            f"{contract.key}: batch {staged.batch_id} has {len(staged.files)} files, and "
            f"{len(audited)} were audited. Nothing was published; run it again."
        )
    for file, was, is_ in zip(staged.files, audited, fingerprints(staged.files), strict=True):
        if was != is_:
            raise PublishError(
                f"{contract.key}: {file.path} was changed after it was staged for the audit (SHA-256 "
                f"{is_.sha256[:12]}… of {is_.size:,} bytes, audited {was.sha256[:12]}… of "
                f"{was.size:,}). Nothing was published. Look at the product's own rules and at who "
                "else writes there, then run it again."
            )


def check_not_overtaken(
    contract: Contract, cleared: Cleared, versions: Sequence[Version], *, append: bool = False
) -> None:
    """Raise `MovedOn` when somebody replaced the same rows since the batch was begun.

    `versions` are the store's, as the commit is made on top of them. Other partitions may have been
    replaced, and rows appended. What is itself appended is in nobody's place, but a position in a topic
    goes on from one version and no other.
    """
    base = cleared.on_top_of
    if base is None:
        return
    newest = versions[-1].number if versions else 0
    if append:
        if cleared.evidence.stream is not None and newest != base:
            raise _moved_on(contract, cleared, newest, "its topic was read on from there")
        return
    later = [version for version in versions if version.number > base]
    if len(later) < newest - base:
        raise _moved_on(contract, cleared, newest, "some versions since then have expired")
    for version in reversed(later):
        if version.batch_id != cleared.batch_id and _replaced(cleared, version):
            raise _moved_on(contract, cleared, newest, f"version {version.number} has its place")
    _check_inputs(contract, cleared, versions)


def _check_inputs(contract: Contract, cleared: Cleared, versions: Sequence[Version]) -> None:
    """What was pinned before the batch was begun may be older than what is published was made of."""
    ours = cleared.evidence.input_versions
    current = next((v for v in reversed(versions) if _replaced(cleared, v)), None)
    if not ours or current is None or current.rollback_of is not None:
        return
    evidence = current.evidence_or_none
    for product, (store, number) in (evidence.input_versions if evidence else {}).items():
        own_store, own_number = ours.get(product, ("", 0))
        if own_store == store and own_number < number:
            raise _moved_on(
                contract,
                cleared,
                versions[-1].number,
                f"version {current.number} was made of version {number} of {product}, this of "
                f"{own_number}",
            )


def _replaced(cleared: Cleared, version: Version) -> bool:
    """Whether the version replaced rows that the batch would replace."""
    mine = set(cleared.staged.partitions)
    if cleared.staged.replaces_all or UNPARTITIONED in mine or version.rollback_of is not None:
        return True
    evidence = version.evidence_or_none
    return evidence is None or bool(mine & set(evidence.partitions))


def _moved_on(contract: Contract, cleared: Cleared, newest: int, why: str) -> MovedOn:
    return MovedOn(
        f"{contract.key} went from version {cleared.on_top_of} to {newest} while batch "
        f"{cleared.batch_id} was made: {why}. Nothing was published; try again, and it is made on top "
        "of that."
    )
