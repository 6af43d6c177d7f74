"""recommendation/item_affinities: the counting of pairs, beside a count by hand."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import combinations
from types import ModuleType

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from apache_beam.testing.util import assert_that

from domains.recommendation.products.item_affinities import model
from domains.recommendation.products.item_affinities.product import item_affinities

CUT_OFF = date(2017, 6, 1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(model, "LEAST_RECEIPTS", 3)
    monkeypatch.setattr(model, "LEAST_TOGETHER", 2)
    return model


def purchases(rows: int = 4000) -> pa.Table:
    chance = np.random.default_rng(7)
    start = datetime(2017, 5, 1)
    when = [start + timedelta(hours=int(h)) for h in chance.integers(0, 40, rows) * 24]
    return pa.table(
        {
            "household_id": chance.integers(1, 9, rows),
            "product_id": chance.integers(1, 25, rows) * 1000,
            "transaction_timestamp": pa.array(when, pa.timestamp("us")),
        }
    )


def by_hand(
    table: pa.Table, offered: set[int], cut_off: date = CUT_OFF
) -> dict[tuple[int, int], tuple[int, int, float]]:
    receipts: dict[tuple[int, datetime], set[int]] = {}
    for row in table.to_pylist():
        if row["transaction_timestamp"].date() < cut_off and row["product_id"] in offered:
            key = (row["household_id"], row["transaction_timestamp"])
            receipts.setdefault(key, set()).add(row["product_id"])
    bought: dict[int, int] = {}
    together: dict[tuple[int, int], int] = {}
    for products in receipts.values():
        for one in products:
            bought[one] = bought.get(one, 0) + 1
        for pair in combinations(sorted(products), 2):
            together[pair] = together.get(pair, 0) + 1
    found = {}
    for (one, other), times in together.items():
        lift = times * len(receipts) / (bought[one] * bought[other])
        if min(bought[one], bought[other]) >= 3 and times >= 2 and lift > 1:
            found[one, other] = (bought[one], times, lift)
            found[other, one] = (bought[other], times, lift)
    return found


def test_pairs_are_those_of_a_count_by_hand_however_they_are_divided(few: ModuleType) -> None:
    table = purchases()
    offered = np.arange(1, 22) * 1000
    parts = [table.slice(start, 200) for start in range(0, table.num_rows, 200)]
    households: dict[int, list[pa.Table]] = {}
    for part in parts:
        for shard, some in few.by_household(part, CUT_OFF, offered):
            households.setdefault(shard, []).append(some)
    lines = [few.lines_of(some) for some in households.values()]
    bought = few.summed(few.counted(some) for some in lines)
    pairs: dict[int, list[object]] = {}
    for some in lines:
        for shard, counts in few.pairs_of(some, bought):
            pairs.setdefault(shard, []).append(counts)
    sides: dict[int, list[pa.Table]] = {}
    for counts in pairs.values():
        for shard, side in few.associated(counts, bought):
            sides.setdefault(shard, []).append(side)
    made = pa.concat_tables(few.ranked(some, CUT_OFF) for some in sides.values()).to_pylist()
    expected = by_hand(table, set(offered.tolist()))
    assert len(expected) > 50
    got = {
        (row["product_id"], row["other_product_id"]): (
            row["receipts"],
            row["receipts_together"],
            pytest.approx(row["lift"]),
        )
        for row in made
    }
    assert got == expected  # no product has more than twenty
    for product in {row["product_id"] for row in made}:
        mine = sorted((r for r in made if r["product_id"] == product), key=lambda r: r["rank"])
        assert [row["rank"] for row in mine] == list(range(1, len(mine) + 1))
        shares = [row["confidence"] for row in mine]
        assert shares == sorted(shares, reverse=True)


def test_nothing_bought_makes_no_pairs(few: ModuleType) -> None:
    lines = few.lines_of([purchases(0)])
    bought = few.summed([few.counted(lines)])
    pairs = [counts for _, counts in few.pairs_of(lines, bought)]
    sides = [side for _, side in few.associated(pairs, bought)]
    assert few.ranked(sides, CUT_OFF).num_rows == 0


def test_petrol_and_coupons_are_not_offered() -> None:
    catalog = pa.table(
        {
            "product_id": [1, 2, 3, 4],
            "department": ["GROCERY", "FUEL", "GROCERY", "PRODUCE"],
            "product_category": ["SOUP", None, "COUPON/MISC ITEMS", None],
        }
    )
    assert model.merchandise(catalog).tolist() == [1, 4]


def test_the_pipeline_leaves_the_last_four_weeks_out(few: ModuleType) -> None:
    table = purchases()
    last_day = max(moment.date() for moment in table["transaction_timestamp"].to_pylist())
    cut_off = last_day - timedelta(days=27)
    ids = list(range(1000, 22_000, 1000))
    catalog = pa.table(
        {
            "product_id": ids,
            "department": ["GROCERY"] * len(ids),
            "product_category": pa.array([None] * len(ids), pa.string()),
        }
    )
    expected = by_hand(table, set(ids), cut_off)
    assert expected

    def as_by_hand(tables: list[pa.Table]) -> None:
        made = pa.concat_tables(tables).to_pylist()
        got = {(row["product_id"], row["other_product_id"]): row for row in made}
        assert got.keys() == expected.keys()
        for pair, (receipts, together, _) in expected.items():
            assert (got[pair]["receipts"], got[pair]["receipts_together"]) == (receipts, together)
            assert got[pair]["cut_off_date"] == cut_off

    with beam.Pipeline(runner=FnApiRunner(), options=PipelineOptions([])) as pipeline:
        parts = [table.slice(start, 700) for start in range(0, table.num_rows, 700)]
        made = item_affinities(
            pipeline | "lines" >> beam.Create(parts),
            pipeline | "products" >> beam.Create([catalog]),
        )
        assert_that(made, as_by_hand)
