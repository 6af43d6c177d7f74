"""Every row and every sum of the example can be traced from the landing zone to the source.

On the full data: slow. Counted by DuckDB over the package's own files, not by the code under test.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import duckdb
import polars as pl
import pytest

from domains.customer.products.order_history.product import order_history
from domains.order.products.baskets.product import baskets
from domains.recommendation.products.household_recommendations.product import (
    household_recommendations,
)
from domains.source_systems.__main__ import land
from shared_resources.contracts.model import Rule, Unit
from shared_resources.landing.zones.folder import FolderLandingZone
from tests.domains.products import audited, audited_file, contract_of, refused_by, source_connection

# What lands is written once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("all that landed")]

SALES = Decimal("4596039.58")


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("landing")
    land(FolderLandingZone(root))
    return root


@pytest.fixture(scope="module")
def source() -> duckdb.DuckDBPyConnection:
    return source_connection()


LANDED = {
    "customer/households": ("demographics", "read_csv('{}/*.csv', all_varchar = true)"),
    "product/catalog": ("products", "read_csv('{}/*.csv', all_varchar = true)"),
    "order/transactions": ("transactions", "read_parquet('{}/*.parquet')"),
    "marketing/campaigns": ("campaign_descriptions", "read_parquet('{}/*.parquet')"),
    "marketing/campaign_households": ("campaigns", "read_parquet('{}/*.parquet')"),
    "marketing/promotions": ("promotions", "read_parquet('{}/*.parquet')"),
    "marketing/coupons": ("coupons", "read_json('{}/*.jsonl')"),
    "marketing/redemptions": ("coupon_redemptions", "read_json('{}/*.jsonl')"),
}


@pytest.mark.parametrize("key", LANDED)
def test_what_landed_is_the_source_row_for_row(key: str, landing: Path, source):
    """The same bag of rows, compared by count and by an order-free checksum of every column."""
    table, reader = LANDED[key]
    columns = source.execute(f"SELECT * FROM {table} LIMIT 0").description
    landed = reader.format(landing / key)
    names = [name for name, *_ in source.execute(f"SELECT * FROM {landed} LIMIT 0").description]
    assert (
        names
        == [name for name, *_ in columns]
        == [column.landed_as or column.name for column in contract_of(key).columns]
    )

    def checksum(relation: str) -> tuple:
        values = ", ".join(f"sum(hash({as_text(name)}))" for name, *_ in columns)
        row = ", ".join(as_text(name) for name, *_ in columns)
        return source.execute(
            f"SELECT count(*), {values}, sum(hash({row})) FROM {relation}"
        ).fetchone()

    assert checksum(landed) == checksum(table)


def as_text(name: str) -> str:
    """The column as the same text in every format; dates without their time of day."""
    if name.endswith("_date"):
        return f"CAST(CAST({name} AS DATE) AS VARCHAR)"
    if name.endswith("_timestamp"):
        return f"CAST(CAST({name} AS TIMESTAMP) AS VARCHAR)"
    return f"CAST({name} AS VARCHAR)"


def test_transactions_are_one_object_a_day_of_its_own_rows(landing: Path, source):
    objects = sorted((landing / "order/transactions").iterdir())
    assert len(objects) == 365
    days = source.execute(
        "SELECT DISTINCT strftime(transaction_timestamp, '%Y-%m-%d') FROM transactions ORDER BY 1"
    ).fetchall()
    assert [path.stem for path in objects] == [day for (day,) in days]
    assert "2017-12-25" not in {path.stem for path in objects}, "the stores were shut"
    files = f"read_parquet('{landing}/order/transactions/*.parquet', filename = true)"
    day = "strftime(transaction_timestamp, '%Y-%m-%d')"
    strays = source.execute(
        f"SELECT count(*) FROM {files} WHERE filename NOT LIKE '%/' || {day} || '.parquet'"
    ).fetchone()
    assert strays == (0,)


def test_contacts_are_one_for_each_household_that_bought(landing: Path, source):
    contacts = pl.read_parquet(landing / "customer/contacts/*.parquet")
    bought = source.execute("SELECT DISTINCT household_id FROM transactions ORDER BY 1").fetchall()
    assert contacts["household_id"].to_list() == [household for (household,) in bought]
    assert contacts.height == 2469


def test_the_facts_that_the_contracts_state(source):
    facts = source.execute(
        """SELECT count(*), count(*) FILTER (WHERE quantity <= 0),
             count(*) FILTER (WHERE sales_value = 0),
             count(*) FILTER (WHERE product_id NOT IN (SELECT product_id FROM products)),
             count(*) FILTER (WHERE household_id NOT IN (SELECT household_id FROM demographics)),
             count(*) FILTER (WHERE coupon_match_disc > coupon_disc),
             sum(CAST(sales_value AS DECIMAL(12, 2)))
           FROM transactions"""
    ).fetchone()
    assert facts == (1_469_307, 8_869, 11_226, 4_836, 640_457, 4, SALES)
    copies = "SELECT count(*) AS n FROM coupons GROUP BY coupon_upc, product_id, campaign_id"
    assert source.execute(
        f"SELECT count(*), count(*) FILTER (WHERE n > 1), sum(n - 1), max(n) FROM ({copies})"
    ).fetchone() == (111_332, 1_623, 4_872, 19)
    repeated = "SELECT count(*) AS n FROM promotions GROUP BY product_id, store_id, week"
    assert source.execute(
        f"SELECT sum(n), count(*) FILTER (WHERE n > 1) FROM ({repeated})"
    ).fetchone() == (20_940_529, 12_785)


def test_tolerances_of_transactions_hold_on_every_day(source):
    """What is tolerable for a year need not be for a day, and each day is published by itself."""
    contract = contract_of("order/transactions")
    tolerant = [r for r in contract.rules if r.threshold.unit is Unit.PERCENT]
    assert {r.name for r in tolerant} >= {"quantity_positive", "relationship_product_id"}
    days = "GROUP BY CAST(transaction_timestamp AS DATE)"
    for rule in tolerant:
        counts = f"count(*), count(*) FILTER (WHERE {failing_rows(rule)})"
        failing = source.execute(f"SELECT {counts} FROM transactions {days}").fetchall()
        assert len(failing) == 365
        broken = [(rows, bad) for rows, bad in failing if not rule.threshold.holds(bad, rows)]
        assert not broken, f"{rule.name} does not hold on {len(broken)} days"
        worst = max(bad / rows for rows, bad in failing)
        # A tolerance far above the worst day would notice nothing.
        assert rule.threshold.bounds[0] < 100 * worst * 2.5 or rule.threshold.bounds[0] < 70


def failing_rows(rule: Rule) -> str:
    column = rule.columns[0]
    match rule.kind:
        case "relationship":
            table = {"customer/households": "demographics", "product/catalog": "products"}
            target = table[rule.arguments["product"]]
            return f"{column} NOT IN (SELECT {rule.arguments['columns'][0]} FROM {target})"
        case "invalid_values" if "minimum" in rule.arguments:
            return f"{column} < {rule.arguments['minimum']}"
        case "invalid_values":
            return f"{column} <= {rule.arguments['exclusiveMinimum']}"
    raise AssertionError(f"no test knows the tolerant rule {rule.name}")


@pytest.mark.parametrize("day", ["2017-01-01", "2017-11-24", "2017-12-23", "2018-01-01"])
def test_the_first_the_smallest_the_largest_and_the_last_day_pass_the_audit(
    day: str, landing: Path
):
    report = audited_file("order/transactions", landing / f"order/transactions/{day}.parquet")
    assert refused_by(report) == set()


def test_promotions_pass_the_audit(landing: Path):
    (file,) = (landing / "marketing/promotions").iterdir()
    report = audited_file("marketing/promotions", file)
    assert refused_by(report) == set()
    assert report.rows == 20_940_529
    results = {result.rule.name: result.measured for result in report.results}
    assert results["promoted_once_a_store_and_week"] == 25_570


def test_baskets_and_histories_add_up_to_the_lines(landing: Path, tmp_path: Path):
    lines = pl.scan_parquet(landing / "order/transactions/*.parquet")
    receipts, households = baskets(lines).collect(), order_history(lines).collect()
    assert (receipts.height, households.height) == (155_848, 2_469)
    for frame in (receipts, households):
        assert frame["line_count"].sum() == 1_469_307
        assert frame["sales_value"].sum() == SALES
        assert frame["retail_disc"].sum() == Decimal("791650.64")
        assert frame["coupon_disc"].sum() == Decimal("26359.90")
        assert frame["coupon_match_disc"].sum() == Decimal("4542.65")
    assert receipts["quantity"].sum() == 152_923_108
    assert households["basket_count"].sum() == receipts.height
    assert refused_by(audited("customer/order_history", households, tmp_path)) == set()


def test_every_day_of_baskets_passes_the_audit_by_itself(landing: Path, tmp_path: Path):
    for day in ("2017-01-01", "2017-11-24", "2017-12-23", "2018-01-01"):
        lines = pl.scan_parquet(landing / f"order/transactions/{day}.parquet")
        made = baskets(lines).collect()
        assert refused_by(audited("order/baskets", made, tmp_path / day)) == set()


def test_the_real_model_beats_the_baseline(landing: Path, tmp_path: Path):
    made = household_recommendations(
        pl.scan_parquet(landing / "order/transactions/*.parquet"),
        pl.scan_csv(landing / "product/catalog/*.csv", infer_schema_length=None),
    )
    key = "recommendation/household_recommendations"
    assert refused_by(audited(key, made.frame, tmp_path)) == set()
    assert made.frame.height == 10 * 2469
    assert made.metadata["evaluated_households"] == 1990
    assert made.metadata["hit_rate_at_10"] > 0.8 > 0.6 > made.metadata["baseline_hit_rate_at_10"]
    assert made.metadata["recall_at_10"] > 3 * made.metadata["baseline_recall_at_10"]
