"""Housekeeping is killed at every step: readers see what they saw, and the next run finishes it.

Belongs here: SIGKILL within compaction, expiry and the removal of orphans.
Does not belong here: a publisher that dies (tests/stores/test_crashes.py).
"""

from __future__ import annotations

import random
import signal
import time

import pytest

from shared_resources.housekeeping.tasks import Task
from shared_resources.stores.protocol import ProductStore
from tests.forkserver import ended, forkserver, lifetime, running
from tests.housekeeping.workers import ALL_AGES, keep_house, keep_house_and_die
from tests.stores.conftest import Places
from tests.stores.places import Place
from tests.stores.products import day, publish, published
from tests.stores.workers import DAILY

IO = "shared_resources.stores"
KEY = DAILY.key
LAKE = {
    Task.COMPACT: [
        f"{IO}.lake.housekeeping:write_compacted",
        f"{IO}.lake.housekeeping:data_files",
        f"{IO}.lake.housekeeping:checksums",
        f"{IO}.lake.housekeeping:stage_snapshot",
        "pyiceberg.table:Table._do_commit",
        f"{IO}.lake.housekeeping:LakeTransaction.commit_transaction",
    ],
    Task.EXPIRE: [
        f"{IO}.lake.housekeeping:needed_files",
        "pyiceberg.table:Table._do_commit",
        f"{IO}.lake.housekeeping:LakeTransaction.commit_transaction",
    ],
    Task.ORPHANS: [
        f"{IO}.lake.housekeeping:LakeTransaction.commit_transaction",
        f"{IO}.lake.leftovers:needed_files",
    ],
}
STEPS = {
    "lake": {
        Task.COMPACT: [*LAKE[Task.COMPACT], "pyiceberg.catalog.sql:SqlCatalog._write_metadata"],
        Task.EXPIRE: [
            *LAKE[Task.EXPIRE],
            f"{IO}.lake.files.local:LocalFiles.delete",
            "pathlib:Path.unlink",
        ],
        Task.ORPHANS: [*LAKE[Task.ORPHANS], f"{IO}.lake.files.local:LocalFiles.delete"],
    },
    "lake-s3": {
        Task.COMPACT: [*LAKE[Task.COMPACT], f"{IO}.lake.files.s3:S3Files.place"],
        Task.EXPIRE: [*LAKE[Task.EXPIRE], f"{IO}.lake.files.s3:S3Files.delete"],
        Task.ORPHANS: [*LAKE[Task.ORPHANS], f"{IO}.lake.files.s3:S3Files.delete"],
    },
    "warehouse": {
        Task.COMPACT: [
            f"{IO}.embedded_warehouse.housekeeping:merge",
            f"{IO}.embedded_warehouse.housekeeping:checksums",
            f"{IO}.embedded_warehouse.manifests:Manifests.replace",
            "os:fsync",
            "os:utime",
            "os:link",
            "pathlib:Path.replace",
        ],
        Task.EXPIRE: [f"{IO}.embedded_warehouse.manifests:Manifests.retire", "pathlib:Path.rename"],
        Task.ORPHANS: [
            f"{IO}.embedded_warehouse.housekeeping:orphans",
            f"{IO}.staging.staging_area:remove_attempt",
            "pathlib:Path.unlink",
        ],
    },
}
# The moment after a step is nearly the one before the next.
CASES = [
    pytest.param(
        name,
        task,
        step,
        when,
        marks=[pytest.mark.slow] if name == "lake-s3" or when == "after" else [],
    )
    for name, tasks in STEPS.items()
    for task, steps in tasks.items()
    for step in steps
    for when in ("before", "after")
]


@pytest.mark.parametrize(("name", "task", "step", "when"), CASES)
def test_killed_at_a_step(name: str, task: Task, step: str, when: str, places: Places) -> None:
    place = places(name)
    store = _published(place)
    if task is not Task.COMPACT:
        keep_house(store, Task.COMPACT)
    if task is Task.ORPHANS and name == "warehouse":
        keep_house(store, Task.EXPIRE)
    current = store.open(KEY)
    child = forkserver().Process(target=keep_house_and_die, args=(place, task, step, when))
    with running(child):
        ended(child)
    assert child.exitcode == -signal.SIGKILL, f"{step} was never reached"
    _check_whole(place.open())
    if task is not Task.ORPHANS:  # which was told not to wait for readers
        assert sorted(current.batches(["id"]).read_all()["id"].to_pylist()) == [*range(6), 100]
    _check_the_next_run_finishes(place)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lake", "warehouse"])
def test_killed_at_random_moments(name: str, places: Places) -> None:
    seed = time.time_ns()
    chance = random.Random(seed)
    print(f"seed {seed}")
    place = places(name)
    store = _published(place)
    killed, longest, step = 0, 0.3, "builtins:quit"
    for attempt in range(30):
        publish(store, DAILY, f"more-{attempt}", {day(2): [200 + attempt]})
        task = chance.choice([Task.COMPACT, Task.EXPIRE, Task.ORPHANS])
        child = forkserver().Process(target=keep_house_and_die, args=(place, task, step, "after"))
        took = lifetime(child, chance.uniform(0, longest))
        if took is None:
            killed += 1
        else:  # how long it takes depends on the machine: most moments lie before its end
            longest = min(longest, took)
        assert published(store, KEY) == [*range(6), 100, 200 + attempt]
        _check_versions(store)
    assert killed > 0
    keep_house(store, Task.ORPHANS)
    _check_versions(store)


def _published(place: Place) -> ProductStore:
    """Six appends to one day, one file each, and another day."""
    store = place.open()
    for number in range(6):
        publish(store, DAILY, f"b{number}", {day(0): [number]}, append=True)
    publish(store, DAILY, "other", {day(1): [100]})
    return store


def _check_whole(store: ProductStore) -> None:
    current = store.open(KEY).version
    assert (current.number, current.batch_id) == (7, "other")
    assert published(store, KEY) == [*range(6), 100]
    _check_versions(store)


def _check_versions(store: ProductStore) -> None:
    for version in store.versions(KEY):
        assert store.open(KEY, version.number).batches().read_all().num_rows == version.rows


def _check_the_next_run_finishes(place: Place) -> None:
    """What a run that nobody disturbs would leave, and publishing goes on from it."""
    store = place.open()
    for task in (Task.COMPACT, Task.EXPIRE, Task.ORPHANS):
        keep_house(store, task)
    _check_whole(store)
    assert [version.number for version in store.versions(KEY)] == [7]
    assert len(store.open(KEY).paths()) <= 2
    assert store.remove_orphans(KEY, ALL_AGES) == []
    assert publish(store, DAILY, "next", {day(1): [101]}).number == 8
    assert published(store, KEY) == [*range(6), 101]
