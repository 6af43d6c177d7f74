"""Which of a product's versions may go: by age, or since there are too many.

Belongs here: what stays whatever its age.
Does not belong here: removing versions (the stores).
"""

from __future__ import annotations

from collections.abc import Sequence

from shared_resources.evidence.keys import PROMOTED_BY, REPLAY_OF, STREAM
from shared_resources.stores.expiring.thinning import Expiry, Thinning
from shared_resources.stores.protocol import Version


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
