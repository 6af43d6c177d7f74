"""Messages as rows of the contract's types, and why the others are none.

Belongs here: the strict reading of a message's value, by the very code that reads landed JSON.
Does not belong here: the rules (`governance/audit/`), keeping messages (`kept_messages.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Stream
from shared_resources.landing.formats.json_fields import Fields, JsonColumns, read_fields
from shared_resources.landing.rejects import Reason, Reject, RejectsWriter
from shared_resources.landing.typed_rows import BATCH_ROWS, TextBatch, TypedRows

Reasons = tuple[Reason, ...]


@dataclass(frozen=True)
class Decoded:
    """`rows` are of the contract's types, and `places` where in the messages each was. `faults` are the
    reasons of each message that is no row, by its place; `tombstones` those without a value.
    """

    rows: pa.Table
    places: tuple[int, ...]
    faults: Mapping[int, Reasons]
    tombstones: tuple[int, ...] = ()

    def without(self, why: Mapping[int, Reason]) -> Decoded:
        """Without the rows, by their number among `rows`, that are set aside for a reason each."""
        if not why:
            return self
        kept = [row for row in range(len(self.places)) if row not in why]
        set_aside = {self.places[row]: (reason,) for row, reason in why.items()}
        return Decoded(
            self.rows.take(pa.array(kept, pa.int64())),
            tuple(self.places[row] for row in kept),
            {**self.faults, **set_aside},
            self.tombstones,
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


def decode(contract: Contract, messages: pa.Table, scratch: Path) -> Decoded:
    """Read each message's value by the contract; what is needed meanwhile lies below `scratch`."""
    stream = contract.stream
    assert stream is not None
    values = messages.column("value").to_pylist()
    tombstones = tuple(place for place, value in enumerate(values) if value is None)
    faults = _Faults()
    with TypedRows(contract.columns, faults, scratch) as typed:
        batches = [typed.parse_batch(one) for one in _texts(contract, stream, values, faults)]
        rows = pa.Table.from_batches(batches, schema=typed.schema)
    out = {*tombstones, *faults.found}
    places = tuple(place for place in range(len(values)) if place not in out)
    return Decoded(rows, places, faults.found, tombstones)


class _Faults(RejectsWriter):
    """Collects the reasons by the place of their message, and writes nothing."""

    def __init__(self) -> None:
        super().__init__(Path(), "")
        self.found: dict[int, Reasons] = {}

    def add(self, reject: Reject) -> None:
        self.found[reject.row] = reject.reasons


def _texts(
    contract: Contract, stream: Stream, values: Sequence[bytes | None], faults: _Faults
) -> Iterator[TextBatch]:
    columns = JsonColumns(contract.columns, stream.ignores_extra)
    for start in range(0, len(values), BATCH_ROWS):
        places: list[int] = []
        objects: list[Fields] = []
        raw: list[str] = []
        for place in range(start, min(start + BATCH_ROWS, len(values))):
            value = values[place]
            if value is None:
                continue
            found, text = _fields(value)
            if isinstance(found, Reason):
                faults.found[place] = (found,)
                continue
            places.append(place)
            objects.append(columns.named(found))
            raw.append(text)
        wrong = columns.faults(objects, raw)
        faults.found |= {places[at]: tuple(reasons) for at, reasons in wrong.items() if reasons}
        kept = [at for at in range(len(places)) if not wrong.get(at)]
        if kept:
            yield TextBatch(
                columns=columns.texts([objects[at] for at in kept]),
                rows=[places[at] for at in kept],
                lines=[None] * len(kept),
                raw=[raw[at] for at in kept],
            )


def _fields(value: bytes) -> tuple[Fields | Reason, str]:
    with suppress(UnicodeDecodeError):
        text = value.decode("utf-8")
        return read_fields(text.strip(" \t\r\n")), text
    return Reason(None, None, "is not UTF-8"), ""
