"""What Lake Formation is to have for a share, in the words in which what it has is written, too.

Belongs here: the kinds of items, their names and canonical states, compiling a share.
Does not belong here: asking Lake Formation and changing it (`calls.py`, `client.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from shared_resources.contracts.model import Classification, Contract
from shared_resources.engines.engine import Item, Kind
from shared_resources.engines.lake_grants.expressions import Inexpressible, filter_expression
from shared_resources.engines.shares import Share, Withheld, withheld

TAG, TAGGED, FILTER, GRANT = "lf-tag", "tagged columns", "data cells filter", "grant"
KINDS = (Kind(TAG, lasting=True), Kind(TAGGED), Kind(FILTER), Kind(GRANT, opens=True))
TAG_KEY = "mesh_classification"
# Filters that begin so are the platform's.
MARK = "mesh_"


@dataclass(frozen=True)
class Table:
    """A product's table in Glue, with the columns that it has now."""

    product: str
    database: str
    name: str
    columns: tuple[str, ...]

    @property
    def said(self) -> str:
        return f"{self.database}.{self.name}"


@dataclass(frozen=True)
class Shown:
    """What a grant lets its principal read of a table: columns, `everything`, or through filters."""

    columns: frozenset[str] = frozenset()
    filters: frozenset[str] = frozenset()
    everything: bool = False
    without: frozenset[str] = frozenset()

    @property
    def state(self) -> str:
        said: dict[str, object] = {}
        if self.columns:
            said["columns"] = sorted(self.columns)
        if self.filters:
            said["filters"] = sorted(self.filters)
        if self.everything:
            said["everything but"] = sorted(self.without)
        return json.dumps(said)


def tag_item() -> Item:
    return Item(TAG, TAG_KEY, json.dumps(sorted(Classification)))


def tagged_item(table: Table, contract: Contract) -> Item:
    """Each column that is classified, with its level."""
    levels = {
        column.name: column.classification.value
        for column in contract.columns
        if column.classification is not None and column.name in table.columns
    }
    return tagged(table, levels)


def tagged(table: Table, levels: Mapping[str, str]) -> Item:
    state = json.dumps(dict(sorted(levels.items())))
    return Item(TAGGED, table.said, state, table.product, needs=frozenset({(TAG, TAG_KEY)}))


def filter_name(reader: str) -> str:
    """Of a reader's filter of a table: readable, and no two readers' alike."""
    plain = re.sub(r"[^a-z0-9]+", "_", reader.lower()).strip("_")
    return f"{MARK}{plain[:60]}_{hashlib.sha256(reader.encode()).hexdigest()[:8]}"


def filter_item(
    table: Table, name: str, columns: Iterable[str], rows: str, reader: str = "", purpose: str = ""
) -> Item:
    state = json.dumps({"columns": sorted(columns), "rows": rows})
    return Item(FILTER, f"{table.said}: {name}", state, table.product, reader, purpose)


def grant_item(table: Table, principal: str, shown: Shown, reader: str, purpose: str = "") -> Item:
    needs = frozenset((FILTER, f"{table.said}: {name}") for name in shown.filters)
    name = f"{principal} reads {table.said}"
    return Item(GRANT, name, shown.state, table.product, reader, purpose, needs)


def compiled(share: Share, table: Table, principal: str) -> tuple[list[Item], list[Withheld]]:
    """The share's items, and what of it is withheld: masked columns, former names, or all of it."""
    reader, masks = str(share.consumer), share.terms.masks
    there = [name for name in share.terms.columns if name in table.columns]
    unsaid = [
        withheld(share, f"Lake Formation has no masks: {masks[name]} is none of it", name)
        for name in there
        if name in masks
    ]
    unsaid += [
        withheld(share, f"the lake's table has it under one name alone: read {new}", old)
        for old, new in share.former.items()
        if new in there and new not in masks
    ]
    columns = [name for name in there if name not in masks]
    if not columns:
        why = (
            "nothing is left of it without masks" if unsaid else "none of its columns is published"
        )
        return [], [*unsaid, withheld(share, why)]
    if not share.terms.rows:
        shown = Shown(columns=frozenset(columns))
        return [grant_item(table, principal, shown, reader, share.purpose)], unsaid
    try:
        rows = filter_expression(share.terms.rows)
    except Inexpressible as problem:
        return [], [*unsaid, withheld(share, str(problem))]
    name = filter_name(reader)
    shown = Shown(filters=frozenset({name}))
    return [
        filter_item(table, name, columns, rows, reader, share.purpose),
        grant_item(table, principal, shown, reader, share.purpose),
    ], unsaid


def single(shares: Sequence[Share]) -> Iterator[Share | Withheld]:
    """The shares of readers that have one of a product; several are withheld, as grants add up."""
    by_reader: dict[tuple[str, str], list[Share]] = {}
    for share in shares:
        by_reader.setdefault((share.product, str(share.consumer)), []).append(share)
    for theirs in by_reader.values():
        if len(theirs) == 1:
            yield theirs[0]
            continue
        purposes = " and ".join(sorted(share.purpose for share in theirs))
        why = f"grants of Lake Formation have no purpose: those for {purposes} would add up"
        yield from (withheld(share, why) for share in theirs)
