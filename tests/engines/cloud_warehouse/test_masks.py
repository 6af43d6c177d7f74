"""Masks and rows in Snowflake's SQL are those of the door: value by value, and agreement by agreement.

What Snowflake's SQL comes to is computed by DuckDB, into whose dialect sqlglot carries it.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache

import duckdb
import pyarrow as pa
import pytest
import sqlglot

from shared_resources.contracts.model import Contract
from shared_resources.contracts.roles.conditions import parse_condition
from shared_resources.contracts.roles.masks import KEYED_HASH, KINDS, QUERY_LOCAL
from shared_resources.contracts.roles.model import Mask
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.contracts.values.comparing import column_type
from shared_resources.engines.cloud_warehouse.conditions import condition_sql
from shared_resources.engines.cloud_warehouse.items import GRANT, Unsayable, items_of
from shared_resources.engines.cloud_warehouse.masks import VALUE, Unsaid, masked
from shared_resources.engines.shares import Share
from shared_resources.mesh.agreements.model import Consumer
from tests.access.test_equivalence import ROWS, SCHEMA, by_id, expected, terms
from tests.contracts.roles.test_masks import EXPECTED, VALUES
from tests.contracts.roles.test_masks import _mask as mask_of
from tests.stand_ins.snowflake_governance import Governance
from tests.stand_ins.snowflake_seeing import rows
from tests.stores.products import contract

CASES = [
    (kind, type_) for kind in KINDS for type_ in VALUES if type_.family in KINDS[kind].families
]


def unsaid(kind: str, type_: ColumnType) -> bool:
    whole = type_.family is Family.INTEGER
    return (
        kind in (KEYED_HASH, QUERY_LOCAL)
        or (kind == "sha-256-global" and whole)
        or (kind == "generalise" and type_ == ColumnType(Family.FLOAT, 32))
    )


@pytest.mark.parametrize(("kind", "type_"), CASES, ids=str)
def test_a_mask_gives_what_it_is_to_give_or_is_not_said(kind: str, type_: ColumnType) -> None:
    mask = mask_of(kind)
    if unsaid(kind, type_):
        with pytest.raises(Unsaid):
            masked(type_, mask)
        return
    body = sqlglot.parse_one(masked(type_, mask), read="snowflake").sql("duckdb")
    given = [*VALUES[type_], None]
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("given", pa.table({"value": pa.array(given, type_.arrow)}))
        found = connection.sql(f"SELECT {body} AS masked FROM given").to_arrow_table()
    wanted = [None if value is None else EXPECTED[kind](value, type_) for value in given]
    assert found["masked"].to_pylist() == wanted
    assert VALUE in body or kind == "replace-with-null"


def test_a_decimal_without_room_and_a_mask_of_another_type_are_not_said() -> None:
    with pytest.raises(Unsaid, match="digits"):
        masked(ColumnType(Family.DECIMAL, precision=38, scale=2), Mask("generalise", Decimal(1)))
    with pytest.raises(Unsaid, match="does not mask"):
        masked(ColumnType(Family.BOOLEAN), Mask("show-last-4"))


def test_values_of_conditions_are_of_the_columns_types() -> None:
    types = {
        "narrow": ColumnType(Family.FLOAT, 32),
        "text": ColumnType(Family.STRING),
        "at": ColumnType(Family.TIMESTAMP_TZ),
        "yes": ColumnType(Family.BOOLEAN),
    }
    for text, said in (
        ("narrow = 0.1", """("narrow" = CAST('0.10000000149011612' AS FLOAT))"""),
        ("text = 'it''s'", """("text" = CAST('it''s' AS VARCHAR))"""),
        (r"text = 'a\b'", r"""("text" = CAST('a\\b' AS VARCHAR))"""),
        ("at < '2024-01-01 00:00:00+00:00'",
         """("at" < CAST('2024-01-01 00:00:00+00:00' AS TIMESTAMP_TZ(6)))"""),
        ("yes = true", """("yes" = TRUE)"""),
        ("NOT text LIKE 'a%'", """(NOT (STARTSWITH("text", 'a')))"""),
        ("text IN ('a', 'b') AND text IS NOT NULL",
         """(("text" IN (CAST('a' AS VARCHAR), CAST('b' AS VARCHAR))) AND (NOT ("text" IS NULL)))"""),
    ):  # fmt: skip
        row = parse_condition(text, types)
        assert condition_sql(row.condition, row.types) == said


@cache
def values_contract() -> Contract:
    types = {field.name: column_type(field.type) for field in SCHEMA}
    return contract(*((name, type_) for name, type_ in types.items() if type_), name="values")


@pytest.mark.parametrize(
    ("first", "last"),
    [(0, 15), *(pytest.param(n, n + 37, marks=pytest.mark.slow) for n in range(15, 200, 37))],
)
def test_the_same_terms_show_the_same_rows_as_through_the_door(first: int, last: int) -> None:
    """The agreements of `tests/access/test_equivalence.py`, whose rows both embedded stores show."""
    made = values_contract()
    types = {column.name: column.type for column in made.columns}
    said = 0
    for number in range(first, last):
        given, text = terms(number, types)
        share = Share(made, Consumer("marketing"), "care", "a", ("r",), given)
        snowflake = Governance()
        snowflake.publish(made.key, pa.Table.from_pylist(ROWS, SCHEMA))
        try:
            items = list(items_of(share, SCHEMA.names))
        except Unsayable as problem:
            assert all(
                unsaid(given.masks[one.column].kind, types[one.column]) for one in problem.said
            )
            continue
        for item in items:
            snowflake.execute(item.make)
        assert items[-1].kind == GRANT
        view = ("for marketing", f"{made.key.replace('/', '.')}.care")
        assert by_id(rows(snowflake, view)) == by_id(expected(given, text, types))
        said += 1
    assert said > 2
