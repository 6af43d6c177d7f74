"""Every model on both engines from the same inputs: the same rows, types, test results, lineage."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shared_resources.data_products.dbt.model import DbtModels, DbtOutcome
from shared_resources.environment import PROJECT_ROOT
from shared_resources.wiring import ProductionEnvironment, current
from tests.data_products.dbt_toy import ParquetSnapshot
from tests.dbt_project.real_inputs import pinned, real_inputs
from tests.domains.products import contract_of
from tests.stand_ins import StandIns
from tests.stand_ins.servers import environment

# Both engines and their projects are made once.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("both adapters")]
PRODUCTS = sorted(
    f"{model.parent.name}/{model.stem}"
    for model in (PROJECT_ROOT / "dbt_project").glob("models/*/*.sql")
)
HOUSEHOLDS = 12


@dataclass(frozen=True)
class Engines:
    duckdb: DbtModels
    snowflake: DbtModels

    def build(
        self, product: str, inputs: dict[str, ParquetSnapshot], folder: Path
    ) -> tuple[DbtOutcome, DbtOutcome]:
        contract = contract_of(product)
        wanted = {key: inputs[key] for key in self.duckdb.inputs(product)}
        assert self.snowflake.inputs(product) == self.duckdb.inputs(product)
        assert self.snowflake.tests(product) == self.duckdb.tests(product)
        return (
            self.duckdb.build(contract, wanted, folder / "duckdb", "run-1"),
            self.snowflake.build(contract, wanted, folder / "snowflake", "run-1"),
        )


@pytest.fixture(scope="module")
def engines(
    models: DbtModels, stand_ins: StandIns, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engines]:
    home = tmp_path_factory.mktemp("production")
    with environment({**stand_ins.fresh(), "MESH_HOME": str(home)}):
        production = current()
        assert isinstance(production, ProductionEnvironment)
        yield Engines(models, DbtModels(production))


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return real_inputs(HOUSEHOLDS)


def rows_of(outcome: DbtOutcome) -> pa.Table:
    made = pa.concat_tables([pq.read_table(file.path) for file in outcome.files])
    return made.sort_by([(name, "ascending") for name in made.column_names])


def agreed(product: str, duckdb: DbtOutcome, snowflake: DbtOutcome) -> set[str]:
    """Assert that both made the same; return the tests that failed, and on how many rows."""
    columns = contract_of(product).columns
    made = rows_of(duckdb)
    assert made.schema.names == [column.name for column in columns]
    assert made.schema.types == [column.type.arrow for column in columns]
    there = rows_of(snowflake)
    assert there.schema.equals(made.schema)
    assert there.num_rows == made.num_rows > 0
    for row, other in zip(made.to_pylist(), there.to_pylist(), strict=True):
        assert row == other
    assert snowflake.tests == duckdb.tests
    assert snowflake.column_lineage == duckdb.column_lineage
    return {result.name for result in duckdb.tests if not result.passed}


@pytest.mark.parametrize("product", PRODUCTS)
def test_both_engines_make_the_same_of_real_data(
    engines: Engines, tables: dict[str, pa.Table], tmp_path: Path, product: str
):
    outcomes = engines.build(product, pinned(tables, tmp_path / "inputs"), tmp_path)
    assert agreed(product, *outcomes) == set()


Plant = Callable[[dict[str, pa.Table]], dict[str, pa.Table]]


def with_row(tables: dict[str, pa.Table], key: str, **values: object) -> dict[str, pa.Table]:
    """One more row, a copy of the first but for `values`."""
    table = tables[key]
    row = {**table.slice(0, 1).to_pylist()[0], **values}
    added = pa.Table.from_pylist([row], schema=table.schema)
    return {**tables, key: pa.concat_tables([table, added])}


PLANTED: dict[str, tuple[Plant, set[str]]] = {
    "order/daily_sales": (
        lambda tables: with_row(tables, "order/transactions", transaction_timestamp=None),
        {"dbt_not_null_sales_date", "dbt_daily_sales_adds_up_to_transactions"},
    ),
    "customer/customer_360": (
        lambda tables: with_row(
            with_row(tables, "marketing/redemptions", household_id=-1),
            "customer/order_history",
            sales_value=None,
        ),
        {"dbt_unique_household_id", "dbt_customer_360_counts_every_campaign_and_coupon"},
    ),
    "marketing/campaign_performance": (
        lambda tables: with_row(
            with_row(tables, "marketing/redemptions", campaign_id=99),
            "marketing/campaigns_v1",
            campaign_id=100,
            campaign_type="Type Z",
            start_date=date(2018, 1, 1),
        ),
        {"dbt_accepted_values_campaign_type", "dbt_campaign_performance_counts_every_redemption"},
    ),
}


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_same_tests_fail_on_both_for_a_broken_row(
    engines: Engines, tables: dict[str, pa.Table], tmp_path: Path, product: str
):
    plant, failing = PLANTED[product]
    outcomes = engines.build(product, pinned(plant(tables), tmp_path / "inputs"), tmp_path)
    assert agreed(product, *outcomes) == failing
    for outcome in outcomes:
        assert {result.rule.name for result in outcome.results if result.refuses} == failing


def test_both_engines_make_the_same_of_all_data(engines: Engines, tmp_path: Path):
    inputs = pinned(real_inputs(), tmp_path / "inputs")
    for product in PRODUCTS:
        outcomes = engines.build(product, inputs, tmp_path / product)
        assert agreed(product, *outcomes) == set()
