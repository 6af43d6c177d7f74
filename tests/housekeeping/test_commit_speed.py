"""After many publishes a commit is slow; after housekeeping it is fast again. Measured and printed.

Belongs here: what housekeeping is for. No time is asserted: the numbers of files and versions are.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest

from shared_resources.evidence.record import CheckOutcome
from shared_resources.stores.embedded_warehouse.store import WarehouseStore
from shared_resources.stores.lake.store import LakeStore
from tests.contract_factory import let_through, make_evidence
from tests.stores.conftest import Places
from tests.stores.products import contract, day, published, stage
from tests.stores.workers import DAILY

PUBLISHES = 200
KEY = DAILY.key


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lake", "warehouse"])
def test_two_hundred_publishes_are_forgotten(name: str, places: Places) -> None:
    store = places(name).open()
    assert isinstance(store, LakeStore | WarehouseStore)
    seconds = [_timed_append(store, number) for number in range(PUBLISHES)]
    files, held = len(store.open(KEY).paths()), store.stored_bytes(KEY)
    store.compact(DAILY)
    store.expire(DAILY, datetime.now(UTC))
    store.remove_orphans(KEY, timedelta(0))
    after = [_timed_append(store, PUBLISHES + number) for number in range(10)]
    print(
        f"\n{name}: an append took {1000 * median(seconds[:10]):.0f} ms at first, "
        f"{1000 * median(seconds[-10:]):.0f} ms after {PUBLISHES}, "
        f"{1000 * median(after):.0f} ms after housekeeping; "
        f"files {files} → 1, bytes {held:,} → {store.stored_bytes(KEY):,}"
    )
    assert len(store.versions(KEY)) == 11
    assert len(store.open(KEY).paths()) == 11
    assert published(store, KEY) == list(range(PUBLISHES + 10))
    assert store.versions(KEY)[-1].number == PUBLISHES + 10


def _timed_append(store: LakeStore | WarehouseStore, number: int) -> float:
    staged = stage(store, contract(partitioned=True), f"b{number}", {day(0): [number]})
    checks = tuple(CheckOutcome(f"rule_{n}", True, rows_failed=0) for n in range(30))
    cleared = let_through(DAILY, staged, checks=(*make_evidence(DAILY).checks, *checks))
    started = time.perf_counter()
    store.publish(DAILY, cleared, append=True)
    return time.perf_counter() - started
