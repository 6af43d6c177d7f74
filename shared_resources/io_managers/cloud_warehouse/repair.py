"""What a product goes on from in Snowflake when the record of its versions was lost or put back.

Belongs here: making people's view show the newest version that is recorded.
Does not belong here: noticing that it is needed (`versions.py`), rows that are in the lake
(`levelling.py`: the next run takes them from there).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from shared_resources.io_managers.cloud_warehouse.session import Missing
from shared_resources.io_managers.cloud_warehouse.versions import Entry, Head, Versions
from shared_resources.io_managers.protocol import OutOfStep


def repair(versions: Versions, show: Callable[[Entry], None], dry_run: bool) -> str | None:
    """`show` makes the view one of a version. None when the record and the view agree."""
    with contextlib.suppress(OutOfStep):
        versions.check_in_step()
        return None
    head = Head()
    with contextlib.suppress(Missing):
        head = versions.head()
    if head.entry is None:
        if not dry_run:
            versions.drop_view()
        return "no version is recorded any more: the view of the lost one is dropped"
    if not dry_run:
        versions.record(head.entry)
        show(head.entry)
    return f"the view shows version {head.number}, the newest that is recorded"
