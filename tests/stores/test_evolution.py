"""Which schema changes a published product may take."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared_resources.contracts.compiling.iceberg_schema import iceberg_type
from shared_resources.contracts.promise import parse_type, widens
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.evidence import keys
from shared_resources.stores.evolution import check_evolution, columns_of
from shared_resources.stores.lake.schema import column_type
from shared_resources.stores.protocol import PublishError
from tests.stores.products import INT, LONG, TEXT, contract

types = st.one_of(
    st.sampled_from([ColumnType(family) for family in Family if family is not Family.DECIMAL]),
    st.sampled_from([INT, ColumnType(Family.FLOAT, width=32)]),
    st.integers(1, 38).flatmap(
        lambda digits: st.integers(0, digits).map(
            lambda scale: ColumnType(Family.DECIMAL, precision=digits, scale=scale)
        )
    ),
)


@given(types, types)
def test_widening_is_an_order(one: ColumnType, other: ColumnType) -> None:
    assert widens(one, one)
    if widens(one, other) and widens(other, one):
        assert one.duckdb == other.duckdb
    if widens(one, other):
        assert one.family is other.family


@given(types)
def test_a_type_is_found_again_in_either_store(type_: ColumnType) -> None:
    assert parse_type(type_.duckdb).duckdb == type_.duckdb
    assert column_type(iceberg_type(type_)).duckdb == type_.duckdb


@pytest.mark.parametrize("published", ["1.0.0", "1.9.9"])
def test_only_a_higher_major_version_may_break(published: str) -> None:
    before = columns_of(contract(("id", LONG), ("label", TEXT)))
    evidence = {keys.CONTRACT_VERSION: published}
    for version in ("1.0.0", "1.10.0", "nonsense", "0.9.0"):
        with pytest.raises(PublishError, match="major version"):
            check_evolution(
                contract(("id", LONG), version=version), before, evidence, replaces_everything=True
            )
    check_evolution(
        contract(("id", LONG), version="2.0.0"), before, evidence, replaces_everything=True
    )


def test_a_breaking_change_names_what_breaks_and_where_to_mend_it() -> None:
    changed = contract(("id", TEXT))
    before = columns_of(contract(("id", LONG), ("label", TEXT)))
    with pytest.raises(PublishError) as refused:
        check_evolution(changed, before, {}, replaces_everything=True)
    for part in ("order/sales", "label is gone", "id from BIGINT to VARCHAR", str(changed.path)):
        assert part in str(refused.value)


@pytest.mark.parametrize(
    ("published", "version", "lower"),
    [
        ("2.0.0", "1.9.9", True),
        ("1.10.0", "1.9.0", True),
        ("1.0.1", "1.0", True),
        ("1.0.0", "1.0", False),
        ("v1.2.0", "1.2.0-draft", False),
        ("1.2.0", "1.2.1", False),
        ("nonsense", "0.1.0", False),
        ("1.2.0", "nonsense", False),
        ("1.2.3.4", "1.2.3.1", False),
        ("", "1.0.0", False),
    ],
)
def test_a_contracts_version_does_not_go_back(published: str, version: str, lower: bool) -> None:
    """On its way up again it would let a break through, and two shapes under one number."""
    now = contract(("id", LONG), version=version)
    evidence = {keys.CONTRACT_VERSION: published}
    refused = pytest.raises(PublishError, match="Versions only rise") if lower else nullcontext()
    with refused:
        check_evolution(now, columns_of(now), evidence, replaces_everything=True)
