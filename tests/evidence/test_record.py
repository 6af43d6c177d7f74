"""The record of what a version was checked against: written and read in one place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_resources.contracts.model import Severity
from shared_resources.evidence import keys
from shared_resources.evidence.record import (
    CheckOutcome,
    Evidence,
    NoEvidence,
    ReplayOf,
    RolledBack,
)
from tests.contract_factory import make_contract, make_evidence, make_rule, make_version

text = st.text(max_size=8)
pairs = st.tuples(text, text)
outcomes = st.builds(
    CheckOutcome, text, st.booleans(), st.sampled_from(Severity), st.none() | st.integers(0)
)
records = st.builds(
    Evidence,
    run_id=text,
    contract_version=text,
    contract_digest=text,
    checks=st.lists(outcomes, max_size=3).map(tuple),
    policies=text,
    refusing=st.lists(text, max_size=2).map(tuple),
    partitions=st.lists(text, min_size=1, max_size=3).map(tuple),
    inputs=st.dictionaries(text, text, max_size=2),
    objects=st.lists(pairs, max_size=3).map(tuple),
    quarantined=st.lists(text, max_size=2).map(tuple),
    replay_of=st.none() | st.builds(ReplayOf, text, text),
    rolled_back=st.none() | st.builds(RolledBack, text, text, st.lists(text).map(tuple)),
)


@given(records)
def test_what_is_written_is_what_is_read(record: Evidence) -> None:
    written = record.properties()
    assert all(isinstance(value, str) for value in written.values())
    assert all(key.startswith(keys.PREFIX) for key in written)
    assert Evidence.read(written) == record


def test_a_product_without_partitions_has_the_one_whoever_wrote_it() -> None:
    """Earlier releases wrote none at all, and whoever looped over them did nothing."""
    written = make_evidence(make_contract()).properties()
    earlier = {**written, keys.PARTITIONS: "[]"}
    assert Evidence.read(written).partitions == Evidence.read(earlier).partitions == ("",)


@pytest.mark.parametrize("key", [keys.RUN_ID, keys.CONTRACT_DIGEST, keys.CHECKS])
def test_properties_that_lack_what_was_checked_are_no_evidence(key: str) -> None:
    written = make_evidence(make_contract()).properties()
    del written[key]
    with pytest.raises(NoEvidence, match=rf"version 3 .*{key}.*mesh run.*mesh rollback"):
        Evidence.read(written, "order/lines version 3")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (keys.CHECKS, "no json"),
        (keys.CHECKS, "{}"),
        (keys.CHECKS, '["columns"]'),
        (keys.CHECKS, '[{"rule":"a","passed":"yes","severity":"blocking","rows_failed":0}]'),
        (keys.CHECKS, '[{"rule":"a","passed":true,"severity":"none","rows_failed":0}]'),
        (keys.OBJECTS, '[["key"]]'),
        (keys.INPUTS, "7"),
        (keys.REPLAY_OF, "an entry of no batch"),
    ],
)
def test_evidence_that_cannot_be_read_is_none(key: str, value: str) -> None:
    written = {**make_evidence(make_contract()).properties(), key: value}
    with pytest.raises(NoEvidence, match="cannot be read"):
        Evidence.read(written)


def test_a_blocking_rule_is_proven_by_a_passed_outcome_alone() -> None:
    blocking = make_rule("not_empty")
    warning = make_rule("row_count", severity=Severity.WARNING)
    contract = make_contract(rules=[blocking, warning])

    def proves(*checks: CheckOutcome) -> list[bool]:
        proof = make_evidence(contract, checks=checks)
        return [proof.proves(rule) for rule in contract.rules]

    assert proves() == [False, True]
    assert proves(CheckOutcome(blocking.name, False)) == [False, True]
    assert proves(CheckOutcome(blocking.name, True)) == [True, True]
    assert proves(CheckOutcome(blocking.name, True), CheckOutcome(warning.name, False)) == [
        True,
        True,
    ]


def test_a_rule_that_kept_other_days_back_counts_as_failed() -> None:
    checks: Any = tuple(CheckOutcome(name, passed) for name, passed in [("a", True), ("b", False)])
    proof = make_evidence(make_contract(), checks=checks, refusing=("a",))
    assert (proof.checks_passed, proof.checks_failed) == (0, 2)


def test_a_version_without_evidence_says_which_it_is() -> None:
    version = make_version(make_contract(), 7)
    assert version.evidence.run_id == "run-1"
    bare = type(version)("order/lines", "lake", 7, "", 1, version.published_at, {})
    with pytest.raises(NoEvidence, match="order/lines version 7 in the lake"):
        _ = bare.evidence
