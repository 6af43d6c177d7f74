"""Messages one by one, through the very code that reads a JSON lines object in landing.

Belongs here: that way for texts of messages, without files.
Does not belong here: what is faster for most messages (`messages.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import ColumnType
from shared_resources.landing.formats.json_fields import Fields, JsonColumns, read_fields
from shared_resources.landing.rejects import Reason, Reject
from shared_resources.landing.typed_rows import BATCH_ROWS, TextBatch, TypedRows
from shared_resources.streams.decoding.decoded import Part, Undecodable, schema_of


class _Listed:
    """Takes rejects into memory."""

    def __init__(self) -> None:
        self.rejects: list[Reject] = []

    def add(self, reject: Reject) -> None:
        self.rejects.append(reject)


class CarefulReader:
    """Texts of messages as rows of the contract, with landing's verdict on each."""

    def __init__(self, contract: Contract, ignores_extra: bool) -> None:
        self._schema = schema_of(contract)
        self.columns = JsonColumns(contract.columns, ignores_extra)
        self._listed = _Listed()
        self._rows = TypedRows(contract.columns, self._listed, None)

    def read(
        self, positions: Sequence[int], texts: Sequence[str]
    ) -> tuple[list[Part], list[Undecodable]]:
        """The rows, and the messages that are none."""
        parts: list[Part] = []
        undecodable: list[Undecodable] = []
        for first in range(0, len(texts), BATCH_ROWS):
            end = first + BATCH_ROWS
            part, refused = self._read(positions[first:end], texts[first:end])
            parts.append(part)
            undecodable += refused
        return parts, undecodable

    def _read(
        self, positions: Sequence[int], texts: Sequence[str]
    ) -> tuple[Part, list[Undecodable]]:
        undecodable: list[Undecodable] = []
        objects: list[Fields] = []
        places: list[int] = []
        raw: list[str] = []
        for position, text in zip(positions, texts, strict=True):
            found = read_fields(text)
            if isinstance(found, Reason):
                undecodable.append(Undecodable(position, (found,)))
                continue
            objects.append(self.columns.named(found))
            places.append(position)
            raw.append(text)
        faults = self.columns.faults(objects, raw)
        undecodable += (Undecodable(places[i], tuple(said)) for i, said in faults.items())
        kept = [i for i in range(len(objects)) if i not in faults]
        if not kept:  # the types' queries take milliseconds
            return Part(
                pl.Series([], dtype=pl.UInt32), pl.DataFrame(schema=self._schema)
            ), undecodable
        batch = TextBatch(
            columns=self.columns.texts([objects[i] for i in kept]),
            rows=[places[i] for i in kept],
            lines=[None] * len(kept),
            raw=[raw[i] for i in kept],
        )
        self._listed.rejects.clear()
        typed = self._rows.parse_batch(batch)
        refused = {reject.row: reject.reasons for reject in self._listed.rejects}
        undecodable += (Undecodable(position, said) for position, said in refused.items())
        left = [place for place in batch.rows if place not in refused]
        frame = pl.DataFrame(pa.Table.from_batches([typed]), schema=self._schema)
        return Part(pl.Series(left, dtype=pl.UInt32), frame), undecodable

    def values(self, type_: ColumnType, format_: str, cells: pl.Series) -> pl.Series:
        """Texts of one column as its values, where the contract says how they are written; null for a
        text that is none."""
        (found,) = self._rows.values(type_, format_, [cells.to_arrow().cast(pa.string())])
        return pl.Series(cells.name, found)
