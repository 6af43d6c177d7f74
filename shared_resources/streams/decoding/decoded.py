"""What became of a batch of messages: typed rows, and each message that is no row with the reason.

Belongs here: the result, its order, putting parts of one batch together.
Does not belong here: decoding.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import polars as pl
import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.rules.expressions import polars_type
from shared_resources.landing.rejects import Reason


@dataclass(frozen=True)
class Undecodable:
    """The message at `position` is no row of the contract. The reasons quote values, as those of
    `landing/rejects.py` do: they are for the quarantine, not for a log."""

    position: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Decoded:
    """`frame` has the contract's columns, of their types, and `positions` the place of each of its rows
    among the messages, ascending. `tombstones` are the places of messages without a value. Every
    message is a row, undecodable or a tombstone. `ignored` names fields that were left out.
    """

    frame: pl.DataFrame
    positions: pl.Series
    undecodable: tuple[Undecodable, ...] = ()
    tombstones: tuple[int, ...] = ()
    ignored: frozenset[str] = field(default_factory=frozenset)


class Decoder(Protocol):
    """Decodes the messages of one stream; kept for all of its batches."""

    def decode(self, values: pa.Array) -> Decoded:
        """`values` are Arrow binary, one message each, null for a tombstone."""
        ...


@dataclass(frozen=True)
class Part:
    """Some rows of a batch, with their places."""

    positions: pl.Series
    frame: pl.DataFrame


def schema_of(contract: Contract) -> pl.Schema:
    return pl.Schema({c.name: polars_type(c.type) for c in contract.columns})


def put_together(
    schema: pl.Schema,
    parts: Sequence[Part],
    undecodable: Iterable[Undecodable],
    tombstones: Iterable[int],
    ignored: Iterable[str] = (),
) -> Decoded:
    """The parts of a batch in the order of its messages."""
    parts = [part for part in parts if part.frame.height]
    if not parts:
        frame = pl.DataFrame(schema=schema)
        positions = pl.Series("position", [], pl.UInt32)
    else:
        frame = pl.concat([part.frame for part in parts])
        positions = pl.concat([part.positions.cast(pl.UInt32) for part in parts])
        if not positions.is_sorted():
            order = positions.arg_sort()
            frame, positions = frame[order], positions.gather(order)
    found = sorted(undecodable, key=lambda one: one.position)
    return Decoded(frame, positions, tuple(found), tuple(sorted(tombstones)), frozenset(ignored))
