"""What processes that died left in quarantine: messages that were read again since.

Belongs here: telling whether an entry's commit can still come, and closing those whose cannot.
Does not belong here: the quarantine itself (`governance/quarantine/`).

An entry is kept before the commit that names it. The commit is made only while each partition stands
where the window began; so once one has moved on, and no version names the entry, none ever will: its
messages were read again, and what was rejected of them is in another entry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from shared_resources.contracts.model import Contract
from shared_resources.environment import Environment
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.quarantine.rejection import OF_MESSAGES
from shared_resources.stores.protocol import Version
from shared_resources.stores.versions import lineage
from shared_resources.streams.standing import Standing

_PARTITION = re.compile(r"\[(\d+)\]$")
BY = "mesh stream"
REASON = "a process died before it committed this; the messages were read again"


def withdraw_uncommitted(environment: Environment, contract: Contract, at: Standing) -> bool:
    """Close the entries that no commit will ever name; whether there are some of which it is not known
    yet, as their messages are still to be read again."""
    open_ = [
        entry
        for entry in environment.quarantine.list(contract.key)
        if entry.kind in OF_MESSAGES and entry.parent is None and entry.open
    ]
    if not open_:
        return False
    versions = environment.stores_of(contract)[0].versions(contract.key)
    named = {
        id_
        for version in versions
        if (evidence := version.evidence_or_none) is not None
        for id_ in evidence.quarantined
    }
    unnamed = [entry for entry in open_ if entry.id not in named]
    dead = [entry for entry in unnamed if _is_passed(entry, versions, at)]
    for entry in dead:
        environment.quarantine.close(entry.id, by=BY, reason=REASON)
    return any(comes_again(entry, versions, at) for entry in unnamed if entry not in dead)


def _is_passed(entry: QuarantineEntry, versions: Sequence[Version], at: Standing) -> bool:
    """Whether the product has moved past where the entry's window began, and every version that could
    name it is still kept: of those in between some may have expired."""
    if at.position is None or entry.on_top_of is None:
        return False
    numbers = {version.number for version in versions}
    if not numbers.issuperset(range(entry.on_top_of + 1, versions[-1].number + 1)):
        return False
    positions = at.position.positions
    return any(positions.get(p, 0) > begin for p, begin, _ in ranges_of(entry))


def comes_again(entry: QuarantineEntry, versions: Sequence[Version], at: Standing) -> bool:
    """Whether the stream has the entry's messages still before it: nothing that readers see names it, for
    its process died, or a rollback went to before it."""
    said = (version.evidence_or_none for version in lineage(versions))
    if any(evidence is not None and entry.id in evidence.quarantined for evidence in said):
        return False
    positions = at.position.positions if at.position is not None else {}
    return any(positions.get(p, 0) < end for p, _, end in ranges_of(entry))


def ranges_of(entry: QuarantineEntry) -> list[tuple[int, int, int]]:
    """(partition, first offset, one after the last) of its window; none of what a replay left."""
    found = []
    for where, range_ in entry.objects:
        begin, _, end = range_.partition("..")
        if partition := _PARTITION.search(where):
            found.append((int(partition[1]), int(begin), int(end)))
    return found
