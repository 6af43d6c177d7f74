"""What the gate writes: messages as they came, and dead letters with the reasons beside them.

Belongs here: splitting a table of messages by its verdicts, the headers of a dead letter.
Does not belong here: the verdicts (`row_rules/messages.py`), writing to the log (`process.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.streams.log.port import message_schema
from shared_resources.streams.row_rules.messages import Broken, JudgedMessages

# The headers of a dead letter, after those of the message. No value of the message is in them.
RULES, COLUMNS = "mesh.rules", "mesh.columns"
PRODUCT, VERSION = "mesh.product", "mesh.contract_version"
TOPIC, PARTITION, OFFSET = "mesh.source_topic", "mesh.source_partition", "mesh.source_offset"
BY_KEY = -1


@dataclass(frozen=True)
class Letters:
    """`passed` and `dead` are in `message_schema()`, in the order of the messages; `left_out` counts
    those without a value where they are about no row."""

    passed: pa.Table
    dead: pa.Table
    left_out: int


def split(contract: Contract, messages: pa.Table, judged: JudgedMessages) -> Letters:
    """Each message of the table is in one of the three."""
    stream = contract.stream
    assert stream is not None
    kept = judged.places.to_list()
    tombstones = () if stream.appends else judged.tombstones
    if tombstones:
        kept = sorted([*kept, *tombstones])
    whole = len(kept) == messages.num_rows
    passed = messages if whole else messages.take(pa.array(kept, pa.int64()))
    dead = messages.slice(0, 0) if whole else _dead(contract, messages, judged)
    return Letters(passed, dead, messages.num_rows - passed.num_rows - dead.num_rows)


def _dead(contract: Contract, messages: pa.Table, judged: JudgedMessages) -> pa.Table:
    stream = contract.stream
    assert stream is not None
    places = list(judged.broken)
    dead = messages.take(pa.array(places, pa.int64()))
    partitions, offsets = (dead.column(name).to_pylist() for name in ("partition", "offset"))
    rows: list[list[dict[str, Any]]] = []
    for number, came in enumerate(dead.column("headers").to_pylist()):
        added = {
            **_reasons(contract, judged.broken[places[number]]),
            PRODUCT: contract.key,
            VERSION: contract.version,
            TOPIC: stream.undecided_of or stream.topic,
            PARTITION: str(partitions[number]),
            OFFSET: str(offsets[number]),
        }
        said = [{"name": name, "value": value.encode()} for name, value in added.items()]
        rows.append([*(came or ()), *said])
    field = message_schema().field("headers")
    place = dead.schema.get_field_index("headers")
    return dead.set_column(place, field, pa.array(rows, field.type))


def _reasons(contract: Contract, broken: tuple[Broken, ...]) -> dict[str, str]:
    """Names that stand in the contract alone: a message's own names may be anything."""
    declared = {column.name for column in contract.columns}
    named = {one.reason.column for one in broken if one.reason is not None}
    columns = ", ".join(sorted(name for name in named if name in declared))
    rules = ", ".join(dict.fromkeys(one.rule for one in broken))
    return {RULES: rules, **({COLUMNS: columns} if columns else {})}


def by_key(messages: pa.Table) -> pa.Table:
    """To the partitions that their keys decide."""
    anywhere = pa.array([BY_KEY] * messages.num_rows, pa.int32())
    return messages.set_column(0, message_schema().field("partition"), anywhere)
