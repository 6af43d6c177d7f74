"""How long things are kept: versions by their contract, what was rejected by contract or by default.

Belongs here: from which moment on a product's versions and entries are kept. Every moment is given:
nothing here looks at a clock.
Does not belong here: removing anything.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from shared_resources.contracts.model import Contract
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.stores.pins import GRACE
from shared_resources.stores.protocol import Version

# What was rejected and says nothing of its own (`quarantineDays` of vendor mesh in its contract).
# A quarter: time for a producer to notice, mend and have it replayed; then the rows, which may be
# personal, go; a machine's copies of them a week after their last use (`local_copies.py`). Open
# entries stay as long as decided ones.
QUARANTINE_RETENTION = timedelta(days=90)


def versions_kept_since(
    contract: Contract, versions: Sequence[Version], pinned: Collection[int], now: datetime
) -> datetime | None:
    """Versions that were published before may expire; None: none may.

    `versions` are all of one store, oldest first; `pinned` are numbers that runs pinned within
    `GRACE`. What was current within it, or is pinned, stays with everything that is younger.
    """
    since = _before(now, contract.retention)
    if since is None or not versions:
        return None
    lately = next((v for v in reversed(versions) if v.published_at <= now - GRACE), versions[0])
    held = [version for version in versions if version is lately or version.number in pinned]
    return min([since, *(version.published_at for version in held)])


def quarantine_kept_since(contract: Contract, now: datetime) -> datetime | None:
    """What was rejected before may go; None: nothing may."""
    return _before(now, contract.quarantine_retention or QUARANTINE_RETENTION)


def expired_entries(entries: Sequence[QuarantineEntry], since: datetime) -> list[QuarantineEntry]:
    """Those that were rejected before, decided or not."""
    return [entry for entry in entries if entry.at < since]


def _before(now: datetime, length: timedelta | None) -> datetime | None:
    try:
        return None if length is None else now - length
    except OverflowError:  # a retention of more years than there were
        return None
