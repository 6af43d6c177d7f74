"""Live rows on their way into the port: checked by the product's own row rules, and written with the
position that they come from.

Belongs here: that check, what waits to be written, and the one step.
Does not belong here: which rows (`making.py`), how a port writes (`serving_ports/`).
"""

from __future__ import annotations

import itertools
from collections import Counter

import polars as pl
import pyarrow as pa

from shared_resources.contracts.model import Severity
from shared_resources.contracts.promise import aliases
from shared_resources.contracts.rules.batch.not_empty import KIND as NOT_EMPTY
from shared_resources.contracts.rules.kind import KeyKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import arrow_schema
from shared_resources.contracts.values.lossless import InvalidFrame, conform
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.serving_ports.live_position import LivePosition
from shared_resources.serving_ports.port import Generation, Held, ServingPort
from shared_resources.serving_ports.rows import rows_of
from shared_resources.streams.live.making import LiveProblem
from shared_resources.streams.row_rules.messages import alone
from shared_resources.streams.row_rules.places import Place, Placed
from shared_resources.streams.row_rules.rules import RowRules

ROWS_AT_ONCE = 5_000


def rules_of(definition: ProductDefinition) -> RowRules:
    """The product's rules as they are asked of live rows: each takes another's place, and so is asked as
    an upsert's, whatever share of a batch its contract allows to break them."""
    return RowRules(definition.contract, [alone(rule) for rule in definition.rules])


def not_asked(definition: ProductDefinition) -> tuple[Placed, ...]:
    """The blocking rules that no live row is held to, each with the reason. Not among them are those that
    a row which replaces that of its key cannot break: the primary key, and that there are rows."""
    here = (Place.DECODING, Place.MESSAGE)
    key = definition.contract.primary_key
    return tuple(
        one
        for one in rules_of(definition).placed
        if one.rule.severity is Severity.BLOCKING
        and one.place not in here
        and not (isinstance(kind_of(one.rule), KeyKind) and one.rule.columns == key)
        and one.rule.kind != NOT_EMPTY.name
    )


class LiveWriter:
    """Writes into the generation that is held, after the position that it has.

    `refused` counts, by rule, the rows that broke a blocking one: none of them is ever written.
    """

    def __init__(self, port: ServingPort, held: Held, definition: ProductDefinition) -> None:
        self._port, self._contract = port, definition.contract
        self.generation: Generation = held.generation
        self._position, self._note = held.position, held.note
        self._rules = rules_of(definition)
        self._schema = arrow_schema(tuple(self.generation.types.items()))
        former = aliases(definition.contract)
        self._served = [former.get(name, name) for name in self._schema.names]
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
        kept = judged.kept(frame)[self._served].to_arrow().rename_columns(self._schema.names)
        for batch in self._as_served(kept).to_batches():
            self._waiting.update(rows_of(batch, self.generation))

    def _as_served(self, kept: pa.Table) -> pa.Table:
        try:
            return kept.cast(self._schema)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raised = self._contract.key
        raise LiveProblem(  # here, where the error is no context: its text quotes a value
            f"{raised}: a row does not fit the types of the version that is served, which was made under "
            "another contract; publish the product under the one of today"
        )

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
            frame = frame[names]
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
