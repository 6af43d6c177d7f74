"""What every store records with a version, and checks before it makes one.

Belongs here: stamping with the stores' own properties, choosing a version by number, and
which versions may go.
Does not belong here: the evidence (`evidence/`), and how a store keeps it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise

from shared_resources.contracts.model import Contract
from shared_resources.evidence.keys import (
    ATTESTATION,
    BATCH_ID,
    NUMBER,
    PROMOTED_BY,
    PUBLISHED_AT,
    REPLAY_OF,
    ROLLBACK_OF,
    ROWS,
    STREAM,
)
from shared_resources.evidence.record import Evidence, RolledBack
from shared_resources.stores.expiring.thinning import Expiry, Thinning
from shared_resources.stores.protocol import (
    UNPARTITIONED,
    MovedOn,
    NotPublished,
    PublishError,
    StagedBatch,
    Version,
)


def stamp(
    evidence: Evidence, number: int, batch_id: str, rows: int, rollback_of: int | None
) -> dict[str, str]:
    """The properties of a commit: the evidence, and what only the store can say."""
    own = {
        NUMBER: str(number),
        BATCH_ID: batch_id,
        ROWS: str(rows),
        PUBLISHED_AT: datetime.now(UTC).isoformat(),
    }
    if rollback_of is not None:
        own[ROLLBACK_OF] = str(rollback_of)
    return evidence.properties() | own


def version_of(product: str, store: str, snapshot: str, properties: Mapping[str, str]) -> Version:
    """The version that was stamped with these properties."""
    of = properties.get(ROLLBACK_OF)
    return Version(
        product=product,
        store=store,
        number=int(properties[NUMBER]),
        snapshot=snapshot,
        rows=int(properties[ROWS]),
        published_at=datetime.fromisoformat(properties[PUBLISHED_AT]).astimezone(UTC),
        properties=dict(properties),
        rollback_of=None if of is None else int(of),
    )


def restored(versions: Sequence[Version], to: int, why: RolledBack) -> Evidence:
    """The evidence of a rollback: that of the version which it restores. Raises `NoEvidence`."""
    (target,) = (version for version in versions if version.number == to)
    why = replace(why, attestation=target.properties.get(ATTESTATION, ""))
    return replace(target.evidence, rolled_back=why)


def choose(versions: Sequence[Version], product: str, store: str, number: int | None) -> Version:
    """The version of that number, or the newest. Raises `NotPublished`."""
    if not versions:
        raise NotPublished(f"{product} is not published in the {store} yet; run it first")
    if number is None:
        return versions[-1]
    for version in versions:
        if version.number == number:
            return version
    why = ": the others have expired" if 0 < number < versions[-1].number else ""
    raise NotPublished(
        f"{product} has no version {number} in the {store}; it keeps {number_ranges(versions)}{why}"
    )


def readable(versions: Sequence[Version], product: str, store: str, number: int | None) -> Version:
    """As `choose`; and raises `NoEvidence` for a version of which nobody knows what it passed."""
    version = choose(versions, product, store, number)
    _ = version.evidence
    return version


def lineage(versions: Sequence[Version]) -> Iterator[Version]:
    """What the current content came from, newest first: before a rollback lies what it restored.

    It passes over versions that were too many, none of which was a rollback, and ends where one has
    expired: what is left from before that was restored, and says so by whom.
    """
    by_number = {version.number: version for version in versions}
    restored = {version.rollback_of for version in versions}
    below = dict(pairwise(reversed(by_number)))
    version = versions[-1] if versions else None
    while version is not None:
        yield version
        if version.rollback_of is not None:
            version = by_number.get(version.rollback_of)
            continue
        before = below.get(version.number)
        if before is None or (before in restored and before != version.number - 1):
            return
        version = by_number[before]


def number_ranges(versions: Sequence[Version]) -> str:
    """The versions' numbers for people: `3, 7 to 12`."""
    return number_ranges_of([version.number for version in versions])


def number_ranges_of(numbers: Sequence[int]) -> str:
    """Ascending numbers for people: `3, 7 to 12`."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1] = [ranges[-1][0], number]
        else:
            ranges.append([number])
    shown = [" to ".join(map(str, ends)) for ends in ranges]
    return ", ".join(["…", *shown[-10:]] if len(shown) > 10 else shown)


def expirable(versions: Sequence[Version], over: Expiry) -> list[Version]:
    """Those that were published before, or are too many: never the current one, nor what a kept version
    restored.

    `versions` are all of one product in one store, oldest first.
    """
    if not versions:
        return []
    restored = {version.number: version.rollback_of for version in versions}
    kept: set[int | None] = {None}
    if isinstance(over, Thinning):
        stay = over.staying([(v.number, v.published_at) for v in versions])
        waiting = [v.number for v in versions if v.number in stay or _says_more(v)]
    else:
        waiting = [v.number for v in versions if v.published_at >= over]
    waiting.append(versions[-1].number)
    while waiting:
        number = waiting.pop()
        kept.add(number)
        of = restored.get(number)
        if of not in kept:
            assert of is not None
            waiting.append(of)
    return [version for version in versions if version.number not in kept]


def _says_more(version: Version) -> bool:
    """Whether it says what no later version does: of a replay, a rollback, messages gone that a person
    accepted, a branch that was promoted."""
    said = version.properties
    accepted = '"skipped"' in said.get(STREAM, "")
    again = version.rollback_of is not None or REPLAY_OF in said
    return accepted or again or PROMOTED_BY in said


def check_on_top_of(contract: Contract, current: int, wanted: int) -> None:
    """Raise `MovedOn` unless what is published is the version that the next one was made against."""
    if current != wanted:
        found, meant = (f"version {n}" if n else "no version" for n in (current, wanted))
        raise MovedOn(
            f"{contract.key} has {found} by now, and the branch went from {meant}. Nothing was "
            "published; drop the branch's product, and make it again on top of that."
        )


def check_batch(contract: Contract, staged: StagedBatch, *, append: bool = False) -> None:
    """Raise `PublishError` for a batch that would wipe the product, or that is another product's.

    The audit refuses an empty batch first; this holds even for who forgot to ask it. What a stream
    keeps the last row of each key of may have none left: each went by a message of its own.
    """
    if staged.product != contract.key:
        raise PublishError(f"a batch of {staged.product} cannot be published as {contract.key}")
    if not (staged.rows or contract.allow_empty or append or contract.stream):
        raise PublishError(
            f"{contract.key}: batch {staged.batch_id} is empty and would replace what is "
            f"published. If that is meant, set allowEmpty in {contract.path}."
        )
    strangers = {file.partition for file in staged.files if file.rows} - set(staged.partitions)
    if strangers:
        raise PublishError(
            f"{contract.key}: batch {staged.batch_id} holds files of {sorted(strangers)}, which "
            "are not among the partitions that it replaces"
        )
    emptied = staged.replaces_all and not staged.rows
    if not emptied and (contract.partitioning is None) != (staged.partitions == (UNPARTITIONED,)):
        raise PublishError(
            f"{contract.key}: the batch's partitions {staged.partitions[:3]} do not fit a contract "
            f"{'without' if contract.partitioning is None else 'with'} partitions"
        )
