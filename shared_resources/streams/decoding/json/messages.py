"""JSON messages: one object a message, its fields the contract's columns.

Belongs here: the two ways of reading, and learning the layouts of a stream's producers.
Does not belong here: what a layout proves (`layouts.py`), landing's way (`carefully.py`).
"""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from shared_resources.contracts.model import Column, Contract
from shared_resources.contracts.types import Family
from shared_resources.landing.formats.json_fields import read_fields
from shared_resources.landing.rejects import Reason
from shared_resources.streams.decoding.decoded import (
    Decoded,
    Part,
    Undecodable,
    put_together,
    schema_of,
)
from shared_resources.streams.decoding.framing import as_text
from shared_resources.streams.decoding.json.carefully import CarefulReader
from shared_resources.streams.decoding.json.layouts import Layout, layout_of
from shared_resources.streams.decoding.json.typed_texts import TypedTexts

# Each layout costs a pass over the messages that no layout before it matched.
MOST_LAYOUTS = 16
# The fields that a message of a layout may have beside the contract's.
MOST_OTHERS = 50


class JsonDecoder:
    """See `Decoder`. With `ignores_extra`, fields that the contract does not know are left out."""

    def __init__(self, contract: Contract, *, ignores_extra: bool = False) -> None:
        self._contract = contract
        self._schema = schema_of(contract)
        self._careful = CarefulReader(contract, ignores_extra)
        self._layouts: list[Layout] = []
        self._formatted = [
            c for c in contract.columns if c.text_format and c.type.family is not Family.STRING
        ]
        self._plain = TypedTexts([c for c in contract.columns if c not in self._formatted])

    def decode(self, values: pa.Array) -> Decoded:
        texts, undecodable = _texts(values)
        self._careful.columns.ignored.clear()  # told by batch, of which there is no end
        positions = pl.int_range(len(texts), dtype=pl.UInt32, eager=True)
        refused = {one.position for one in undecodable}
        tombstones = []
        if texts.null_count():
            missing = texts.is_null()
            tombstones = [p for p in positions.filter(missing).to_list() if p not in refused]
            positions, texts = positions.filter(~missing), texts.filter(~missing)
        parts: list[Part] = []
        doubtful = [Part(positions, texts.to_frame("text"))]
        self._by_layouts(parts, doubtful)
        rest = pl.concat([part.frame for part in doubtful]).to_series().to_list()
        places = pl.concat([part.positions for part in doubtful]).to_list()
        if rest:
            careful, refusals = self._careful.read(places, rest)
            parts += careful
            undecodable += refusals
        ignored = self._careful.columns.ignored
        return put_together(self._schema, parts, undecodable, tombstones, ignored)

    def _by_layouts(self, parts: list[Part], doubtful: list[Part]) -> None:
        """Move what a layout matches from the one part in `doubtful` to `parts`; what is left, or is not
        sure, stays in `doubtful`."""
        left = doubtful.pop()
        found: dict[Layout, int] = {}
        for known in self._layouts:
            left, found[known] = self._matched(known, left, parts, doubtful)
        for _ in range(MOST_LAYOUTS):
            if not left.frame.height:
                break
            # Not the first: what stands in the middle is most often of a layout that many have.
            at = left.frame.height // 2
            learnt = self._learnt(left.frame.item(at, 0))
            if learnt is None or learnt in found:
                others = pl.int_range(left.frame.height, eager=True) != at
                doubtful.append(Part(left.positions[at : at + 1], left.frame[at : at + 1]))
                left = Part(left.positions.filter(others), left.frame.filter(others))
                continue
            left, found[learnt] = self._matched(learnt, left, parts, doubtful)
        matched = (layout for layout, number in found.items() if number)
        self._careful.columns.ignored.update(name for one in matched for name in one.ignored)
        # Those of the most messages stay, and are looked for first.
        self._layouts = sorted(found, key=lambda one: -found[one])[:MOST_LAYOUTS]
        doubtful.append(left)

    def _matched(
        self, known: Layout, left: Part, parts: list[Part], doubtful: list[Part]
    ) -> tuple[Part, int]:
        """What the layout does not match of `left`, and how many it does."""
        if not left.frame.height:
            return left, 0
        matched, texts = known.texts(left.frame.to_series())
        unmatched = Part(left.positions[:0], left.frame[:0])
        if not matched.all():
            unmatched = Part(left.positions.filter(~matched), left.frame.filter(~matched))
            left = Part(left.positions.filter(matched), left.frame.filter(matched))
            texts = texts.filter(matched)
        frame, sure = self._typed(texts)
        number = texts.height
        if not sure.all():
            doubtful.append(Part(left.positions.filter(~sure), left.frame.filter(~sure)))
            left = Part(left.positions.filter(sure), left.frame)
            frame = frame.filter(sure)
        parts.append(Part(left.positions, frame))
        return unmatched, number

    def _typed(self, texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
        frame, sure = self._plain.read(texts)
        for column in self._formatted:
            values = pl.Series(column.name, [None] * texts.height, self._schema[column.name])
            if column.name in texts.columns:
                cells = texts.get_column(column.name)
                values = self._careful.values(column.type, column.text_format, cells)
                sure = sure & (values.is_not_null() | cells.is_null())
            frame = frame.with_columns(values.cast(self._schema[column.name]))
        return frame[self._schema.names()], sure

    def _learnt(self, text: str) -> Layout | None:
        """The layout of a message that landing has nothing against, by its names."""
        fields = read_fields(text)
        if isinstance(fields, Reason) or len(fields) > len(self._schema) + MOST_OTHERS:
            return None
        columns = self._careful.columns
        if columns.faults([columns.named(fields)], [text]):
            return None
        own = dict(zip(fields, columns.named(fields), strict=True))
        declared: dict[str, Column] = {c.name: c for c in self._contract.columns}
        return layout_of(text, tuple(fields), {name: declared.get(own[name]) for name in fields})


def _texts(values: pa.Array) -> tuple[pl.Series, list[Undecodable]]:
    """The messages as text, null for a tombstone and for what is no text."""
    texts, problems = as_text(pl.Series("text", values, dtype=pl.Binary))
    return texts, [Undecodable(p, (Reason(None, None, said),)) for p, said in problems.items()]
