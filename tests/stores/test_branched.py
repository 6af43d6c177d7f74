"""What the store of a branch promises, on every store: production's versions, and its own.

Belongs here: reading through, writing beside, taking a version back, dropping; by `ProductStore` and
`VersionSharing`. Does not belong here: inputs, contracts and policies of a promotion
(tests/branching), what a store promises without branches (`test_conformance.py`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.protocol import MovedOn, NotPublished, ProductStore, PublishError
from tests.contract_factory import let_through, make_evidence
from tests.stores.places import Place, everywhere, sharing_of
from tests.stores.products import (
    INT,
    LONG,
    TEXT,
    WHY,
    contract,
    day,
    publish,
    published,
    stage,
)

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key
OWN = in_branch(KEY, "try-out")


def take(store: ProductStore, branch: BranchStore, on_top_of: int) -> int:
    """What a promotion asks of the store: the branch's newest version on top of production's."""
    newest = branch.versions(KEY)[-1]
    evidence = make_evidence(SALES, run_id="promoted")
    sharing_of(store).check(SALES, OWN, newest.number, on_top_of)
    taken = sharing_of(store).take(SALES, OWN, newest.number, evidence, on_top_of)
    return taken.number


@everywhere
def test_reads_fall_through_and_writes_stay_in_the_branch(place: Place) -> None:
    store = place.open()
    branch, other = place.branch("try-out", store), place.branch("another", store)
    publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [1, 2])
    assert published(branch, KEY) == [1, 2]
    version = publish(branch, SALES, "mine", [7])
    assert (version.product, version.number) == (KEY, 3)
    assert [v.number for v in branch.versions(KEY)] == [1, 2, 3]
    assert published(branch, KEY) == [7] and published(branch, KEY, 1) == [1]
    assert branch.open(KEY).version.product == KEY
    for untouched in (store, other):
        assert [v.batch_id for v in untouched.versions(KEY)] == ["b1", "b2"]
        assert published(untouched, KEY) == [1, 2]
        assert untouched.published_batch(KEY, "mine") is None
    # Another process finds the same.
    assert published(place.branch("try-out"), KEY) == [7]
    assert published(place.open(), KEY) == [1, 2]


@everywhere
def test_a_day_that_is_made_in_the_branch_stands_beside_productions(place: Place) -> None:
    store = place.open()
    branch = place.branch("try-out", store)
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(branch, DAILY, "mine", {day(1): [3]})
    assert published(branch, KEY) == [1, 3]
    assert branch.open(KEY).partitions() == (day(0), day(1))
    # Production goes on, and the branch stays what it was.
    publish(store, DAILY, "b2", {day(2): [9]})
    assert published(branch, KEY) == [1, 3] and published(store, KEY) == [1, 2, 9]


@everywhere
def test_a_promoted_version_is_productions_and_outlives_the_branch(place: Place) -> None:
    store = place.open()
    branch = place.branch("try-out", store)
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(branch, DAILY, "mine", {day(1): [3]})
    newest = branch.versions(KEY)[-1]
    evidence = make_evidence(DAILY, run_id="promoted", partitions=(day(1),))
    for _ in range(2):  # who died after the commit does it again
        sharing_of(store).check(DAILY, OWN, newest.number, 1)
        taken = sharing_of(store).take(DAILY, OWN, newest.number, evidence, 1)
        assert (taken.number, taken.batch_id, taken.rows) == (2, "mine", 2)
    assert taken.evidence.run_id == "promoted"
    sharing_of(store).forget(OWN, KEY)
    for reader in (store, place.open(), place.branch("try-out")):
        assert published(reader, KEY) == [1, 3]
        assert published(reader, KEY, 1) == [1, 2]
        assert reader.open(KEY).verify().problems == ()
    # It goes on as any version: more is published, and the old ones expire.
    publish(store, DAILY, "b3", {day(0): [4]})
    store.expire(DAILY, datetime.now(UTC) + timedelta(seconds=1))
    store.remove_orphans(KEY, timedelta(0))
    assert published(place.open(), KEY) == [3, 4]


@everywhere
def test_dropping_leaves_nothing(place: Place) -> None:
    store = place.open()
    publish(store, SALES, "b1", [1])
    before = _everything(place)
    branch = place.branch("try-out", store)
    publish(branch, SALES, "mine", [7])
    assert branch.products() == store.products() == [KEY]
    publish(branch, SALES, "mine-again", [8])
    stage(branch, SALES, "unpublished", [9])
    for _ in range(2):
        sharing_of(store).forget(OWN, KEY)
    assert OWN not in sharing_of(store).products()
    assert _everything(place) == before
    assert published(place.branch("try-out"), KEY) == [1]
    assert published(store, KEY) == [1]


@everywhere
def test_production_keeps_what_a_branch_reads(place: Place) -> None:
    store = place.open()
    branch = place.branch("try-out", store)
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    publish(branch, DAILY, "mine", {day(1): [3]})
    for number in range(4, 10):
        publish(store, DAILY, f"b{number}", {day(0): [number]})
    store.compact(DAILY)
    store.expire(DAILY, datetime.now(UTC) + timedelta(seconds=1))
    store.remove_orphans(KEY, timedelta(0))
    assert published(place.branch("try-out"), KEY) == [1, 3]
    assert branch.open(KEY).verify().problems == ()
    assert published(place.open(), KEY) == [2, 9]


def test_the_branchs_housekeeping_takes_nothing_from_production(place: Place) -> None:
    store = place.open()
    branch = place.branch("try-out", store)
    publish(store, SALES, "b1", [1])
    publish(branch, SALES, "mine", [7])
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert branch.expire(SALES, later) == []
    assert branch.compact(SALES) is None and branch.would_compact(SALES) is None
    branch.remove_orphans(KEY, timedelta(0))
    branch.discard(SALES, "b1")
    branch.discard(SALES, "mine")
    assert branch.orphans(KEY) == [] and branch.repair(KEY) is None
    branch.check_in_step(KEY)
    assert published(store, KEY) == [1] and published(branch, KEY) == [7]


@everywhere
def test_the_branchs_housekeeping_leaves_what_was_promoted(place: Place) -> None:
    store = place.open()
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    branch = place.branch("try-out", store)
    publish(branch, DAILY, "mine", {day(1): [3]})
    evidence = make_evidence(DAILY, run_id="promoted", partitions=(day(1),))
    sharing_of(store).take(DAILY, OWN, 2, evidence, 1)
    sharing_of(store).forget(OWN, KEY)
    assert branch.orphans(KEY) == [] and branch.remove_orphans(KEY, timedelta(0)) == []
    assert published(place.open(), KEY) == [1, 3]
    # The branch begins again, and its table names the files of the fork only.
    publish(store, DAILY, "b3", {day(1): [4]})
    publish(branch, DAILY, "mine-again", {day(0): [5]})
    branch.remove_orphans(KEY, timedelta(0))
    for number, rows in ((1, [1, 2]), (2, [1, 3]), (3, [1, 4])):
        assert published(place.open(), KEY, number) == rows
    assert published(place.branch("try-out"), KEY) == [4, 5]


@everywhere
def test_a_product_that_production_lacks_begins_in_the_branch(place: Place) -> None:
    store = place.open()
    branch = place.branch("try-out", store)
    with pytest.raises(NotPublished):
        branch.open(KEY)
    publish(branch, SALES, "mine", [7])
    assert published(branch, KEY) == [7]
    assert store.versions(KEY) == [] and KEY not in _listed(store)
    assert OWN not in _listed(store)
    assert take(store, branch, 0) == 1
    sharing_of(store).forget(OWN, KEY)
    assert published(place.open(), KEY) == [7]
    assert publish(store, SALES, "b2", [8]).number == 2


def test_nothing_is_promoted_over_what_production_published_meanwhile(place: Place) -> None:
    store = place.open()
    branch = place.branch("try-out", store)
    publish(store, SALES, "b1", [1])
    publish(branch, SALES, "mine", [7])
    publish(store, SALES, "b2", [2])
    newest, sharing = branch.versions(KEY)[-1].number, sharing_of(store)
    with pytest.raises(MovedOn, match="version 2 by now"):
        sharing.check(SALES, OWN, newest, 1)
    with pytest.raises(MovedOn, match="version 2 by now"):
        sharing.take(SALES, OWN, newest, make_evidence(SALES), 1)
    assert published(store, KEY) == [2] and published(branch, KEY) == [7]
    assert store.orphans(KEY) == []


@everywhere
def test_a_column_that_the_branch_adds_is_promoted_with_it(place: Place) -> None:
    store = place.open()
    narrow = contract(("id", INT), ("label", TEXT))
    wide = contract(("id", LONG), ("label", TEXT), ("note", TEXT), version="1.1.0")
    publish(store, narrow, "b1", [1])
    branch = place.branch("try-out", store)
    publish(branch, wide, "mine", [7])
    assert store.open(KEY).schema.names == ["id", "label"]
    newest = branch.versions(KEY)[-1]
    sharing_of(store).check(wide, OWN, newest.number, 1)
    sharing_of(store).take(wide, OWN, newest.number, make_evidence(wide), 1)
    sharing_of(store).forget(OWN, KEY)
    found = place.open().open(KEY)
    assert found.schema.names == ["id", "label", "note"]
    assert found.batches().read_all()["note"].to_pylist() == ["row 7"]
    assert store.open(KEY, 1).schema.names == ["id", "label"]


def test_what_breaks_readers_is_not_promoted(place: Place) -> None:
    store = place.open()
    publish(store, SALES, "b1", [1])
    branch = place.branch("try-out", store)
    broken = contract(("id", LONG), ("label", TEXT), version="2.0.0")
    publish(branch, broken, "mine", [7])
    newest = branch.versions(KEY)[-1]
    same_major = replace(broken, version="1.0.1")
    with pytest.raises(PublishError, match="no longer fits"):
        sharing_of(store).check(same_major, OWN, newest.number, 1)
    with pytest.raises(PublishError, match="no longer fits"):
        sharing_of(store).take(same_major, OWN, newest.number, make_evidence(same_major), 1)
    assert published(store, KEY) == [1]


def test_a_branch_rolls_back_among_its_own_versions(place: Place) -> None:
    store = place.open()
    publish(store, SALES, "b1", [1])
    publish(store, SALES, "b2", [2])
    branch = place.branch("try-out", store)
    publish(branch, SALES, "mine", [7])
    restored = branch.rollback(SALES, 2, WHY, batch_id="back")
    assert (restored.number, restored.rollback_of) == (4, 2)
    assert published(branch, KEY) == [2]
    with pytest.raises(PublishError, match="is production's"):
        branch.rollback(SALES, 1, WHY, batch_id="further-back")
    with pytest.raises(NotPublished):
        branch.rollback(SALES, 9, WHY, batch_id="nowhere")


def test_a_batch_made_on_another_version_is_not_published_in_the_branch(place: Place) -> None:
    store = place.open()
    publish(store, SALES, "b1", [1])
    branch = place.branch("try-out", store)
    staged = stage(branch, SALES, "mine", [7])
    publish(store, SALES, "b2", [2])  # the branch begins with this one
    with pytest.raises(MovedOn):
        branch.publish(SALES, let_through(SALES, staged, on_top_of=1))
    assert published(branch, KEY) == [2]


def _listed(store: ProductStore) -> list[str]:
    found = getattr(store, "products")()  # noqa: B009
    assert isinstance(found, list)
    return found


def _everything(place: Place) -> set[str]:
    """Each file of the place, and what its servers list."""
    store = place.open()
    kept = {str(path) for path in Path(place.root).rglob("*") if "copies" not in path.parts}
    if place.store == "lake-s3":
        at = store.at(KEY)  # type: ignore[attr-defined]
        lake = at.files.location(KEY).removesuffix(f"/{KEY}")
        # The tag came and went: two commits of production's table more.
        kept |= {f.location for f in at.files.listing(f"{lake}/") if "/metadata/" not in f.location}
        kept |= {d["Name"] for d in at.catalog.catalog().glue.get_databases()["DatabaseList"]}
    if place.store == "snowflake":
        session = store.session  # type: ignore[attr-defined]
        kept |= {str(row[1]) for row in session.query("SHOW TERSE SCHEMAS IN DATABASE").rows}
        kept |= {str(row[1]) for row in session.query("SHOW TERSE TABLES IN DATABASE").rows}
    return kept
