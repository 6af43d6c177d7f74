"""Which rejections still stand: what was published since in the place of what was rejected.

Belongs here: telling by versions whether an entry of the quarantine was replaced.
Does not belong here: keeping entries and people's marks on them (`quarantine.py`), publishing.

What replaced an entry is not stored with it as long as the versions tell: a rollback to before the
replacement makes the entry stand again. Versions are compared by number, never by clock, which may
go back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.quarantine.rejection import OF_MESSAGES, Replay
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import lineage


def with_replacements(
    entries: Iterable[QuarantineEntry], versions: Sequence[Version]
) -> list[QuarantineEntry]:
    """The entries of one product, each with the version that took its place, if one did.

    `versions` are those of the product's leading store, oldest first.
    """
    # Nobody knows in whose place a version is that has no evidence.
    proven = (version for version in lineage(versions) if version.evidence_or_none)
    current = sorted(proven, key=lambda version: version.number)
    return [
        replace(
            entry,
            replays=_standing_replays(entry, current),
            replaced_by=_replacement(
                entry, current, made_on(entry, versions), _undone(entry, versions, current)
            ),
        )
        if entry.replaced_by is None
        else entry
        for entry in entries
    ]


def made_on(entry: QuarantineEntry, versions: Sequence[Version]) -> int:
    """The number of the version after which the entry was rejected; 0: there was none.

    Of rows that were set aside it is the version that published the others of their batch, which may
    be a promoted one that stands for several batches of a branch. Entries of earlier releases say
    nothing of it: of them the clock is all that is known.
    """
    if entry.beside_its_batch:
        for version in versions:
            own = version.batch_id == entry.batch_id
            if own or (version.rollback_of is None and _left(entry, version)):
                return version.number
    if entry.on_top_of is not None:
        return entry.on_top_of
    before = (version.number for version in versions if version.published_at <= entry.at)
    return max(before, default=0)


def is_of_batch(entry: QuarantineEntry, version: Version) -> bool:
    """Whether the version published the batch that the entry is of, or a part of it by a replay."""
    again = version.evidence.replay_of
    if version.evidence.promoted is not None:
        # Its batch is the last of those that it stands for; it names all that they left.
        return _left(entry, version) or (again is not None and again.entry == entry.id)
    return entry.batch_id in (version.batch_id, again and again.batch_id) or _left(entry, version)


def _left(entry: QuarantineEntry, version: Version) -> bool:
    """Whether the version itself says that the entry stands beside it."""
    evidence = version.evidence_or_none
    return evidence is not None and entry.id in evidence.quarantined


def _standing_replays(entry: QuarantineEntry, current: Iterable[Version]) -> tuple[Replay, ...]:
    """Without those that a rollback has taken back: then its messages are nowhere else."""
    if entry.kind not in OF_MESSAGES:
        return entry.replays
    jumps = [(v.rollback_of, v.number) for v in current if v.rollback_of is not None]
    return tuple(
        one for one in entry.replays if not any(to < one.version < number for to, number in jumps)
    )


def _undone(
    entry: QuarantineEntry, versions: Sequence[Version], current: Sequence[Version]
) -> int | None:
    """The rollback after which the stream reads the entry's messages again: what breaks the contract of
    them is in another entry then."""
    if entry.kind not in OF_MESSAGES or any(_left(entry, version) for version in current):
        return None
    named = next((version.number for version in versions if _left(entry, version)), None)
    if named is None:
        return None
    back = (v.number for v in current if v.rollback_of is not None and v.number > named)
    return next(back, None)


def _replacement(
    entry: QuarantineEntry, current: Iterable[Version], base: int, undone: int | None
) -> int | None:
    """The version, among those that what readers see came from, by which all of it was replaced."""
    if entry.kind in OF_MESSAGES:
        return next((v.number for v in current if _replays(v, entry)), undone)
    left = set(entry.partitions)
    for version in current:
        if version.number <= base or version.rollback_of is not None:
            continue
        if _replays(version, entry):
            return version.number
        if _left(entry, version):
            continue
        # A replay of others of its batch has published it without these rows.
        if entry.beside_its_batch and is_of_batch(entry, version):
            continue
        left -= set(version.evidence.partitions)
        if not left:
            return version.number
    return None


def _replays(version: Version, entry: QuarantineEntry) -> bool:
    again = version.evidence.replay_of
    return again is not None and again.entry == entry.id
