"""Read restrictions: Iceberg's actions by the numbers of a real table, and filters that mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from pyiceberg.expressions import (
    And,
    EqualTo,
    GreaterThan,
    GreaterThanOrEqual,
    In,
    IsNull,
    LessThan,
    LessThanOrEqual,
    NotEqualTo,
    NotIn,
    NotNull,
    NotStartsWith,
    Or,
    StartsWith,
)  # fmt: skip
from pyiceberg.expressions.visitors import expression_evaluator

from shared_resources.contracts.compiling.iceberg_schema import iceberg_schema
from shared_resources.contracts.roles.conditions import parse_condition
from shared_resources.contracts.types import ColumnType, Family
from shared_resources.engines.read_restrictions import _json, _true, restrictions_of
from shared_resources.engines.shares import shares_of
from shared_resources.mesh import read_mesh
from tests.access.test_door import PEOPLE, PURPOSES, agree, people_contract
from tests.access.test_equivalence import CONDITIONS, ROWS, SCHEMA
from tests.engines.cloud_warehouse.test_masks import values_contract
from tests.tiny_mesh import TinyMesh

ROLES = {
    "standard": {
        "columns": ["id", "email", "born", "region"],
        "masks": {"email": "show-last-4", "born": "truncate-to-year"},
        "rows": "region = 'north' OR NOT region IN ('south', 'east')",
    },
    "ours": {"columns": ["id", "email"], "masks": {"email": "keyed-hash"}},
    "whole": {},
}


@pytest.fixture
def people(mesh: TinyMesh) -> Iterator[TinyMesh]:
    mesh.central(purposes=PURPOSES)
    mesh.product("crm/people", people_contract("lake", roles=ROLES))
    mesh.domain("marketing")
    yield mesh


def exported(mesh: TinyMesh) -> tuple[list[dict[str, Any]], Any]:
    shares = shares_of(read_mesh(mesh.root), datetime.now(UTC))
    return restrictions_of(mesh.environment, shares.given)


def test_an_agreement_as_a_catalog_would_answer_its_reader(people: TinyMesh) -> None:
    agree(people, "marketing", "standard", ends=datetime(2099, 1, 1, tzinfo=UTC))
    agree(people, "finance", "ours")
    agree(people, "sales", "whole")
    said, unsaid = exported(people)
    assert not said
    assert "not published" in unsaid[0].why
    people.land("crm/people/people.parquet", PEOPLE)
    assert people.run("crm/people").success

    said, unsaid = exported(people)

    restricted = {one["principal"]: one for one in said}
    assert restricted["sales"]["read-restrictions"] == {}
    one = restricted["marketing"]
    assert (one["namespace"], one["table"], one["until"]) == (
        ["crm"],
        "people",
        "2099-01-01T00:00:00Z",
    )
    assert one["read-restrictions"]["required-column-projections"] == [
        {"field-id": 2, "action": "show-last-4"},
        {"field-id": 3, "action": "truncate-to-year"},
        {"field-id": 5, "action": "replace-with-null"},
    ]
    north = {"type": "eq", "term": "region", "value": "north"}
    not_null = {"type": "not-null", "term": "region"}
    others = {"type": "not-in", "term": "region", "values": ["south", "east"]}
    assert one["read-restrictions"]["required-row-filter"] == {
        "type": "or",
        "left": {"type": "and", "left": not_null, "right": north},
        "right": {"type": "and", "left": not_null, "right": others},
    }
    (ours,) = unsaid
    assert (ours.consumer, ours.column) == ("finance", "email")
    json.dumps(said)


def test_values_are_written_as_iceberg_writes_single_values() -> None:
    text = ColumnType(Family.STRING)
    assert _json(Decimal("1"), ColumnType(Family.DECIMAL, precision=10, scale=2)) == "1.00"
    assert _json(date(2024, 1, 2), text) == "2024-01-02"
    assert _json(datetime(2024, 1, 2), text) == "2024-01-02T00:00:00.000000"
    assert _json(datetime(2024, 1, 2, tzinfo=UTC), text) == "2024-01-02T00:00:00.000000+00:00"
    assert [_json(value, text) for value in (True, 3, 0.5, "a")] == [True, 3, 0.5, "a"]


WORDS: Mapping[str, Any] = {
    "eq": EqualTo, "not-eq": NotEqualTo, "lt": LessThan, "lt-eq": LessThanOrEqual, "gt": GreaterThan,
    "gt-eq": GreaterThanOrEqual, "in": In, "not-in": NotIn, "is-null": IsNull, "not-null": NotNull,
    "starts-with": StartsWith, "not-starts-with": NotStartsWith, "and": And, "or": Or,
}  # fmt: skip


def parsed(said: Mapping[str, Any]) -> Any:
    """The expression as pyiceberg's own."""
    word = WORDS[said["type"]]
    if "left" in said:
        return word(parsed(said["left"]), parsed(said["right"]))
    given = [said[name] for name in ("value", "values") if name in said]
    return word(said["term"], *given)


@pytest.mark.parametrize("text", [one for one in CONDITIONS if one])
@pytest.mark.parametrize("negated", [False, True])
def test_a_filter_lets_the_same_rows_through_as_the_condition(text: str, negated: bool) -> None:
    """As pyiceberg evaluates it, row by row; a row for which a condition is null is in neither."""
    contract = values_contract()
    types = {column.name: column.type for column in contract.columns}
    condition = parse_condition(f"NOT ({text})" if negated else text, types)
    schema = iceberg_schema(contract)
    expression = parsed(_true(condition.condition, types))
    evaluate = expression_evaluator(schema, expression, case_sensitive=True)
    with duckdb.connect() as connection:
        connection.register("given", pa.Table.from_pylist(ROWS, SCHEMA))
        shown = connection.sql(f"SELECT id FROM given WHERE {condition.text}").fetchall()
    assert [row["id"] for row in ROWS if evaluate(_Row(row, schema))] == sorted(n for (n,) in shown)


class _Row:
    """A row as pyiceberg's evaluator reads one: values by place, in its own numbers."""

    def __init__(self, row: dict[str, Any], schema: Any) -> None:
        self._values = [_plain(row[field.name]) for field in schema.fields]

    def __getitem__(self, place: int) -> Any:
        return self._values[place]


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return int((value - datetime(1970, 1, 1)).total_seconds() * 1_000_000)
        case date():
            return (value - date(1970, 1, 1)).days
        case _:
            return value
