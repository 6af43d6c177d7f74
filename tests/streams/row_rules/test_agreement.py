"""The audit in DuckDB and the row rules in polars give every row the same verdict.

Contracts are those of `tests/contracts/test_agreement.py`: every type, every kind of rule, every
operator and unit. Rows are drawn over nulls, NaN, infinities, -0.0, empty texts, line breaks, text
beyond ASCII, combining characters, edges of integers, decimals and days.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared_resources.contracts.model import Contract, Severity, Threshold
from shared_resources.contracts.odcs import read_contract_text
from shared_resources.contracts.patterns import check_pattern
from shared_resources.contracts.rules import expressions
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.rules.view import not_matching
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.loss import bad_rows
from shared_resources.stores.protocol import StagedBatch
from shared_resources.stores.staging.staging import write_staged
from shared_resources.streams.row_rules.places import Place
from shared_resources.streams.row_rules.rules import RowRules
from tests.contracts.test_agreement import contracts

EXTRA: Mapping[str, Any] = {
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6),
    "integer": st.integers(-(2**63) + 1, 2**63 - 1),
    "int32": st.integers(-(2**31), 2**31 - 1),
    "double": st.floats(),
    "float32": st.floats(width=32),
    "decimal": st.decimals("-9999999999.99", "9999999999.99", places=2),
    "boolean": st.booleans(),
    "date": st.dates(),
    "timestamp": st.datetimes(),
    "timestamp_tz": st.datetimes(timezones=st.just(UTC)),
}
EDGES: Mapping[str, list[Any]] = {
    "text": ["", "a", "b", "é", "e\u0301", "日本", "a\nb", "a\n", " ", "007", "\v", "٣", "😀", "K"],
    "integer": [0, 1, 2, 5, 10, -1, -7, 2**53 + 1, 2**63 - 1, -(2**63) + 1],
    "int32": [0, 1, 2, 5, -1, 2**31 - 1, -(2**31)],
    "double": [0.0, -0.0, 0.1, 0.3, 0.1 + 0.2, 1.5, 2.0, 1e308, 5e-324, float("inf"), float("nan")],
    "float32": [0.0, -0.0, float(np.float32(0.1)), 1.5, 2.0, 16777216.0, float("-inf")],
    "decimal": [Decimal("0"), Decimal("0.10"), Decimal("1.5"), Decimal("-1"), Decimal("0.01")],
    "boolean": [True, False],
    "date": [date(2017, 1, 1), date(2017, 1, 2), date(1, 1, 1), date(9999, 12, 31)],
    "timestamp": [datetime(2017, 1, 1), datetime(2017, 1, 1, 23, 59, 59, 999999),
                  datetime(2017, 1, 2), datetime.max, datetime.min],
    "timestamp_tz": [datetime(2017, 1, 1, tzinfo=UTC), datetime(2017, 1, 2, tzinfo=UTC),
                     datetime(2017, 1, 1, 23, 59, 59, 999999, tzinfo=UTC)],
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn, contract: Contract, kinds: Mapping[str, str]) -> pa.Table:
    rows = draw(st.integers(1, 10))
    columns = {}
    for column in contract.columns:
        kind = kinds[column.name]
        values = st.one_of(st.none(), st.sampled_from(EDGES[kind]), EXTRA[kind])
        drawn = draw(st.lists(values, min_size=rows, max_size=rows))
        columns[column.name] = pa.array(drawn, column.type.arrow)
    schema = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    return pa.table(columns, schema=schema)


def strict(contract: Contract) -> Contract:
    """Every row rule blocking and without a tolerance, so that each tells its rows."""
    changed = (
        replace(rule, threshold=Threshold(), severity=Severity.BLOCKING)
        if isinstance(kind_of(rule), RowKind)
        else rule
        for rule in contract.rules
    )
    return replace(contract, rules=tuple(changed))


def by_duckdb(contract: Contract, table: pa.Table) -> list[tuple[tuple[str, ...], str]]:
    """The rejected rows, as text, with the rules that each broke."""
    rules = [rule for rule in contract.rules if isinstance(kind_of(rule), RowKind)]
    with TemporaryDirectory(prefix="mesh-rules-") as folder:
        files = write_staged(table.to_reader(), Path(folder), contract, ("",))
        staged = StagedData(StagedBatch(contract.key, "batch", Path(folder), files))
        report = audit(staged, contract, rules=rules)
        failed = {r.rule.name: r.rows_failed for r in report.results}
        assert all(count is not None for count in failed.values()), report.results
        batches = bad_rows(staged, contract, rules, {}, table.num_rows)
    rows = pa.Table.from_batches(batches).to_pylist() if batches else []
    return [(tuple(row.pop("_reasons")), repr(row)) for row in rows]


def by_polars(contract: Contract, table: pa.Table) -> list[tuple[tuple[str, ...], str]]:
    frame = pl.DataFrame(table)
    judged = RowRules(contract).judge(frame)
    lost = table.filter(judged.rejected.to_arrow())
    assert judged.kept(frame).height + lost.num_rows == table.num_rows
    rows = zip(judged.reasons.to_list(), lost.to_pylist(), strict=True)
    return [(tuple(reasons), repr(row)) for reasons, row in rows]


def agree(data: st.DataObject) -> None:
    text, kinds = data.draw(contracts())
    contract = read_contract_text(text, Path("contract.odcs.yaml"))
    contract = strict(contract)
    rules = RowRules(contract)
    for placed in rules.placed:
        if isinstance(kind_of(placed.rule), RowKind):
            assert placed.place is Place.MESSAGE, placed
    table = data.draw(tables(contract, kinds))
    assert sorted(by_polars(contract, table)) == sorted(by_duckdb(contract, table))


CHECKS = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


@settings(max_examples=15, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(st.data())
def test_every_row_rule_gives_each_row_the_audits_verdict(data: st.DataObject) -> None:
    agree(data)


@pytest.mark.slow
@settings(max_examples=250, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(st.data())
def test_every_row_rule_gives_each_row_the_audits_verdict_often(data: st.DataObject) -> None:
    agree(data)


# What the two engines' regular expressions mean differently, or might.
PATTERNS = [
    r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"^\S+$", r"[\s]", r"[\D]", r"[^\w]", r"[\W\d]",
    r"\ba", r"b\b", "^a$", "a$", "^", "$", ".", "^.$", "^.{2,3}$", r"\v", r"[\v]", r"\x41",
    r"\xe9", r"[\x00-\x1f]", r"\.", r"\<", r"[\<\>]", r"\-", r"[a\-z]", r"\[", r"\]", r"\/", "#",
    "a|", "()", "(?:a|b)+?", "[^a]", "é", "[à-ü]", "K", "k", r"\t|\n|\r|\f", r"[\]\[]", r"\^",
    r"\$", "a{2}", "[a-z]{0,3}$",
]  # fmt: skip
TEXTS = [
    "", "a", "b", "A", "é", "e\u0301", "日本", "a\nb", "a\n", "\n", " ", "007", "\v", "\t", "\x1c",
    "\x85", "\xa0", "٣", "a\u2028b", "😀", "K", "k", "\u017f", "_", "<", ">", "-", "[", "]", "/",
    "#", "^", "$", ".", "aa", "aaa", "\x7f", "a b", "ab", "b", "\r\n", "\ufeff", "ß", "À",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_pattern_means_the_same_to_both(pattern: str) -> None:
    check_pattern(pattern)
    given_ = pa.table({"t": pa.array(TEXTS)})  # noqa: F841 -- DuckDB finds it by its name
    condition = not_matching('"t"', pattern)
    said = duckdb.sql(f"SELECT t FROM given_ WHERE {condition}").fetchall()
    frame = pl.DataFrame({"t": TEXTS}).filter(expressions.not_matching(pl.col("t"), pattern))
    assert sorted(frame["t"].to_list()) == sorted(text for (text,) in said)


LONG = ColumnType(Family.DECIMAL, precision=38, scale=18)
BIGINT, INTEGER = (ColumnType(Family.INTEGER, width=width) for width in (64, 32))


@pytest.mark.parametrize("bound", ["1", "999999999999.5", "0.000000000000000001", "9" * 20])
def test_bounds_and_values_of_long_decimals_are_exact(bound: str) -> None:
    """Python's own arithmetic keeps 28 digits, fewer than such a column has."""
    type_, least = LONG, Decimal("1E-18")
    with localcontext(prec=50):
        amounts = [Decimal(bound) + step * least for step in (-1, 0, 1)]
    frame = pl.DataFrame({"d": amounts}, schema={"d": pl.Decimal(38, 18)})
    broken = expressions.out_of_range(pl.col("d"), type_, {"maximum": bound})
    assert frame.select(d=broken)["d"].to_list() == [False, False, True]
    broken = expressions.not_in(pl.col("d"), type_, [bound])
    assert frame.select(d=broken)["d"].to_list() == [True, False, True]
    assert not expressions.all_within(frame["d"], type_, {"maximum": bound})
    assert expressions.all_within(frame["d"].head(2), type_, {"maximum": bound})


@pytest.mark.parametrize(
    ("type_", "bound"),
    [
        (LONG, 10**20), (LONG, "1e30"), (LONG, "0.0000000000000000001"), (BIGINT, 1 << 63),
        (BIGINT, -(1 << 63) - 1), (BIGINT, 10**30), (BIGINT, 0.5), (INTEGER, 1 << 31),
    ],
)  # fmt: skip
def test_a_number_that_the_columns_type_does_not_have_is_named(
    type_: ColumnType, bound: object
) -> None:
    """And ends no gate."""
    for condition in (
        lambda: expressions.out_of_range(pl.col("d"), type_, {"minimum": bound}),
        lambda: expressions.not_in(pl.col("d"), type_, [bound]),
    ):
        with pytest.raises(expressions.Inexpressible, match=type_.duckdb.split("(")[0]):
            condition()


def test_the_least_and_the_greatest_integer_are_values() -> None:
    frame = pl.DataFrame({"d": [-(1 << 63), (1 << 63) - 1]})
    for bound, broken in ((-(1 << 63), [False, True]), ((1 << 63) - 1, [False, False])):
        condition = expressions.out_of_range(pl.col("d"), BIGINT, {"maximum": bound})
        assert frame.select(d=condition)["d"].to_list() == broken


def test_what_polars_cannot_decide_exactly_is_named_with_the_reason() -> None:
    with pytest.raises(expressions.Inexpressible, match=r"between"):
        expressions.rust_pattern(r"\Ba")
