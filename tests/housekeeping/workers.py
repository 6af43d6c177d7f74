"""What the tests' other processes do: keep house and die at a chosen step, publish, or keep house.

Belongs here: functions that a child process runs. Does not belong here: what is asserted.
"""

from __future__ import annotations

import contextlib
import time
import traceback
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event

from shared_resources.housekeeping.retention import GRACE, versions_kept_since
from shared_resources.housekeeping.tasks import Task
from shared_resources.stores.protocol import Overtaken, ProductStore
from tests.stores.places import Place
from tests.stores.products import contract
from tests.stores.workers import DAILY, die_at

ALL_AGES = timedelta(0)
READERS_NEED = timedelta(seconds=20)


def keep_house(store: ProductStore, task: Task, older_than: timedelta = ALL_AGES) -> None:
    """One task of one store, without waiting for readers."""
    match task:
        case Task.COMPACT:
            store.compact(DAILY)
        case Task.EXPIRE:
            store.expire(DAILY, datetime.now(UTC))
        case Task.ORPHANS:
            store.remove_orphans(DAILY.key, older_than)


def keep_house_and_die(place: Place, task: Task, step: str, when: str) -> None:
    store = place.open()
    store.versions(DAILY.key)
    die_at(step, when)
    keep_house(store, task)


def keep_house_forever(place: Place, stop: Event, out: Connection) -> None:
    """All tasks again and again, as fast as they can; versions go that no reader has open."""
    store, rounds = place.open(), 0
    hardly_kept = contract(partitioned=True, retention=timedelta(microseconds=1))
    try:
        while not stop.is_set():
            with contextlib.suppress(Overtaken):
                store.compact(DAILY)
            # As if it were tomorrow for all but who reads now.
            tomorrow = datetime.now(UTC) + GRACE - READERS_NEED
            since = versions_kept_since(hardly_kept, store.versions(DAILY.key), (), tomorrow)
            if since is not None:
                store.expire(DAILY, since)
            store.remove_orphans(DAILY.key, READERS_NEED)
            rounds += 1
            time.sleep(0.05)
        out.send(rounds)
    except BaseException:  # noqa: BLE001 - whatever it is, the test must hear of it
        out.send(traceback.format_exc())
