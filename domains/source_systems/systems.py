"""What each operational system sends: one function a product, from the source to its objects.

Belongs here: the mapping from the published tables to landing objects `<domain>/<product>/…`, and
the conversions that a source system would make itself (a date without a time of day, microseconds).
Does not belong here: how an object is written (`objects.py`); cleaning, which nobody does here.

Every row of every table is sent: `campaigns` of the data set becomes
`marketing/campaign_households` and `campaign_descriptions` becomes `marketing/campaigns`, two
grains that one table could not hold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from domains.source_systems.contacts import synthetic_contacts
from domains.source_systems.objects import LandingWriter
from domains.source_systems.source import read_table, table_path

# The day after the last transaction: when the year's extracts would have been drawn.
EXTRACT_DATE = "2018-01-02"


def households(landing: LandingWriter) -> int:
    """The loyalty programme's survey: a CSV extract. Returns the rows, like each function here."""
    table = read_table("demographics")
    landing.csv(f"customer/households/households-{EXTRACT_DATE}.csv", table)
    return _rows(table)


def contacts(landing: LandingWriter) -> int:
    """The customer register: a contact for each household that ever bought something."""
    bought = pq.read_table(table_path("transactions"), columns=["household_id"])
    table = synthetic_contacts(pc.unique(bought["household_id"]).to_pylist())
    landing.parquet(
        f"customer/contacts/contacts-{EXTRACT_DATE}.parquet", table.schema, table.to_batches()
    )
    return _rows(table)


def catalog(landing: LandingWriter) -> int:
    """The product master: a CSV extract."""
    table = read_table("products")
    landing.csv(f"product/catalog/catalog-{EXTRACT_DATE}.csv", table)
    return _rows(table)


def transactions(landing: LandingWriter) -> int:
    """The tills: one Parquet object a day on which something was sold."""
    table = _typed(read_table("transactions"), transaction_timestamp=pa.timestamp("us"))
    table = table.sort_by(
        [(name, "ascending") for name in ("transaction_timestamp", "basket_id", "product_id")]
    ).combine_chunks()
    days = pc.cast(table["transaction_timestamp"], pa.date32())
    start = 0
    for day in pc.value_counts(days).to_pylist()[: landing.days]:
        rows = table.slice(start, day["counts"])
        key = f"order/transactions/{day['values'].isoformat()}.parquet"
        landing.parquet(key, table.schema, rows.to_batches())
        start += day["counts"]
    return start


def campaigns(landing: LandingWriter) -> int:
    """The campaign tool: what each campaign was."""
    table = _typed(
        read_table("campaign_descriptions"), start_date=pa.date32(), end_date=pa.date32()
    )
    key = f"marketing/campaigns/campaigns-{EXTRACT_DATE}.parquet"
    landing.parquet(key, table.schema, table.to_batches())
    return _rows(table)


def campaign_households(landing: LandingWriter) -> int:
    """The campaign tool: which households each campaign was sent to."""
    table = read_table("campaigns")
    key = f"marketing/campaign_households/campaign_households-{EXTRACT_DATE}.parquet"
    landing.parquet(key, table.schema, table.to_batches())
    return _rows(table)


def coupons(landing: LandingWriter) -> int:
    """The coupon clearing house: JSON lines, with the copies that it sends more than once."""
    table = read_table("coupons")
    landing.jsonl(f"marketing/coupons/coupons-{EXTRACT_DATE}.jsonl", table)
    return _rows(table)


def redemptions(landing: LandingWriter) -> int:
    """The coupon clearing house: JSON lines, a line a redeemed coupon."""
    table = _typed(read_table("coupon_redemptions"), redemption_date=pa.date32())
    landing.jsonl(f"marketing/redemptions/redemptions-{EXTRACT_DATE}.jsonl", table)
    return _rows(table)


def promotions(landing: LandingWriter) -> int:
    """The store planning system: 20.9 million rows, streamed from Parquet to Parquet."""
    source = pq.ParquetFile(table_path("promotions"))
    schema = source.schema_arrow.remove_metadata()
    rows = 0

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        for batch in source.iter_batches(batch_size=1 << 17):
            sent = batch.replace_schema_metadata(None)
            if landing.days is not None:
                sent = sent.filter(pc.less_equal(sent["week"], _week(landing.days)))
            rows += sent.num_rows
            yield sent

    key = f"marketing/promotions/promotions-{EXTRACT_DATE}.parquet"
    landing.parquet(key, schema, batches())
    return rows


def _week(day: int) -> int:
    """The retailer's week of the year's n-th day: the first week is of one day, 2017-01-01."""
    return (day + 5) // 7 + 1


SYSTEMS: Mapping[str, Callable[[LandingWriter], int]] = {
    "customer/households": households,
    "customer/contacts": contacts,
    "product/catalog": catalog,
    "order/transactions": transactions,
    "marketing/campaigns": campaigns,
    "marketing/campaign_households": campaign_households,
    "marketing/coupons": coupons,
    "marketing/redemptions": redemptions,
    "marketing/promotions": promotions,
}


def _rows(table: pa.Table) -> int:
    return int(table.num_rows)


def _typed(table: pa.Table, **types: pa.DataType) -> pa.Table:
    """The table with these columns converted. Raises `ArrowInvalid` where that loses anything."""
    for name, to in types.items():
        position = table.column_names.index(name)
        table = table.set_column(position, name, pc.cast(table[name], to, safe=True))
    return table
