"""Live rows on their way into the port: checked by the product's own row rules, and written with the
position that they come from.

Belongs here: that check, what waits to be written, and the one step.
Does not belong here: which rows (`making.py`), how a port writes (`serving_ports/`).
"""

from __future__ import annotations

import itertools
from collections import Counter

import polars as pl

from shared_resources.contracts.types import arrow_schema
from shared_resources.contracts.values.lossless import InvalidFrame, conform
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.serving_ports.live_position import LivePosition
from shared_resources.serving_ports.port import Generation, Held, ServingPort
from shared_resources.serving_ports.rows import rows_of
from shared_resources.streams.live.making import LiveProblem
from shared_resources.streams.row_rules.rules import RowRules

ROWS_AT_ONCE = 5_000


class LiveWriter:
    """Writes into the generation that is held, after the position that it has.

    `refused` counts, by rule, the rows that broke a blocking one: none of them is ever written.
    """

    def __init__(self, port: ServingPort, held: Held, definition: ProductDefinition) -> None:
        self._port, self._contract = port, definition.contract
        self.generation: Generation = held.generation
        self._position, self._note = held.position, held.note
        self._rules = RowRules(definition.contract, definition.rules)
        self._schema = arrow_schema(tuple(self.generation.types.items()))
        self._waiting: dict[str, str] = {}
        self.refused: Counter[str] = Counter()
        self.rows = 0

    def keep(self, frame: pl.DataFrame) -> None:
        """Let the rows wait that keep the rules; of a key the last. Raises `LiveProblem`."""
        if not frame.height:
            return
        frame = self._typed(frame)
        judged = self._rules.judge(frame)
        for names in judged.reasons:
            self.refused.update(names)
        kept = judged.kept(frame).select(self._schema.names)
        for batch in kept.to_arrow().cast(self._schema).to_batches():
            self._waiting.update(rows_of(batch, self.generation))

    @property
    def waits(self) -> bool:
        return bool(self._waiting)

    def forget(self) -> None:
        """What waits is there already."""
        self._waiting.clear()

    def commit(self, at: LivePosition) -> None:
        """Write what waits, with the position. Raises `Superseded`, `Behind`, `PortUnreachable`.

        Of more rows than are written in one step, the position moves with the last: who is killed before
        comes from where he came.
        """
        waiting = iter(self._waiting.items())
        while True:
            some = dict(itertools.islice(waiting, ROWS_AT_ONCE))
            last = len(some) < ROWS_AT_ONCE
            note = at.text if last else self._note
            number = max((self._position or 0) + 1, sum(at.positions.values()) if last else 0)
            self._port.upsert(self.generation, some, number, after=self._position, note=note)
            self._position, self._note = number, note
            self.rows += len(some)
            if last:
                break
        self._waiting = {}

    def _typed(self, frame: pl.DataFrame) -> pl.DataFrame:
        names = self._rules.schema.names()
        if sorted(frame.columns) == sorted(names):
            frame = frame.select(names)
            if frame.schema == self._rules.schema:
                return frame
        try:
            found = pl.from_arrow(conform(frame, self._contract).read_all())
        except InvalidFrame as problem:
            raise LiveProblem(f"{self._contract.key}: {problem}") from None
        assert isinstance(found, pl.DataFrame)
        if found.schema != self._rules.schema:
            other = {n: t for n, t in found.schema.items() if self._rules.schema.get(n) != t}
            lacking = [name for name in names if name not in found.columns]
            raise LiveProblem(
                f"{self._contract.key}: update() of @live returned other columns than the contract's: "
                f"{', '.join([*other, *lacking])}; return each of them, of its type"
            )
        return found
