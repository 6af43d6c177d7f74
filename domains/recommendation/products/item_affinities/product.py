"""Item affinities: what is bought together with each product, learned by a pipeline of Beam.

Belongs here: the pipeline, and which purchases and products count.
Does not belong here: the counting of pairs and the ranking (`model.py`).

The last four weeks are held out, as in household_recommendations: whoever recommends by these affinities
is evaluated on purchases that they do not know.

All of it is done a part at a time: households are divided among workers, then pairs, then products. What
goes from one to the next is sums, so that it may run on as many machines as there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from apache_beam.metrics import Metrics

from domains.recommendation.products.item_affinities.model import (
    Counts,
    Lines,
    associated,
    by_household,
    counted,
    lines_of,
    merchandise,
    pairs_of,
    ranked,
    summed,
)
from shared_resources import data_product, product_input

HELD_OUT_DAYS = 28
PRODUCTS = Metrics.counter("item_affinities", "products_with_affinities")
PAIRS = Metrics.counter("item_affinities", "pairs_seen")


@data_product(
    engine="beam",
    transactions=product_input(
        "order/transactions", columns=("household_id", "product_id", "transaction_timestamp")
    ),
    catalog=product_input(
        "product/catalog", columns=("product_id", "department", "product_category")
    ),
)
def item_affinities(
    transactions: beam.PCollection[pa.Table], catalog: beam.PCollection[pa.Table]
) -> beam.PCollection[pa.Table]:
    """One row a product and rank. Counters: products, and pairs seen."""
    cut_off = beam.pvalue.AsSingleton(
        transactions
        | "last day" >> beam.Map(last_day)
        | "of all" >> beam.CombineGlobally(max)
        | "held out from" >> beam.Map(lambda day: day - timedelta(days=HELD_OUT_DAYS - 1))
    )
    offered = beam.pvalue.AsSingleton(
        catalog | "merchandise" >> beam.Map(merchandise) | "all" >> beam.CombineGlobally(joined)
    )
    receipts = (
        transactions
        | "households apart" >> beam.FlatMap(by_household, cut_off, offered)
        | "together" >> beam.GroupByKey()
        | "receipts" >> beam.Map(lambda households: lines_of(households[1]))
    )
    bought = beam.pvalue.AsSingleton(
        receipts
        | "how often bought" >> beam.Map(counted)
        | "by anybody" >> beam.CombineGlobally(summed)
    )
    return (
        receipts
        | "pairs on a receipt" >> beam.FlatMap(seen_together, bought)
        | "by pair" >> beam.GroupByKey()
        | "often together" >> beam.FlatMap(lambda pairs, all_: associated(pairs[1], all_), bought)
        | "by product" >> beam.GroupByKey()
        | "rank" >> beam.Map(rank, cut_off)
    )


def last_day(purchases: pa.Table) -> date:
    found: date = pc.max(purchases["transaction_timestamp"]).as_py().date()
    return found


def joined(some: Any) -> Any:
    """The products of several batches; of none, none."""
    return np.concatenate([np.empty(0, np.int64), *some])


def seen_together(lines: Lines, bought: Counts) -> Iterator[tuple[int, Counts]]:
    for part, pairs in pairs_of(lines, bought):
        PAIRS.inc(len(pairs.keys))
        yield part, pairs


def rank(part: tuple[int, Any], cut_off: date) -> pa.Table:
    table = ranked(part[1], cut_off)
    PRODUCTS.inc(len(table["product_id"].unique()))
    return table
