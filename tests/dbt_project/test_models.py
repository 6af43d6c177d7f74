"""The example's dbt models: what they compute, from small inputs with every kind of row."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.contracts.model import Contract
from shared_resources.contracts.odcs import read_contract
from shared_resources.data_products.dbt.model import DbtModels, DbtOutcome
from shared_resources.environment import PROJECT_ROOT
from tests.data_products.dbt_toy import ParquetSnapshot

Rows = list[dict[str, Any]]


def contract_of(product: str) -> Contract:
    domain, name = product.split("/")
    return read_contract(
        PROJECT_ROOT / "domains" / domain / "products" / name / "contract.odcs.yaml"
    )


def build(
    models: DbtModels, product: str, given: Mapping[str, Rows], tmp_path: Path
) -> tuple[Rows, DbtOutcome]:
    """Run the model on rows that name only the columns that matter; the others are null."""
    assert set(given) == set(models.inputs(product))
    inputs = {}
    for key, rows in given.items():
        columns = contract_of(key).columns
        unknown = {name for row in rows for name in row} - {column.name for column in columns}
        assert not unknown
        schema = pa.schema([pa.field(column.name, column.type.arrow) for column in columns])
        file = tmp_path / f"{key.replace('/', '.')}.parquet"
        pq.write_table(pa.Table.from_pylist(rows, schema=schema), file)
        inputs[key] = ParquetSnapshot(key, file)
    contract = contract_of(product)
    outcome = models.build(contract, inputs, tmp_path / "staged", "run-1")
    made = pa.concat_tables([pq.read_table(file.path) for file in outcome.files])
    assert made.schema.names == [column.name for column in contract.columns]
    assert made.schema.types == [column.type.arrow for column in contract.columns]
    return made.to_pylist(), outcome


def failed(outcome: DbtOutcome) -> set[str]:
    return {result.name for result in outcome.tests if not result.passed}


def line(at: datetime, store: int, basket: int, household: int, product: int, **amounts: Any):
    return {
        "transaction_timestamp": at,
        "store_id": store,
        "basket_id": basket,
        "household_id": household,
        "product_id": product,
        "quantity": 1,
        "sales_value": 0.0,
        "retail_disc": 0.0,
        "coupon_disc": 0.0,
        "coupon_match_disc": 0.0,
    } | amounts


def test_daily_sales_adds_up_each_day_and_store(models: DbtModels, tmp_path: Path):
    late, midnight = datetime(2017, 3, 1, 23, 59, 59, 999999), datetime(2017, 3, 2)
    transactions = [
        # Ten cents ten times, which as floats is 0.9999999999999999.
        *(line(late, 1, 10, 7, product, sales_value=0.1, quantity=2) for product in range(10)),
        line(late, 1, 11, 7, 1, sales_value=2.5, retail_disc=0.5, coupon_disc=0.25),
        line(late, 2, 12, 8, 1, coupon_match_disc=0.05, quantity=0),
        line(midnight, 1, 13, 7, 1, sales_value=1.0),
    ]
    rows, outcome = build(
        models, "order/daily_sales", {"order/transactions": transactions}, tmp_path
    )
    first, second, third = rows
    assert first == {
        "sales_date": date(2017, 3, 1),
        "store_id": 1,
        "basket_count": 2,
        "household_count": 1,
        "line_count": 11,
        "quantity": 21,
        "sales_value": Decimal("3.50"),
        "retail_disc": Decimal("0.50"),
        "coupon_disc": Decimal("0.25"),
        "coupon_match_disc": Decimal("0.00"),
    }
    assert (second["sales_date"], second["store_id"], second["quantity"]) == (
        date(2017, 3, 1),
        2,
        0,
    )
    assert (third["sales_date"], third["line_count"]) == (date(2017, 3, 2), 1)
    assert failed(outcome) == set()
    assert outcome.column_lineage["sales_date"] == [("order/transactions", "transaction_timestamp")]


def history(household: int) -> dict[str, Any]:
    return {
        "household_id": household,
        "first_purchase_at": datetime(2017, 1, 2, 3),
        "last_purchase_at": datetime(2017, 5, 6, 7),
        "basket_count": 3,
        "sales_value": Decimal("10.00"),
        "retail_disc": Decimal("1.01"),
        "coupon_disc": Decimal("0.20"),
        "coupon_match_disc": Decimal("0.03"),
        "favourite_store_id": 5,
    }


def test_customer_360_has_every_household_that_bought_once(models: DbtModels, tmp_path: Path):
    given: dict[str, Rows] = {
        "customer/order_history": [history(1), history(2)],
        "customer/households": [
            {"household_id": 1, "age": "65+", "marital_status": "Married"},
            {"household_id": 9, "age": "19-24"},  # answered, never bought
        ],
        "marketing/campaign_households": [
            {"campaign_id": campaign, "household_id": 1} for campaign in (1, 2, 3)
        ],
        "marketing/redemptions": [
            {"household_id": 1, "coupon_upc": 5, "campaign_id": 1},
            {"household_id": 1, "coupon_upc": 6, "campaign_id": 1},
        ],
    }
    (first, second), outcome = build(models, "customer/customer_360", given, tmp_path)
    assert (first["household_id"], first["has_demographics"], first["age"]) == (1, True, "65+")
    assert (first["campaigns_received"], first["coupons_redeemed"]) == (3, 2)
    assert first["discount_value"] == Decimal("1.24")
    assert (second["household_id"], second["has_demographics"], second["age"]) == (2, False, None)
    assert (second["campaigns_received"], second["coupons_redeemed"]) == (0, 0)
    assert failed(outcome) == set()
    assert outcome.column_lineage["discount_value"] == [
        ("customer/order_history", "coupon_disc"),
        ("customer/order_history", "coupon_match_disc"),
        ("customer/order_history", "retail_disc"),
    ]


@pytest.mark.slow
def test_customer_360_notices_what_its_joins_lose(models: DbtModels, tmp_path: Path):
    given: dict[str, Rows] = {
        "customer/order_history": [history(1)],
        "customer/households": [{"household_id": 1, "age": "65+", "marital_status": "Widowed"}],
        "marketing/campaign_households": [{"campaign_id": 1, "household_id": 2}],  # never bought
        "marketing/redemptions": [],
    }
    _, outcome = build(models, "customer/customer_360", given, tmp_path)
    assert failed(outcome) == {
        "dbt_customer_360_counts_every_campaign_and_coupon",
        "dbt_accepted_values_marital_status",
    }
    assert [result.rule.name for result in outcome.results if result.refuses] == [
        "dbt_customer_360_counts_every_campaign_and_coupon"
    ]


@pytest.mark.slow
def test_campaign_performance_has_every_campaign_once(models: DbtModels, tmp_path: Path):
    def basket(number: int, household: int, at: datetime, value: str) -> dict[str, Any]:
        return {
            "basket_id": number,
            "household_id": household,
            "transaction_timestamp": at,
            "sales_value": Decimal(value),
        }

    given: dict[str, Rows] = {
        "marketing/campaigns_v1": [
            {
                "campaign_id": campaign,
                "campaign_type": "Type B",
                "start_date": date(2017, 3, 1),
                "end_date": date(2017, 3, 31),
            }
            for campaign in (1, 2)
        ],
        "marketing/campaign_households": [
            {"campaign_id": campaign, "household_id": household}
            for campaign, household in ((1, 1), (1, 2), (1, 3), (2, 4))
        ],
        "marketing/coupons": [
            {"coupon_upc": 5, "product_id": 50, "campaign_id": 1},
            {"coupon_upc": 5, "product_id": 51, "campaign_id": 1},
            {"coupon_upc": 6, "product_id": 50, "campaign_id": 1},
            {"coupon_upc": 5, "product_id": 50, "campaign_id": 2},
        ],
        "marketing/redemptions": [
            {"household_id": 1, "coupon_upc": 5, "campaign_id": 1, "redemption_date": day}
            for day in (date(2017, 3, 2), date(2017, 3, 3))
        ],
        "order/baskets": [
            basket(1, 1, datetime(2017, 2, 28, 23, 59), "100"),  # the day before
            basket(2, 1, datetime(2017, 3, 1), "1.10"),
            basket(3, 2, datetime(2017, 3, 31, 23, 59), "2.20"),
            basket(4, 2, datetime(2017, 4, 1), "100"),  # the day after
            basket(5, 9, datetime(2017, 3, 5), "100"),  # not targeted
        ],
    }
    (first, second), outcome = build(models, "marketing/campaign_performance", given, tmp_path)
    assert (first["households_targeted"], first["households_redeeming"]) == (3, 1)
    assert (first["coupons_offered"], first["products_offered"], first["redemptions"]) == (2, 2, 2)
    assert first["redemption_rate_percent"] == pytest.approx(100 / 3)
    assert first["targeted_sales_value"] == Decimal("3.30")
    assert (second["campaign_id"], second["redemptions"]) == (2, 0)
    assert (second["redemption_rate_percent"], second["targeted_sales_value"]) == (0, 0)
    assert failed(outcome) == set()
