"""The publish protocol, on every store: only what was audited, and on top of what was there.

Part of the conformance suite (`test_conformance.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from shared_resources.evidence import keys
from shared_resources.evidence.record import Evidence, NoEvidence
from shared_resources.stores.protocol import MovedOn, ProductStore, PublishError
from tests.contract_factory import let_through
from tests.stores.places import everywhere
from tests.stores.products import WHY, contract, day, publish, published, rows, stage

SALES = contract()
DAILY = contract(partitioned=True)
KEY = SALES.key


def _without_outcome(proof: Evidence) -> Evidence:
    return replace(proof, checks=proof.checks[1:])


def _with_failure(proof: Evidence) -> Evidence:
    return replace(proof, checks=(replace(proof.checks[0], passed=False), *proof.checks[1:]))


FORGED: dict[str, tuple[Callable[[Evidence], Evidence], str]] = {
    "another contract's digest": (lambda e: replace(e, contract_digest="1" * 64), "digest"),
    "another contract's version": (lambda e: replace(e, contract_version="9.0.0"), "version 9.0.0"),
    "a rule without an outcome": (_without_outcome, "has not passed columns"),
    "a rule that failed": (_with_failure, "has not passed columns"),
    "other partitions": (lambda e: replace(e, partitions=(day(3),)), "other partitions"),
    "no fingerprint": (lambda e: replace(e, files=()), "0 were audited"),
}


@pytest.mark.parametrize("forgery", FORGED)
def test_evidence_that_does_not_prove_the_batch_publishes_nothing(
    store: ProductStore, forgery: str
) -> None:
    publish(store, SALES, "b1", [1])
    cleared = let_through(SALES, stage(store, SALES, "b2", [2]))
    forge, said = FORGED[forgery]
    with pytest.raises(PublishError, match=said):
        store.publish(SALES, replace(cleared, evidence=forge(cleared.evidence)))
    assert published(store, KEY) == [1]


@everywhere
def test_a_batch_that_nobody_audited_is_refused(store: ProductStore) -> None:
    staged: Any = stage(store, SALES, "b1", [1])
    with pytest.raises(PublishError, match="StagedBatch is no audited batch"):
        store.publish(SALES, staged)
    assert store.versions(KEY) == []


@pytest.mark.parametrize("rows_now", [[7, 8], [7]])
@everywhere
def test_a_file_that_was_changed_after_the_audit_is_refused(
    store: ProductStore, rows_now: list[int]
) -> None:
    cleared = let_through(SALES, stage(store, SALES, "b1", [1, 2]))
    pq.write_table(rows(SALES, rows_now), cleared.staged.files[0].path, compression="zstd")
    with pytest.raises(PublishError, match=r"changed after it was staged.*Nothing was published"):
        store.publish(SALES, cleared)
    assert store.versions(KEY) == []


@everywhere
def test_a_stopped_publisher_does_not_replace_what_is_newer(store: ProductStore) -> None:
    publish(store, SALES, "b1", [1])
    late = let_through(SALES, stage(store, SALES, "late", [2]), on_top_of=1)
    publish(store, SALES, "b2", [3])
    with pytest.raises(MovedOn, match=r"from version 1 to 2.*version 2 has its place.*try again"):
        store.publish(SALES, late)
    assert published(store, KEY) == [3]
    again = let_through(SALES, stage(store, SALES, "again", [4]), on_top_of=2)
    assert store.publish(SALES, again).number == 3


def test_a_first_version_is_not_replaced_by_one_begun_before_it(store: ProductStore) -> None:
    late = let_through(SALES, stage(store, SALES, "late", [2]), on_top_of=0)
    publish(store, SALES, "b1", [1])
    with pytest.raises(MovedOn, match="from version 0 to 1"):
        store.publish(SALES, late)


def test_two_publishers_of_different_days_do_not_hinder_each_other(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1], day(1): [2]})
    made = {
        n: let_through(DAILY, stage(store, DAILY, f"d{n}", {day(n): [n + 5]}), on_top_of=1)
        for n in (0, 1)
    }
    same_day = let_through(DAILY, stage(store, DAILY, "same", {day(1): [9]}), on_top_of=1)
    appended = let_through(DAILY, stage(store, DAILY, "more", {day(1): [10]}), on_top_of=1)
    for one in made.values():
        store.publish(DAILY, one)
    with pytest.raises(MovedOn, match="version 3 has its place"):
        store.publish(DAILY, same_day)
    store.publish(DAILY, appended, append=True)
    assert published(store, KEY) == [5, 6, 10]


def test_a_rollback_meanwhile_counts_for_every_day(store: ProductStore) -> None:
    publish(store, DAILY, "b1", {day(0): [1]})
    publish(store, DAILY, "b2", {day(1): [2]})
    late = let_through(DAILY, stage(store, DAILY, "late", {day(5): [3]}), on_top_of=2)
    store.rollback(DAILY, 1, WHY, batch_id="r1")
    with pytest.raises(MovedOn, match="version 3 has its place"):
        store.publish(DAILY, late)


def test_what_is_made_of_older_inputs_does_not_replace_what_is_made_of_newer(
    store: ProductStore,
) -> None:
    """Inputs are pinned before the batch is begun: a process may be stopped in between."""
    newer, older = ({"order/lines": f"lake:{n}:snapshot"} for n in (8, 7))
    first = let_through(SALES, stage(store, SALES, "b1", [1]), inputs=newer)
    store.publish(SALES, first)
    late = let_through(SALES, stage(store, SALES, "late", [2]), inputs=older, on_top_of=1)
    with pytest.raises(MovedOn, match="version 8 of order/lines, this of 7"):
        store.publish(SALES, late)
    same = let_through(SALES, stage(store, SALES, "same", [3]), inputs=newer, on_top_of=1)
    assert store.publish(SALES, same).number == 2


def test_a_version_without_evidence_is_listed_and_not_read(
    store: ProductStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(store, SALES, "b1", [1])
    with monkeypatch.context() as broken:
        broken.setattr(Evidence, "properties", lambda _: {keys.RUN_ID: "a stranger's"})
        publish(store, SALES, "b2", [2])
    assert [version.number for version in store.versions(KEY)] == [1, 2]
    with pytest.raises(NoEvidence, match=r"order/sales version 2 in the .* has no evidence"):
        store.open(KEY)
    assert published(store, KEY, 1) == [1]
    store.rollback(SALES, 1, WHY, batch_id="r1")
    assert published(store, KEY) == [1]
