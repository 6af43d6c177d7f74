"""Which of the branch's versions production has, where batch ids are alike: a replay's is its entry's."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared_resources.branching.own_line import OwnLine, own_line
from shared_resources.evidence.record import Promoted
from shared_resources.stores.branched.names import in_branch
from shared_resources.stores.branched.store import BranchStore
from shared_resources.stores.pins import pin_of
from tests.contract_factory import make_evidence
from tests.stores.places import LOCAL, Place, sharing_of
from tests.stores.products import contract, day, publish

DAILY = contract(partitioned=True)
KEY = DAILY.key
REPLAY = "replay-entry"


@pytest.fixture(params=LOCAL)
def branch(request: pytest.FixtureRequest, tmp_path: Path) -> BranchStore:
    """Production has one version of two days."""
    branch = Place(request.param, tmp_path).branch("try-out")
    publish(branch.base, DAILY, "b1", {day(0): [1], day(1): [2]})
    return branch


def line_of(branch: BranchStore) -> OwnLine:
    line = own_line(branch, KEY)
    assert line is not None
    return line


def promote(branch: BranchStore) -> None:
    line = line_of(branch)
    began = line.began_with.number if line.began_with else 0
    pins = tuple(str(pin_of(version)) for version in line.made)
    evidence = make_evidence(
        DAILY, partitions=(day(1),), promoted=Promoted("try-out", pins, "somebody")
    )
    own = in_branch(KEY, "try-out")
    sharing_of(branch.base).take(DAILY, own, line.newest.number, evidence, began)


@pytest.mark.parametrize("batches", [(REPLAY, "day-1"), ("day-1", REPLAY)])
def test_a_replay_of_the_same_entry_in_production_is_another_version(
    branch: BranchStore, batches: tuple[str, str]
) -> None:
    for batch in batches:
        publish(branch, DAILY, batch, {day(1): [3]})
    publish(branch.base, DAILY, "day-2", {day(2): [4]})
    publish(branch.base, DAILY, REPLAY, {day(1): [5]})
    line = line_of(branch)
    assert tuple(one.batch_id for one in reversed(line.made)) == batches
    assert line.began_with is not None and line.began_with.number == 1
    assert line.moved is not None and "has version 3" in line.moved
    assert not line.is_promoted


def test_a_number_and_batch_alike_are_not_enough(branch: BranchStore) -> None:
    publish(branch, DAILY, REPLAY, {day(1): [3]})
    publish(branch.base, DAILY, REPLAY, {day(1): [5]})
    line = line_of(branch)
    assert [one.number for one in line.made] == [2] and line.moved is not None


def test_what_was_promoted_is_productions_and_what_comes_after_is_not(branch: BranchStore) -> None:
    for batch in ("first", "second"):
        publish(branch, DAILY, batch, {day(1): [3]})
    promote(branch)
    line = line_of(branch)
    assert line.made == () and line.is_promoted and line.moved is None
    publish(branch, DAILY, "third", {day(1): [4]})  # before it was forgotten
    line = line_of(branch)
    assert [one.batch_id for one in line.made] == ["third"] and line.moved is None
    promote(branch)
    sharing_of(branch.base).forget(in_branch(KEY, "try-out"), KEY)
    # The branch begins again, with numbers and (in the warehouse) pins that it had before.
    publish(branch, DAILY, "fourth", {day(1): [5]})
    line = line_of(branch)
    assert [one.batch_id for one in line.made] == ["fourth"]
    assert line.began_with is not None and line.began_with.number == 3
