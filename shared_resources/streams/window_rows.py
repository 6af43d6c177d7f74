"""A window's messages as rows of the contract's types, and why the others are none.

Belongs here: the rows with the place of each among the messages, and setting more of them aside.
Does not belong here: decoding (`decoding/`), the rules (`governance/audit/`), keeping messages
(`kept_messages.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from shared_resources.confinement.guard import platform_variables
from shared_resources.contracts.model import Contract
from shared_resources.contracts.types import arrow_schema
from shared_resources.landing.rejects import Reason, Reject, RejectsWriter
from shared_resources.streams.decoding.decoded import Decoder
from shared_resources.streams.decoding.decoders import decoder_of

Reasons = tuple[Reason, ...]


@dataclass(frozen=True)
class WindowRows:
    """`rows` are of the contract's types, and `places` where in the messages each was. `faults` are the
    reasons of each message that is no row, by its place; `tombstones` those without a value. `ignored`
    names fields that the contract does not know and says to leave out.
    """

    rows: pa.Table
    places: tuple[int, ...]
    faults: Mapping[int, Reasons]
    tombstones: tuple[int, ...] = ()
    ignored: frozenset[str] = frozenset()

    def without(self, why: Mapping[int, Reason]) -> WindowRows:
        """Without the rows, by their number among `rows`, that are set aside for a reason each."""
        if not why:
            return self
        kept = [row for row in range(len(self.places)) if row not in why]
        set_aside = {self.places[row]: (reason,) for row, reason in why.items()}
        return WindowRows(
            self.rows.take(pa.array(kept, pa.int64())),
            tuple(self.places[row] for row in kept),
            {**self.faults, **set_aside},
            self.tombstones,
            self.ignored,
        )

    def write_faults(self, topic: str, messages: pa.Table, file: Path) -> Path | None:
        """The file of rejects, each at its offset; None without any."""
        rejects = RejectsWriter(file, topic)
        partitions, offsets = messages.column("partition"), messages.column("offset")
        for place, reasons in sorted(self.faults.items()):
            of = f"{topic}[{partitions[place].as_py()}]"
            # The message itself is kept beside it.
            rejects.add(Reject(offsets[place].as_py(), None, "{}", reasons, of))
        return rejects.close()


@lru_cache(maxsize=4)  # a process makes one product; tests and replays others
def decoder_for(contract: Contract) -> Decoder:
    """Of a stream's messages, by its contract; kept. Raises what `decoder_of` raises."""
    stream = contract.stream
    assert stream is not None
    return decoder_of(
        contract, stream.format, platform_variables(), ignores_extra=stream.ignores_extra
    )


def read_rows(contract: Contract, messages: pa.Table) -> WindowRows:
    """Read each message's value by the contract. Raises `RegistryUnreachable`."""
    found = decoder_for(contract).decode(messages.column("value").combine_chunks())
    schema = arrow_schema(tuple((c.name, c.type) for c in contract.columns))
    rows = found.frame.to_arrow().select(schema.names).cast(schema)
    return WindowRows(
        rows,
        tuple(found.positions.to_list()),
        {one.position: one.reasons for one in found.undecodable},
        found.tombstones,
        found.ignored,
    )
