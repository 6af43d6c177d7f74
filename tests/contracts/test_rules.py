"""A contract compiles into its rules: implied and declared, in one order, each with its name."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from shared_resources.contracts.file_formats import CSV
from shared_resources.contracts.model import (
    Landing,
    LandingMode,
    Operator,
    Partitioning,
    Server,
    Severity,
    Threshold,
    Unit,
)
from shared_resources.contracts.odcs import read_contract
from shared_resources.contracts.types import ColumnType, Family
from tests.contracts.reading import RICH, column_contract, read, rich, rule

CONTRACT = read_contract(RICH)


def test_the_rules_stand_in_a_stable_order_with_their_names() -> None:
    assert [found.name for found in CONTRACT.rules] == [
        "columns", "parse", "not_empty",
        "required_line_id", "range_line_id", "multiple_of_line_id",
        "required_sold_at", "range_sold_at",
        "unique_product_id", "pattern_product_id", "format_product_id",
        "length_product_id", "relationship_product_id",
        "enumeration_state", "state_known", "state_null_values", "state_missing_values",
        "state_duplicate_values", "state_null_values_2", "state_sql",
        "range_price", "multiple_of_price",
        "range_paid_on",
        "primary_key", "partition",
        "enough_rows", "product_id_state_duplicate_values", "no_future", "adds_up",
        "relationship_product_id_state",
    ]  # fmt: skip


def test_every_rule_says_where_it_stands() -> None:
    lines = rich().splitlines()
    for found in CONTRACT.rules:
        assert found.line
        assert found.clause
    known = rule(CONTRACT, "state_known")
    assert known.clause == "schema.lines.properties.state.quality[0]"
    assert "state_known" in lines[known.line - 1]
    assert "exclusiveMaximum" in lines[rule(CONTRACT, "range_line_id").line - 1]


def test_the_fields_of_a_contract_are_read() -> None:
    assert (CONTRACT.key, CONTRACT.version, CONTRACT.status) == (
        "order/lines", "1.2.3-rc.1+build.5", "active",
    )  # fmt: skip
    assert CONTRACT.owner == "orders@example.com"
    assert CONTRACT.servers == (Server.LAKE, Server.WAREHOUSE)
    assert CONTRACT.tags == ("sales", "retail", "sold")
    assert CONTRACT.description.startswith("What was sold, line by line.\n\nUsage: Count baskets.")
    assert CONTRACT.freshness == timedelta(days=2)
    assert CONTRACT.retention == timedelta(days=3 * 365)
    assert CONTRACT.quarantine_retention == timedelta(days=30)
    assert CONTRACT.loss_budget_percent == 5
    assert not CONTRACT.allow_empty
    assert CONTRACT.primary_key == ("line_id", "sold_at")
    assert CONTRACT.partitioning == Partitioning("sold_at", date(2017, 1, 1), date(2018, 1, 2))
    assert CONTRACT.landing == Landing(
        prefix="order/lines", format=CSV, object_name="{partition}.csv",
        mode=LandingMode.PARTITION, encoding="utf-8", delimiter=";", null_text="NULL",
        line=CONTRACT.landing.line if CONTRACT.landing else 0,
    )  # fmt: skip


def test_the_types_of_the_columns() -> None:
    assert {column.name: column.type for column in CONTRACT.columns} == {
        "line_id": ColumnType(Family.INTEGER),
        "sold_at": ColumnType(Family.TIMESTAMP_TZ),
        "product_id": ColumnType(Family.STRING),
        "state": ColumnType(Family.STRING),
        "price": ColumnType(Family.DECIMAL, precision=12, scale=2),
        "weight": ColumnType(Family.FLOAT, width=32),
        "returned": ColumnType(Family.BOOLEAN),
        "paid_on": ColumnType(Family.DATE),
    }


def test_arguments_are_values_of_the_columns_type() -> None:
    assert rule(CONTRACT, "range_sold_at").arguments == {
        "minimum": datetime(2017, 1, 1, tzinfo=UTC),
        "exclusiveMinimum": datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC),
    }
    assert rule(CONTRACT, "range_price").arguments == {
        "minimum": Decimal(0), "maximum": Decimal("9999.99"),
    }  # fmt: skip
    assert rule(CONTRACT, "multiple_of_price").arguments == {"multipleOf": Decimal("0.01")}
    assert rule(CONTRACT, "state_missing_values").arguments == {"missingValues": ["", "N/A"]}


def test_the_n_of_varchar_is_a_length_and_the_shorter_one_counts() -> None:
    assert rule(CONTRACT, "length_product_id").arguments == {"minLength": 1, "maxLength": 12}


def test_thresholds_severities_and_reasons() -> None:
    known = rule(CONTRACT, "state_known")
    assert known.threshold == Threshold(Operator.LESS_THAN, (1,), Unit.PERCENT)
    assert known.severity is Severity.BLOCKING
    assert known.reason == "Tills that are old send their own words."
    assert known.dimension == "accuracy"
    related = rule(CONTRACT, "relationship_product_id")
    assert related.threshold == Threshold(Operator.LESS_OR_EQUAL, (0.5,), Unit.PERCENT)
    assert (related.severity, related.reason) == (Severity.WARNING, "The catalog lacks some.")
    assert rule(CONTRACT, "enough_rows").severity is Severity.WARNING
    assert rule(CONTRACT, "state_duplicate_values").severity is Severity.WARNING


def test_relationships_name_the_product_and_its_columns() -> None:
    both = rule(CONTRACT, "relationship_product_id_state")
    assert both.columns == ("product_id", "state")
    assert both.arguments == {"product": "product/catalog", "columns": ["product_id", "state"]}


def test_a_query_is_about_the_batch_and_its_column() -> None:
    assert rule(CONTRACT, "state_sql").arguments == {"query": 'SELECT count("state") FROM batch'}


@pytest.mark.parametrize(
    ("operator", "bounds"),
    [(operator.value, 3) for operator in Operator if "etween" not in operator.value]
    + [("mustBeBetween", [1, 3]), ("mustNotBeBetween", [1, 3])],
)
@pytest.mark.parametrize("unit", ["rows", "percent"])
def test_every_operator_with_both_units(operator: str, bounds: object, unit: str) -> None:
    quality = f"{{metric: nullValues, {operator}: {bounds}, unit: {unit}}}"
    contract = read(column_contract(f"{{logicalType: string, quality: [{quality}]}}"))
    expected = tuple(bounds) if isinstance(bounds, list) else (bounds,)
    threshold = rule(contract, "x_null_values").threshold
    assert threshold == Threshold(Operator(operator), expected, Unit(unit))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ("{minimum: 0.5}", {"minimum": 1}),
        ("{exclusiveMinimum: 0.5}", {"exclusiveMinimum": 0}),
        ("{maximum: 2.5}", {"maximum": 2}),
        ("{exclusiveMaximum: 2.5}", {"exclusiveMaximum": 3}),
        ("{minimum: -0.5}", {"minimum": 0}),
    ],
)
def test_a_bound_between_two_whole_numbers_moves_to_the_one_of_the_same_meaning(
    options: str, wanted: dict[str, int]
) -> None:
    contract = read(column_contract(f"{{logicalType: integer, logicalTypeOptions: {options}}}"))
    assert rule(contract, "range_x").arguments == wanted


def test_the_only_key_column_is_unique_by_its_primary_key() -> None:
    contract = read(column_contract("{logicalType: string, primaryKey: true, unique: true}"))
    assert [found.name for found in contract.rules] == [
        "columns", "not_empty", "required_x", "primary_key",
    ]  # fmt: skip


def test_an_empty_batch_may_be_allowed() -> None:
    text = column_contract(
        "{logicalType: string}", extra="{property: allowEmpty, value: true, vendor: mesh}"
    )
    contract = read(text)
    assert contract.allow_empty
    assert [found.name for found in contract.rules] == ["columns"]


def test_rules_of_another_engine_and_prose_are_no_rules() -> None:
    kinds = {found.clause for found in CONTRACT.rules if "state.quality" in found.clause}
    assert "schema.lines.properties.state.quality[5]" not in kinds
    assert "schema.lines.properties.state.quality[7]" not in kinds


@pytest.mark.parametrize(
    ("declared", "type_"),
    [
        ("logicalType: integer", "BIGINT"),
        ("logicalType: integer, physicalType: int", "INTEGER"),
        ("logicalType: integer, logicalTypeOptions: {format: i32}", "INTEGER"),
        ("logicalType: number", "DOUBLE"),
        ("logicalType: number, physicalType: 'double precision'", "DOUBLE"),
        ("logicalType: number, physicalType: REAL", "FLOAT"),
        ("logicalType: number, physicalType: 'numeric(10, 0)'", "DECIMAL(10,0)"),
        ("logicalType: string, physicalType: text", "VARCHAR"),
        ("logicalType: boolean, physicalType: BOOL", "BOOLEAN"),
        ("logicalType: date", "DATE"),
        ("logicalType: timestamp", "TIMESTAMP"),
        ("logicalType: timestamp, physicalType: TIMESTAMP_NTZ", "TIMESTAMP"),
        ("logicalType: timestamp, physicalType: TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE"),
        (
            "logicalType: timestamp, physicalType: 'timestamp  with time zone'",
            "TIMESTAMP WITH TIME ZONE",
        ),
        (
            "logicalType: timestamp, logicalTypeOptions: {timezone: true}",
            "TIMESTAMP WITH TIME ZONE",
        ),
    ],
)
def test_logical_and_physical_types(declared: str, type_: str) -> None:
    assert str(read(column_contract(f"{{{declared}}}")).columns[0].type) == type_


def test_every_example_contract_can_be_read() -> None:
    domains = Path(__file__).parents[2] / "domains"
    for path in domains.glob("*/products/*/contract.odcs.yaml"):
        assert read_contract(path).key == f"{path.parts[-4]}/{path.parts[-2]}"
