"""What a contract says of messages one by one: which keep it, and why the others do not.

Belongs here: decoding, lateness, keys of tombstones and row rules asked of a table of messages, with the
verdict that a window of the same messages gives each of them.
Does not belong here: what only a window or the product decides (`MessageRules.placed` says which),
where messages come from and go to (`streams/gate/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl
import pyarrow as pa

from shared_resources.contracts.model import Contract, Rule, Severity, Threshold
from shared_resources.contracts.rules.batch.parse import KIND as PARSE
from shared_resources.contracts.rules.kind import RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.landing.rejects import Reason
from shared_resources.streams.late import late_rows, reason_of
from shared_resources.streams.merging import read_keys
from shared_resources.streams.row_rules.places import Placed
from shared_resources.streams.row_rules.rules import RowRules
from shared_resources.streams.window_rows import decoder_for

LATE = "late"


@dataclass(frozen=True)
class Broken:
    """One thing that is wrong with a message. `rule` is the name of a rule of the contract (`parse` for
    what cannot be read) or `late`; `reason` tells more of these two, and may quote a value of the
    message in its `value` alone: that is for quarantine, no log."""

    rule: str
    reason: Reason | None = None


@dataclass(frozen=True)
class JudgedMessages:
    """What becomes of each message of a table, by its place in it: exactly one of the three.

    `frame` has the rows of those that are kept, of the contract's types, and `places` (UInt32,
    ascending) where each was. `broken` is by place, ascending. `tombstones` are messages without a
    value: of an upsert each names a key, elsewhere they are no rows and break nothing.
    """

    frame: pl.DataFrame
    places: pl.Series
    broken: Mapping[int, tuple[Broken, ...]]
    tombstones: tuple[int, ...]


class MessageRules:
    """What a stream's contract asks of single messages, compiled once. `rules` are all that hold for the
    product, those of central policies too (`ProductDefinition.rules`); by default the contract's own.

    Raises what `decoder_of` raises.
    """

    def __init__(self, contract: Contract, rules: Sequence[Rule] | None = None) -> None:
        assert contract.stream is not None, "a product of another kind"
        self.contract = contract
        self._stream = contract.stream
        asked = contract.rules if rules is None else rules
        if not self._stream.appends:
            asked = [alone(rule) for rule in asked]
        self._rows = RowRules(contract, asked)
        self._decoder = decoder_for(contract)

    @property
    def placed(self) -> tuple[Placed, ...]:
        """Each rule, and where it is decided."""
        return self._rows.placed

    def judge(self, messages: pa.Table) -> JudgedMessages:
        """Of messages in `log.port.message_schema()`. Raises `RegistryUnreachable`."""
        found = self._decoder.decode(messages.column("value").combine_chunks())
        broken = {one.position: _unread(one.reasons) for one in found.undecodable}
        frame, places = self._in_time(found.frame, found.positions, messages, broken)
        judged = self._rows.judge(frame)
        if len(judged.reasons):
            lost = places.filter(judged.rejected).to_list()
            for place, names in zip(lost, judged.reasons.to_list(), strict=True):
                broken[place] = tuple(Broken(name) for name in names)
            frame, places = judged.kept(frame), places.filter(~judged.rejected)
        tombstones = self._tombstones(found.tombstones, messages, broken)
        return JudgedMessages(frame, places, dict(sorted(broken.items())), tombstones)

    def _in_time(
        self,
        frame: pl.DataFrame,
        places: pl.Series,
        messages: pa.Table,
        broken: dict[int, tuple[Broken, ...]],
    ) -> tuple[pl.DataFrame, pl.Series]:
        late = self._stream.late
        if late is None or not frame.height:
            return frame, places
        at = places.cast(pl.Int64).to_arrow()
        rows = late_rows(late, frame[late.column].to_arrow(), messages, at)
        if not rows:
            return frame, places
        said = (Broken(LATE, reason_of(late)),)
        broken.update(dict.fromkeys(places.gather(rows).to_list(), said))
        in_time = ~pl.int_range(frame.height, eager=True).is_in(rows)
        return frame.filter(in_time), places.filter(in_time)

    def _tombstones(
        self,
        tombstones: tuple[int, ...],
        messages: pa.Table,
        broken: dict[int, tuple[Broken, ...]],
    ) -> tuple[int, ...]:
        """Those of an upsert whose key can be read; of the others it is said what is wrong."""
        if self._stream.appends or not tombstones:
            return tombstones
        keys = messages.column("key").take(pa.array(tombstones, pa.int64())).to_pylist()
        read = dict(zip(tombstones, read_keys(self.contract, keys), strict=True))
        broken |= {place: _unread((key,)) for place, key in read.items() if isinstance(key, Reason)}
        return tuple(place for place in tombstones if place not in broken)


def _unread(reasons: Sequence[Reason]) -> tuple[Broken, ...]:
    return tuple(Broken(PARSE.name, reason) for reason in reasons)


def alone(rule: Rule) -> Rule:
    """As an upsert asks it (`broken_alone.py`): no new row may break it, whatever its threshold is."""
    if rule.severity is Severity.BLOCKING and isinstance(kind_of(rule), RowKind):
        return replace(rule, threshold=Threshold())
    return rule
