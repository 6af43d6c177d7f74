"""Making people's view show a version, or the one that became the newest meanwhile.

Belongs here: trying it until the view is the newest version's.
Does not belong here: the view's statement (`view.py`), when (`store.py`).
"""

from __future__ import annotations

from shared_resources.stores.cloud_warehouse.record.entry import Entry
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.session import Missing, SnowflakeSession
from shared_resources.stores.cloud_warehouse.view import create_tags
from shared_resources.stores.commit_attempts import Attempts


def show(session: SnowflakeSession, versions: Versions, entry: Entry) -> None:
    """Make the view one of the entry, or of what became the head meanwhile."""
    behind = "people's view shows an earlier version until the next run or clean-up"
    attempts = Attempts(f"showing version {entry.number} of {versions.product}", behind)
    for _ in attempts:
        try:
            session.execute(entry.view)
        except Missing:
            create_tags(session)
            session.execute(entry.view)
        if versions.showing(entry.number):
            return
        entry = versions.head().entry or entry
    raise attempts.exhausted()
