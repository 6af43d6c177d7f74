"""Row filters as expressions of Lake Formation: the same rows, in the words that it documents alone."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import sqlglot
from sqlglot import exp

from shared_resources.contracts.roles.conditions import condition_sql, parse_condition
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.engines.lake_grants.expressions import (
    LONGEST,
    Inexpressible,
    filter_expression,
)

TYPES = {
    "text": ColumnType(Family.STRING),
    "n": ColumnType(Family.INTEGER),
    "share": ColumnType(Family.FLOAT),
    "price": ColumnType(Family.DECIMAL, precision=10, scale=2),
    "yes": ColumnType(Family.BOOLEAN),
    "day": ColumnType(Family.DATE),
    "moment": ColumnType(Family.TIMESTAMP),
}
ATOMS = (
    "text = 'it''s'", "text <> 'a'", "text < 'b'", "text LIKE 'ab%'", "text IN ('a', 'Ü😀')",
    "n >= -3", "n NOT IN (1, 2)", "n BETWEEN -1 AND 7", "n IS NULL", "n IS NOT NULL",
    "share > 0.5", "share <= 1e300", "share < 0.000001", "price = 12.34", "price >= -0.01", "yes",
    "NOT yes", "yes <> true",
)  # fmt: skip
ROWS = pa.table(
    {
        "text": ["a", "abc", "it's", "Ü😀", "", None, "b", "AB", "a"],
        "n": [1, -3, None, 7, 2, 0, 9, -4, None],
        "share": [0.5, None, 1e300, -1.0, 0.75, 2.0, 0.0, 1e-7, 3.0],
        "price": pa.array(
            [
                Decimal("12.34"),
                None,
                Decimal("-0.01"),
                *map(Decimal, ("0", "1", "2", "3", "4", "5")),
            ],
            pa.decimal128(10, 2),
        ),
        "yes": [True, False, None, True, False, None, True, False, True],
        "id": list(range(9)),
    }
)
# "=, >, <, >=, <=, <>, !=, BETWEEN, IN, LIKE, NOT, IS [NOT] NULL", AND, OR, constants.
DOCUMENTED = (
    exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Like, exp.Not, exp.Is, exp.Null,
    exp.And, exp.Or, exp.Paren, exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Neg,
)  # fmt: skip


def drawn(made: random.Random, depth: int = 3) -> str:
    if depth == 0 or made.random() < 0.3:
        return made.choice(ATOMS)
    if made.random() < 0.3:
        return f"NOT ({drawn(made, depth - 1)})"
    word = made.choice([" AND ", " OR "])
    return "(" + word.join(drawn(made, depth - 1) for _ in range(made.randint(2, 3))) + ")"


def shown(condition: str, rows: pa.Table = ROWS) -> list[Any]:
    with duckdb.connect() as connection:
        connection.register("rows", rows)
        return connection.sql(f"SELECT id FROM rows WHERE {condition} ORDER BY id").fetchall()


@pytest.mark.parametrize("seed", range(10))
def test_the_expression_shows_the_rows_of_the_condition_in_documented_words(seed: int) -> None:
    made = random.Random(seed)
    for _ in range(40):
        filters = [parse_condition(drawn(made), TYPES) for _ in range(made.randint(1, 2))]
        said = filter_expression(filters)
        parsed = sqlglot.parse_one(said, dialect="athena")
        assert {type(node) for node in parsed.walk()} <= set(DOCUMENTED), said
        for negated in parsed.find_all(exp.Not):  # of one comparison, never of several
            assert not isinstance(negated.this.unnest(), exp.And | exp.Or), said
        ours = " OR ".join(condition_sql(one.condition, one.types) for one in filters)
        assert shown(parsed.sql("duckdb")) == shown(ours), said


def test_what_is_not_a_number_never_shows_a_row_more() -> None:
    """Where NaN compares as nothing: each comparison with it is false, whatever is said."""
    nan = ROWS.set_column(2, "share", pa.array([float("nan")] * 9))
    for text in ("share > 0.5", "NOT (share > 0.5)", "NOT (share < 0.5)", "share = 0.5"):
        said = filter_expression([parse_condition(text, TYPES)])
        ours = condition_sql(parse_condition(text, TYPES).condition, TYPES)
        strictly = f"NOT isnan(share) AND {said}"
        assert set(shown(strictly, nan)) <= set(shown(ours, nan))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("day > '2024-01-01'", "'day', a date"),
        ("n = 1 OR moment IS NULL", "'moment', a timestamp"),
        (f"text = '{'x' * LONGEST}'", "2,047"),
    ],
)
def test_what_it_has_no_words_for_is_said(text: str, why: str) -> None:
    with pytest.raises(Inexpressible, match=why):
        filter_expression([parse_condition(text, TYPES)])
