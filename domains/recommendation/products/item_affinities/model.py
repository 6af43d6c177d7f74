"""Counting what stands on one receipt, and ranking it: on plain arrays, a part of the receipts at a time.

Belongs here: what each step of the pipeline does with its part.
Does not belong here: the steps and where purchases come from (`product.py`).

A receipt is what one household bought at one moment. The number of receipts with two products is an
entry of the product of the matrix of receipts and products with itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix, triu

# What stands on fewer receipts, alone or with the other product, says little.
LEAST_RECEIPTS = 100
LEAST_TOGETHER = 10
RANKS = 20
# Into how many parts households, pairs and products are divided: as many as may work at once.
SHARDS = 2
# Nobody is recommended petrol, a coupon or what the master files under miscellaneous.
NO_MERCHANDISE = ("COUPON", "FUEL", "MISCELLANEOUS")
COUPON_CATEGORY = "COUPON/MISC ITEMS"

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Counts:
    """`counts` of receipts by key, keys ascending; `receipts` is the number of all of them."""

    keys: Integers
    counts: Integers
    receipts: int = 0


@dataclass(frozen=True)
class Lines:
    """What stands on a part's receipts, no product twice on one; receipts are counted from 0."""

    receipts: Integers
    products: Integers

    @property
    def number_of_receipts(self) -> int:
        return int(self.receipts[-1]) + 1 if len(self.receipts) else 0


def merchandise(catalog: pa.Table) -> Integers:
    """The product_ids that may be recommended."""
    other = pc.is_in(catalog["department"], value_set=pa.array(NO_MERCHANDISE))
    coupon = pc.fill_null(pc.equal(catalog["product_category"], COUPON_CATEGORY), False)
    offered = catalog.filter(pc.invert(pc.or_(other, coupon)))["product_id"]
    return np.asarray(offered, np.int64)


def by_household(
    purchases: pa.Table, cut_off: date, offered: Integers
) -> Iterator[tuple[int, pa.Table]]:
    """The purchases of offered products before the day, in parts that hold all of a household's."""
    before = pc.less(
        purchases["transaction_timestamp"], datetime.combine(cut_off, datetime.min.time())
    )
    learned = purchases.filter(
        pc.and_(before, pc.is_in(purchases["product_id"], value_set=pa.array(offered)))
    )
    shards = np.asarray(learned["household_id"]) % SHARDS
    for shard in range(SHARDS):
        yield shard, learned.filter(pa.array(shards == shard))


def lines_of(purchases: Iterable[pa.Table]) -> Lines:
    """The lines of a part's receipts."""
    table = pa.concat_tables(purchases)
    names = ("household_id", "transaction_timestamp", "product_id")
    who, when, what = (table[name].combine_chunks().dictionary_encode() for name in names)
    code = np.asarray(who.indices).astype(np.int64)
    for column in (when, what):  # one number a line: sorted once, and not by three columns
        code = code * max(len(column.dictionary), 1) + np.asarray(column.indices)
    code.sort()  # and not np.unique, which hashes: ten times as long
    receipt, place = np.divmod(code[_changes(code)], max(len(what.dictionary), 1))
    return Lines(np.cumsum(_changes(receipt)) - 1, np.asarray(what.dictionary)[place])


def _changes(values: Integers) -> npt.NDArray[np.bool_]:
    """Where a value differs from the one before; the first does."""
    return np.concatenate([np.ones(min(len(values), 1), bool), values[1:] != values[:-1]])


def counted(lines: Lines) -> Counts:
    """On how many receipts of a part each product stands."""
    keys, counts = np.unique(lines.products, return_counts=True)
    return Counts(keys, counts.astype(np.int64), lines.number_of_receipts)


def summed(parts: Iterable[Counts]) -> Counts:
    """The counts of several parts; of none, none."""
    found = list(parts)
    keys = np.concatenate([np.empty(0, np.int64), *(one.keys for one in found)])
    counts = np.concatenate([np.empty(0, np.int64), *(one.counts for one in found)])
    # Key and count as one number, which are sorted in a tenth of the time of an order.
    width = int(counts.max(initial=0)) + 1
    keys, counts = np.divmod(np.sort(keys * width + counts), width)
    starts = np.flatnonzero(_changes(keys))
    total = np.add.reduceat(counts, starts) if len(starts) else counts
    return Counts(keys[starts], total, sum(one.receipts for one in found))


def considered(bought: Counts) -> Counts:
    """The products that stand on enough receipts."""
    enough = bought.counts >= LEAST_RECEIPTS
    return Counts(bought.keys[enough], bought.counts[enough], bought.receipts)


def pairs_of(lines: Lines, bought: Counts) -> Iterator[tuple[int, Counts]]:
    """How often two considered products stand on one receipt of a part, in shards of pairs.

    A pair's key is the place of one product times their number, plus the place of the other.
    """
    known = considered(bought).keys
    places = np.searchsorted(known, lines.products)
    inside = places < len(known)
    inside[inside] = known[places[inside]] == lines.products[inside]
    at = (lines.receipts[inside], places[inside])
    shape = (lines.number_of_receipts, len(known))
    matrix = csr_matrix((np.ones(len(at[0]), np.int32), at), shape=shape)
    together = triu(matrix.T @ matrix, k=1, format="coo")
    keys = together.row.astype(np.int64) * len(known) + together.col
    for shard in range(SHARDS):
        mine = keys % SHARDS == shard
        yield shard, Counts(keys[mine], together.data[mine].astype(np.int64))


def associated(pairs: Iterable[Counts], bought: Counts) -> Iterator[tuple[int, pa.Table]]:
    """The pairs that stand together often, and more often than by chance, once from each side."""
    known = considered(bought)
    found = summed(pairs)
    one, other = np.divmod(found.keys, max(len(known.keys), 1))
    by_chance = known.counts[one] * (known.counts[other] / max(known.receipts, 1))
    kept = (found.counts >= LEAST_TOGETHER) & (found.counts > by_chance)
    one, other, together = one[kept], other[kept], found.counts[kept]
    lift = together / by_chance[kept]
    sides = pa.table(
        {
            "product_id": known.keys[np.concatenate([one, other])],
            "other_product_id": known.keys[np.concatenate([other, one])],
            "receipts": known.counts[np.concatenate([one, other])],
            "receipts_together": np.tile(together, 2),
            "lift": np.tile(lift, 2),
        }
    )
    shards = np.asarray(sides["product_id"]) % SHARDS
    for shard in range(SHARDS):
        yield shard, sides.filter(pa.array(shards == shard))


def ranked(sides: Iterable[pa.Table], cut_off: date) -> pa.Table:
    """The best of each product: those that stand on most of its receipts."""
    table = pa.concat_tables(sides)
    confidence = np.asarray(table["receipts_together"]) / np.asarray(table["receipts"])
    order = np.lexsort(
        (np.asarray(table["other_product_id"]), -confidence, np.asarray(table["product_id"]))
    )
    table, confidence = table.take(pa.array(order)), confidence[order]
    places = np.arange(len(order))
    starts = np.flatnonzero(_changes(np.asarray(table["product_id"])))
    rank = places - np.repeat(places[starts], np.diff(np.append(starts, len(order)))) + 1
    table = table.append_column("rank", pa.array(rank, pa.int64()))
    table = table.append_column("confidence", pa.array(confidence))
    table = table.append_column("cut_off_date", pa.array([cut_off] * len(order), pa.date32()))
    return table.filter(pa.array(rank <= RANKS))
