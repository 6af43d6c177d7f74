"""The models' inputs from the example's real data, as the pinned versions of published products.

Belongs here: the source's rows (all, or a few households'), in the contracts' columns and types.
Does not belong here: tests.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from domains.customer.products.order_history.product import order_history
from domains.order.products.baskets.product import baskets
from shared_resources.contracts.values.lossless import conform
from tests.data_products.dbt_toy import ParquetSnapshot
from tests.domains.products import contract_of, source_connection

_SOURCE = {
    "order/transactions": "transactions",
    "customer/households": "demographics",
    "marketing/campaigns_v1": "campaign_descriptions",
    "marketing/campaign_households": "campaigns",
    "marketing/coupons": "coupons",
    "marketing/redemptions": "coupon_redemptions",
}


def real_inputs(households: int | None = None) -> dict[str, pa.Table]:
    """Each input's rows; of as many of the `households` that got most campaigns, or of all."""
    with source_connection() as source:
        source.execute(
            "CREATE TABLE chosen AS SELECT household_id FROM campaigns SEMI JOIN transactions "
            "USING (household_id) GROUP BY household_id ORDER BY count(*) DESC, household_id "
            f"LIMIT {households or 'ALL'}"
        )
        found = {}
        for key, table in _SOURCE.items():
            query = f"FROM {table}"
            if households and table not in ("campaign_descriptions", "coupons"):
                query += " SEMI JOIN chosen USING (household_id)"
            found[key] = as_contract(key, source.sql(query).to_arrow_table())
    lines = pl.from_arrow(found["order/transactions"]).lazy()
    for key, function in (("order/baskets", baskets), ("customer/order_history", order_history)):
        found[key] = as_contract(key, function(lines).collect().to_arrow())
    return found


def as_contract(key: str, table: pa.Table) -> pa.Table:
    contract = contract_of(key)
    dates = {c.name: c.type.arrow for c in contract.columns if pa.types.is_date(c.type.arrow)}
    for name, type_ in dates.items():
        at = table.schema.get_field_index(name)
        table = table.set_column(at, name, table[name].cast(type_))
    return conform(table, contract).read_all()


def pinned(tables: dict[str, pa.Table], folder: Path) -> dict[str, ParquetSnapshot]:
    """The tables as published versions, in files."""
    folder.mkdir(parents=True, exist_ok=True)
    snapshots = {}
    for key, table in tables.items():
        file = folder / f"{key.replace('/', '.')}.parquet"
        pq.write_table(table, file)
        snapshots[key] = ParquetSnapshot(key, file)
    return snapshots
