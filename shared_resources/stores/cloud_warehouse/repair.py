"""What a product goes on from in Snowflake when the record of its versions was lost or put back.

Belongs here: recording again what has a spare and its table, and making people's view show the newest.
Does not belong here: noticing that it is needed (`stores/cloud_warehouse/record/versions.py`), rows
that are in the lake (`stores/levelling.py`: the next run takes them from there).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

from shared_resources.stores.cloud_warehouse.record.entry import Entry, Head
from shared_resources.stores.cloud_warehouse.record.versions import Versions
from shared_resources.stores.cloud_warehouse.session import Missing
from shared_resources.stores.cloud_warehouse.tables import VersionTables
from shared_resources.stores.protocol import MovedOn, OutOfStep
from shared_resources.stores.versions import number_ranges_of


def repair(
    versions: Versions, tables: VersionTables, show: Callable[[Entry], None], dry_run: bool
) -> str | None:
    """`show` makes the view one of a version. None when the record and the view agree."""
    with contextlib.suppress(OutOfStep):
        versions.check_in_step()
        return None
    head = Head()
    with contextlib.suppress(Missing):
        head = versions.head()
    missing = versions.missing()
    spares = (versions.spares.entry(number) for number in missing)
    found = [entry for entry in spares if entry is not None and tables.holds(entry)]
    lost = sorted(set(missing) - {entry.number for entry in found})
    newest = max([*found, *([head.entry] if head.entry else [])], key=_number, default=None)
    if not dry_run:
        _record(versions, head, found)
        if newest is None:
            versions.drop_view()
        else:
            show(newest)
        if lost:
            versions.spares.note_lost(lost)
    return _said(found, lost, newest)


def _record(versions: Versions, head: Head, found: Sequence[Entry]) -> None:
    """The newest last: it is what readers see from then on."""
    if found:
        versions.prepare()
    if head.entry is not None:
        versions.record(head.entry)
    for entry in found:
        versions.record(entry)
        if entry.number > head.number and not versions.claim(entry, head):
            raise MovedOn(f"{versions.product}: someone published meanwhile; repair it again")
        if entry.number > head.number:
            head = versions.head()


def _said(found: Sequence[Entry], lost: Sequence[int], newest: Entry | None) -> str:
    said = []
    if found:
        said.append(f"versions {number_ranges_of([one.number for one in found])} recorded again")
    if lost:
        said.append(
            f"versions {number_ranges_of(lost)} are lost with their tables, and their numbers are not "
            "given again"
        )
    if newest is None:
        said.append("no version is left: the view of the lost one is dropped")
    else:
        said.append(f"the view shows version {newest.number}, the newest that is recorded")
    return "; ".join(said)


def _number(entry: Entry) -> int:
    return entry.number
