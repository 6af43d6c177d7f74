"""A domain's own query that counts rows by a condition: one verdict a row, in DuckDB and polars."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared_resources.contracts.rules.counting_queries import MOST_PARTS
from shared_resources.contracts.rules.expressions import Inexpressible
from shared_resources.contracts.rules.row_conditions import row_condition
from shared_resources.contracts.rules.view import BATCH
from shared_resources.contracts.types import ColumnType, Family, arrow_schema
from shared_resources.governance.audit.engine.connection import float_columns, without_nan
from shared_resources.sql import quote_literal
from tests.contract_factory import make_column, make_contract
from tests.streams.row_rules.test_agreement import CHECKS, EDGES, EXTRA

KINDS = {
    "text": "text", "int": "integer", "int32": "int32", "float": "double", "float32": "float32",
    "decimal": "decimal", "bool": "boolean", "date": "date", "timestamp": "timestamp",
    "timestamp_tz": "timestamp_tz",
}  # fmt: skip
CONTRACT = make_contract([make_column(f"{kind}_{n}", kind) for kind in KINDS for n in "abc"])
SCHEMA = arrow_schema(tuple((c.name, c.type) for c in CONTRACT.columns))
COMPARISONS = ("=", "<>", "!=", "==", "<", "<=", ">", ">=")
CONSTANTS = {
    "text": ["''", "'a'", "'é'", "'it''s'", "'日本'", "'a\nb'"],
    "int": ["0", "5", "-1", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
    "int32": ["0", "5", "-1", "2147483648", "-9223372036854775808"],
    "float": ["0", "0.1", "-0.0", "0.3", "1.5", "1e308", "5e-324", "2.5E0", "123456789012345"],
    "float32": ["0", "0.5", "-1.5", "2", "9999999"],
    "decimal": ["0", "0.10", "0.1", "1.5", "-1", "9999999999.99", "7"],
    "bool": ["true", "FALSE"],
    "date": ["'2017-01-01'", "DATE '2017-01-02'", "'0001-01-01'::DATE", "CAST('9999-12-31' AS DATE)"],
    "timestamp": [
        "'2017-01-01'", "TIMESTAMP '2017-01-01 23:59:59.999999'", "'2017-01-02 00:00:00'::TIMESTAMP",
    ],
}  # fmt: skip
COUNTED = ("text", "int", "int32", "bool", "date", "timestamp")


@st.composite
def values(draw: st.DrawFn, kind: str) -> str:
    """A value that reads a column."""
    columns = st.sampled_from([f"{kind}_{n}" for n in "abc"])
    column = columns.map(lambda c: draw(st.sampled_from([c, c.upper(), f'"{c}"', f"batch.{c}"])))
    if draw(st.integers(0, 3)):
        return draw(column)
    if kind in ("int", "int32") and draw(st.booleans()):
        of = draw(st.sampled_from(COUNTED))
        listed = [f"{of}_{n}" for n in draw(st.permutations("abc"))]
        return f"len(list_distinct([{', '.join(listed)}]))"
    best = draw(st.sampled_from(["greatest", "least", "GREATEST"]))
    others = st.one_of([column, *_constants(kind)])
    return f"{best}({', '.join([draw(column), *draw(st.lists(others, max_size=2))])})"


def _constants(kind: str) -> list[st.SearchStrategy[str]]:
    known = CONSTANTS.get(kind)
    if known is None:
        return []
    if kind == "text":
        return [st.sampled_from(known), EXTRA["text"].map(quote_literal)]
    return [st.sampled_from(known)]


@st.composite
def leaves(draw: st.DrawFn) -> str:
    kind = draw(st.sampled_from(list(KINDS)))
    one = draw(values(kind))
    other = st.one_of([values(kind), *_constants(kind)])
    match draw(st.integers(0, 5 if kind == "bool" else 4)):
        case 0:
            return f"{one} IS {draw(st.sampled_from(['', 'NOT ']))}NULL"
        case 1:
            said = draw(st.sampled_from(["BETWEEN", "NOT BETWEEN"]))
            return f"{one} {said} {draw(other)} AND {draw(other)}"
        case 2:
            listed = draw(st.lists(other, min_size=1, max_size=3))
            return f"{one} {draw(st.sampled_from(['IN', 'NOT IN']))} ({', '.join(listed)})"
        case 5:
            return draw(st.sampled_from(["bool_a", "NOT bool_b"]))
        case _:
            sides = draw(st.permutations([one, draw(other)]))
            return f"{sides[0]} {draw(st.sampled_from(COMPARISONS))} {sides[1]}"


# Without parentheses as well: both must bind alike.
CONDITIONS = st.recursive(
    leaves(),
    lambda inner: st.one_of(
        inner.map(lambda one: f"NOT ({one})"),
        inner.map(lambda one: f"NOT {one}"),
        st.tuples(inner, st.sampled_from(["AND", "OR"]), inner).map(" ".join),
        st.tuples(inner, st.sampled_from(["AND", "or"]), inner).map(lambda of: f"({' '.join(of)})"),
    ),
    max_leaves=6,
)


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 8))
    columns = {}
    for name, kind in ((f"{kind}_{n}", KINDS[kind]) for kind in KINDS for n in "abc"):
        drawn = st.one_of(st.none(), st.sampled_from(EDGES[kind]), EXTRA[kind])
        columns[name] = draw(st.lists(drawn, min_size=rows, max_size=rows))
    return pa.table(columns, schema=SCHEMA)


def query(condition: str) -> str:
    return f"SELECT count(*) FROM {BATCH} WHERE {condition}"


def by_duckdb(condition: str, table: pa.Table) -> list[int]:
    numbered = table.append_column("_at", pa.array(range(table.num_rows)))  # noqa: F841 -- by its name
    with duckdb.connect() as connection:
        rows = without_nan("SELECT * FROM numbered", float_columns([SCHEMA]))
        connection.execute(f"CREATE TEMP VIEW {BATCH} AS {rows}")
        found = connection.execute(f"SELECT _at FROM {BATCH} WHERE {condition}").fetchall()
        [(count,)] = connection.execute(query(condition)).fetchall()
    assert count == len(found)
    return sorted(at for (at,) in found)


def by_polars(condition: str, table: pa.Table) -> list[int]:
    floats = [one.name for one in CONTRACT.columns if one.type.family is Family.FLOAT]
    frame = pl.DataFrame(table).with_columns(pl.col(floats).fill_nan(None))
    broken = row_condition(query(condition), CONTRACT).fill_null(False)
    return frame.select(broken.alias("broken"))["broken"].arg_true().to_list()


def agree(condition: str, table: pa.Table) -> None:
    assert by_polars(condition, table) == by_duckdb(condition, table), condition


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(CONDITIONS, tables())
def test_each_row_has_one_verdict(condition: str, table: pa.Table) -> None:
    agree(condition, table)


@pytest.mark.slow
@settings(max_examples=600, deadline=None, derandomize=True, suppress_health_check=CHECKS)
@given(CONDITIONS, tables())
def test_each_row_has_one_verdict_often(condition: str, table: pa.Table) -> None:
    agree(condition, table)


def edges() -> pa.Table:
    """Each edge of each type beside each other one, and beside nothing."""
    columns: dict[str, list[Any]] = {}
    for kind, of in KINDS.items():
        known = [None, *EDGES[of]]
        pairs = [(one, other) for one in known for other in known]
        pairs = [pairs[n % len(pairs)] for n in range(15**2)]
        columns[f"{kind}_a"] = [one for one, _ in pairs]
        columns[f"{kind}_b"] = [other for _, other in pairs]
        columns[f"{kind}_c"] = [(one if n % 2 else other) for n, (one, other) in enumerate(pairs)]
    return pa.table(columns, schema=SCHEMA)


@pytest.mark.parametrize("kind", KINDS)
def test_every_construct_over_every_edge(kind: str) -> None:
    a, b, c = (f"{kind}_{n}" for n in "abc")
    table = edges()
    asked = [f"{a} {compared} {b}" for compared in COMPARISONS]
    asked += [f"{a} BETWEEN {b} AND {c}", f"NOT {a} BETWEEN {b} AND {c}", f"{a} NOT IN ({b}, {c})"]
    asked += [
        f"greatest({a}, {b}) > {c}",
        f"least({a}, {b}, {c}) = {c}",
        f"least({a}, {b}) IS NULL",
    ]
    asked += [f"{a} <> {constant}" for constant in CONSTANTS.get(kind, [])]
    asked += [
        f"NOT ({a} <= {constant} AND {b} IS NOT NULL)" for constant in CONSTANTS.get(kind, [])
    ]
    if kind in COUNTED:
        asked += [f"len(list_distinct([{a}, {b}, {c}])) {than}" for than in ("<> 3", "= 0", "< 2")]
    for condition in asked:
        agree(condition, table)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("SELECT 0", "it is no SELECT count"),
        ("SELECT count(*) FROM batch", "counts all rows"),
        ("SELECT count(int_a) FROM batch WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(DISTINCT int_a) FROM batch WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FILTER (WHERE int_a > 1) FROM batch", "it is no SELECT count"),
        ("SELECT count(*), 1 FROM batch WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT DISTINCT count(*) FROM batch WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM batch WHERE int_a > 1 GROUP BY int_a", "it is no SELECT count"),
        ("SELECT count(*) FROM batch WHERE int_a > 1 HAVING count(*) > 3", "it is no SELECT count"),
        ("SELECT count(*) FROM batch WHERE int_a > 1 LIMIT 0", "it is no SELECT count"),
        ("SELECT count(*) FROM batch USING SAMPLE 10% WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM batch TABLESAMPLE 10% WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM batch, batch AS b WHERE batch.int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM batch JOIN batch b ON true WHERE b.int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM other WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM main.batch WHERE int_a > 1", "it is no SELECT count"),
        ("SELECT count(*) FROM (SELECT * FROM batch) WHERE int_a > 1", "it is no SELECT count"),
        ("WITH batch AS (SELECT 1 int_a) SELECT count(*) FROM batch WHERE int_a > 1", "no SELECT"),
        ("SELECT count(*) FROM batch WHERE true UNION SELECT 1", "it is no SELECT count"),
        ("SELECT count(*) FROM batch WHERE int_a > 1; SELECT 1", "it is no SELECT count"),
        ("SELECT count(*) FROM batch AS b(int_b, int_a) WHERE b.int_a > 1", "other names"),
        ("SELECT count(*) FROM batch WHERE (", "cannot be read"),
    ],
)  # fmt: skip
def test_what_looks_at_more_than_a_row_is_asked_of_batches_alone(asked: str, why: str) -> None:
    with pytest.raises(Inexpressible, match=why):
        row_condition(asked, CONTRACT)


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("int_a > (SELECT max(int_a) FROM batch)", "SELECT MAX"),
        ("int_a IN (SELECT 1)", "int_a IN"),
        ("EXISTS (SELECT 1 FROM batch)", "EXISTS"),
        ("int_a > count(*)", "COUNT"),
        ("row_number() OVER () > 3", "OVER"),
        ("random() > 0.5 AND int_a > 1", "RANDOM|reads no column"),
        ("date_a < current_date", "CURRENT_DATE"),
        ("int_a + 1 > int_b", "int_a \\+ 1"),
        ("int_a = int_b IS NULL", "not known"),
        ("int_a < int_b < int_c", "not known|another type"),
        ("NOT bool_a = bool_b IS NULL", "not known"),
        ("int_a IS NOT DISTINCT FROM int_b", "DISTINCT|not known"),
        ("int_a BETWEEN SYMMETRIC 5 AND 1", "BETWEEN"),
        ("text_a LIKE 'a%'", "LIKE"),
        ("len(text_a) > 3", "LENGTH|len"),
        ("len(list_distinct([int_a, 1])) > 1", "not known"),
        ("len(list_distinct([])) > int_a", "not known"),
        ("len(list_distinct([float_a, float_b])) <> 2", "DOUBLE"),
        ("list_distinct([int_a]) IS NULL", "reads no column"),
        ("bool_a IS TRUE", "TRUE"),
        ("int_a", "not known"),
        ("true", "not known"),
        ("1 = 1", "reads no column"),
        ("int_a = NULL", "NULL"),
        ("int_a IN ()", "IN \\(\\)"),
        ("int_a >= x -> ", "cannot be read"),
        ("date_a IN DATE( )", "a part of it"),
        ("int_a ! IS NOT NULL", "`!`"),
        ("! bool_a", "`!`"),
        ("+ bool_a", "DuckDB does not take it"),
        ("int_a BETWEEN 1 5", "DuckDB does not take it"),
        ("greatest(, int_a) > 1", "DuckDB does not take it"),
        ("int_a > 0.5", "no exact value"),
        ("int_a > '5'", "compared with"),
        ("int_a > 9223372036854775808", "no exact value"),
        ("int_a > -'5'", "not known"),
        ("int_a > 5::BIGINT", "not known"),
        ("int_a = float_a", "another type: BIGINT, DOUBLE"),
        ("float_a = float32_a", "another type"),
        ("float_a > 12345678901234567", "no exact value"),
        ("float_a > true", "not known"),
        ("float32_a > 0.1", "no exact value"),
        ("float32_a > 1e3", "no exact value"),
        ("decimal_a > 1.555", "more decimals"),
        ("decimal_a > 10000000000", "no exact value"),
        ("decimal_a > 1e2", "no exact value"),
        ("date_a > '2017-02-30'", "not written as"),
        ("date_a > '2017-1-2'", "not written as"),
        ("date_a > TIMESTAMP '2017-01-02'", "compared with DATE"),
        ("text_a = 'a'::VARCHAR", "compared with VARCHAR"),
        ("timestamp_tz_a > '2017-01-02'", "compared with TIMESTAMP WITH"),
        ("timestamp_a > '2017-01-01T00:00:00Z'", "not written as"),
        ("other.int_a > 1", "no column"),
        ("_mesh_part > 1", "no column"),
        ("int_a > 1 AND COLUMNS(*) > 1", "not known|COLUMNS|no column"),
        (" OR ".join(["int_a > 1"] * MOST_PARTS), "more than 500 parts"),
    ],
)  # fmt: skip
def test_what_the_two_may_decide_otherwise_is_asked_of_batches_alone(
    condition: str, why: str
) -> None:
    with pytest.raises(Inexpressible, match=why):
        row_condition(query(condition), CONTRACT)


@pytest.mark.parametrize(("precision", "scale"), [(38, 38), (38, 10), (38, 0), (4, 4), (19, 2)])
def test_decimals_that_duckdb_would_not_compare_exactly_are_asked_of_batches_alone(
    precision: int, scale: int
) -> None:
    """With more than 38 digits it compares doubles, or cannot read the column's own values."""
    most, more = (Decimal(f"{10**precision - n}E-{scale}") for n in (1, 2))
    least = Decimal(f"1E-{scale}")
    type_ = ColumnType(Family.DECIMAL, precision=precision, scale=scale)
    contract = make_contract([replace(make_column("amount", "decimal"), type=type_)])
    amounts = [None, Decimal(0), least, more, most, most.copy_negate()]
    table = pa.table(
        {"_at": range(6), "amount": pa.array(amounts, pa.decimal128(precision, scale))}
    )
    decided = 0
    for constant in ("0", "0.0", "0.000", "0." + "0" * 40, "-0.5", f"{most:f}", f"-{most:f}"):
        for asked in (f"amount < {constant}", f"{constant} = greatest(amount, {constant})"):
            try:
                condition = row_condition(query(asked), contract).fill_null(False)
            except Inexpressible:
                continue
            decided += 1
            with duckdb.connect() as connection:
                connection.register(BATCH, table)
                by_sql = f"SELECT _at FROM {BATCH} WHERE {asked} ORDER BY _at"
                found = connection.execute(by_sql).fetchall()
            kept = pl.DataFrame(table).filter(condition)["_at"].to_list()
            assert kept == [at for (at,) in found], asked
    assert decided or scale == precision


def test_a_query_may_call_the_batch_by_another_name() -> None:
    asked = "SELECT count(*) AS n FROM batch b WHERE b.int_a > 1 -- few"
    row_condition(asked, CONTRACT)
    with pytest.raises(Inexpressible, match="no column"):
        row_condition(asked.replace("b.int_a", "batch.int_a"), CONTRACT)
