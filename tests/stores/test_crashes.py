"""A publisher is killed at every step: the old version or the new one, whole; and the next run works.

Belongs here: SIGKILL within a store's publish. Does not belong here: the whole pipeline's steps
(tests/guarantees).
"""

from __future__ import annotations

import random
import signal
import time

import pytest

from shared_resources.stores.protocol import ProductStore
from tests.forkserver import ended, forkserver, lifetime, running
from tests.stores.conftest import Places
from tests.stores.places import LOCAL, REMOTE, Place
from tests.stores.products import day, publish, published
from tests.stores.workers import DAILY, publish_and_die, publish_once

IO = "shared_resources.stores"
STEPS = {
    "lake": [
        f"{IO}.staging.staging_area:new_attempt",
        "tests.stores.products:write_staged",
        f"{IO}.lake.committing.publishing:read_footers",
        f"{IO}.lake.committing.publishing:data_files",
        f"{IO}.lake.committing.planning:stage_snapshot",
        "pyiceberg.catalog.sql:SqlCatalog._write_metadata",
        "pyiceberg.catalog.sql:SqlCatalog.commit_table",
        "pyiceberg.table:Table._do_commit",
        f"{IO}.lake.committing.publishing:LakeTransaction.commit_transaction",
        f"{IO}.lake.committing.publishing:commit",
    ],
    "lake-s3": [
        f"{IO}.staging.staging_area:new_attempt",
        f"{IO}.lake.committing.publishing:read_footers",
        "shared_resources.object_store.s3_objects:S3Objects.upload",
        "shared_resources.object_store.s3_objects:S3Objects.listing",
        "shared_resources.object_store.local_copies:LocalCopies.adopt",
        f"{IO}.lake.committing.publishing:data_files",
        "shared_resources.object_store.s3_objects:S3Objects.put",  # the first manifest
        f"{IO}.lake.committing.planning:stage_snapshot",
        "pyiceberg.catalog.glue:GlueCatalog._write_metadata",
        "pyiceberg.catalog.glue:GlueCatalog._update_glue_table",
        "pyiceberg.table:Table._do_commit",
        f"{IO}.lake.committing.publishing:LakeTransaction.commit_transaction",
        f"{IO}.lake.committing.publishing:commit",
    ],
    "warehouse": [
        f"{IO}.staging.staging_area:new_attempt",
        "tests.stores.products:write_staged",
        f"{IO}.embedded_warehouse.store:read_footers",
        f"{IO}.embedded_warehouse.store:build",
        f"{IO}.embedded_warehouse.files:attach_statement",
        f"{IO}.embedded_warehouse.manifests:Manifests.intend",
        f"{IO}.embedded_warehouse.store:stamp",
        f"{IO}.embedded_warehouse.manifest:_parts",
        "os:fsync",
        "os:link",
        f"{IO}.embedded_warehouse.manifests:Manifests.publish",
    ],
    # Every single statement: test_snowflake_crashes.py.
    "snowflake": [
        f"{IO}.staging.staging_area:new_attempt",
        "tests.stores.products:write_staged",
        f"{IO}.cloud_warehouse.content:read_footers",
        f"{IO}.cloud_warehouse.loading:Upload._put",
        f"{IO}.cloud_warehouse.loading:_copy",
        f"{IO}.cloud_warehouse.tables:VersionTables.build",
        f"{IO}.cloud_warehouse.store:stamp",
        f"{IO}.cloud_warehouse.record.versions:Versions.claim",
        f"{IO}.cloud_warehouse.record.versions:Versions.record",
        f"{IO}.cloud_warehouse.record.spares:Spares.keep",
        f"{IO}.cloud_warehouse.store:show",
        f"{IO}.cloud_warehouse.record.versions:Versions.showing",
        f"{IO}.cloud_warehouse.store:SnowflakeStore.commit",
    ],
}
# A process that talks to servers takes a second: of those stores' steps only these die in each test.
QUICK = ("S3Objects.upload", "_update_glue_table", "Versions.claim")
# And the moment after a step is nearly the one before the next.
SLOW = pytest.mark.slow
CASES = [
    pytest.param(
        name,
        step,
        when,
        marks=[] if when == "before" and (name in LOCAL or step.endswith(QUICK)) else [SLOW],
    )
    for name, steps in STEPS.items()
    for step in steps
    for when in ("before", "after")
    if not step.endswith("attach_statement")  # only merging attaches
]


@pytest.mark.parametrize(("name", "step", "when"), CASES)
def test_killed_at_a_step(name: str, step: str, when: str, places: Places) -> None:
    place = places(name)
    store = place.open()
    publish(store, DAILY, "b1", {day(0): [1, 2], day(1): [3]})
    child = forkserver().Process(target=publish_and_die, args=(place, "b2", [4, 5], step, when))
    with running(child):
        ended(child)
    assert child.exitcode == -signal.SIGKILL, f"{step} was never reached"
    _check_old_or_new(store, [1, 2, 3], [3, 4, 5])
    _check_next_run(store, [3, 4, 5])


@pytest.mark.parametrize(
    "place",
    [*LOCAL, *(pytest.param(name, marks=pytest.mark.slow) for name in REMOTE)],
    indirect=True,
)
def test_killed_at_random_moments(place: Place) -> None:
    """Also the very first publish, which creates the product."""
    longest = 2.0 if place.store in REMOTE else 0.25
    seed = time.time_ns()
    chance = random.Random(seed)
    print(f"seed {seed}")
    store = place.open()
    killed, current = 0, []
    for attempt in range(12):
        numbers = [attempt * 10, attempt * 10 + 1]
        child = forkserver().Process(target=publish_once, args=(place, f"b{attempt}", numbers))
        took = lifetime(child, chance.uniform(0, longest))
        if took is None:
            killed += 1
        else:  # how long it takes depends on the machine: most moments lie before its end
            assert child.exitcode == 0
            longest = min(longest, took)
        if not store.versions(DAILY.key):
            assert store.published_batch(DAILY.key, f"b{attempt}") is None
            continue
        found = published(store, DAILY.key)
        assert found in (current, numbers)
        current = found
    publish(store, DAILY, "last", {day(0): [999]})
    assert published(store, DAILY.key) == [999]
    assert killed > 0
    store.remove_orphans(DAILY.key)
    _check_every_version_is_whole(store)


def _check_old_or_new(store: ProductStore, old: list[int], new: list[int]) -> None:
    found = published(store, DAILY.key)
    done = store.published_batch(DAILY.key, "b2") is not None
    assert found == (new if done else old)
    assert len(store.versions(DAILY.key)) == (2 if done else 1)


def _check_next_run(store: ProductStore, new: list[int]) -> None:
    """The same run tried again publishes once, and what the dead one left can be cleared up."""
    publish(store, DAILY, "b2", {day(0): [4, 5]})
    store.remove_orphans(DAILY.key)
    assert published(store, DAILY.key) == new
    assert [version.number for version in store.versions(DAILY.key)] == [1, 2]
    _check_every_version_is_whole(store)
    assert publish(store, DAILY, "b3", {day(1): [6]}).number == 3
    assert published(store, DAILY.key) == [4, 5, 6]


def _check_every_version_is_whole(store: ProductStore) -> None:
    for version in store.versions(DAILY.key):
        read = store.open(DAILY.key, version.number).batches().read_all()
        assert read.num_rows == version.rows
