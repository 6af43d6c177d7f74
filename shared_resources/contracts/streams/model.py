"""What a contract says of the topic that its product is made of.

Belongs here: the immutable type that `contracts/model.py` holds.
Does not belong here: reading it from a file (`contracts/reading/governed/`), what is done by it (the
room `streams/`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

# What the name of a topic of undecided messages ends with.
UNDECIDED = ".undecided"


class MessageFormat(StrEnum):
    """How a message's value is written. The last two are framed as a schema registry's clients do."""

    JSON = "json"
    AVRO = "avro"
    PROTOBUF = "protobuf"


class StreamMode(StrEnum):
    """`APPEND`: each message is a row. `UPSERT`: of the messages with one key the last is the row, and a
    message without a value takes it away."""

    APPEND = "append"
    UPSERT = "upsert"


class Engine(StrEnum):
    """What decodes the messages, or passes them at the gate: the platform's own process, or a job of
    Flink's beside it."""

    MESH = "mesh"
    FLINK = "flink"


class ExtraFields(StrEnum):
    """What becomes of a message with fields that the contract does not know."""

    REFUSE = "refuse"
    IGNORE = "ignore"


class Delivery(StrEnum):
    """How often a message stands in the topics of the gate: `AT_LEAST_ONCE` twice, if a process ended in
    between; `EXACTLY_ONCE` by the log's transactions, to readers of what is committed."""

    AT_LEAST_ONCE = "at_least_once"
    EXACTLY_ONCE = "exactly_once"


@dataclass(frozen=True)
class Gate:
    """`topic` holds what keeps the contract, of each message as it came. `engine` decides on what is
    plainly written."""

    topic: str
    delivery: Delivery = Delivery.EXACTLY_ONCE
    engine: Engine = Engine.MESH

    @property
    def undecided(self) -> str:
        """The topic of what a job could not decide, which the platform's own process does then; ``""``
        where no job passes messages on."""
        return f"{self.topic}{UNDECIDED}" if self.engine is Engine.FLINK else ""


@dataclass(frozen=True)
class Late:
    """A message is late whose `column` lies more than `hours` before it came to the log."""

    column: str
    hours: int


@dataclass(frozen=True)
class Stream:
    """The product is made of the messages of `topic`.

    `window_seconds`, 1 to 60: how long messages are gathered for one commit. `late` are set aside.
    `subject` is the registry's name of the values' schema, of which the process says when it starts which
    versions do not fit. `ignores_extra`: fields that the contract does not know are left out. `engine`
    decodes the messages; all else is the same for each. `dead_letters` is the topic of what the gate does
    not pass; ``""`` for none. `undecided_of` stands in no contract: it is the stream's own topic, of one
    whose `topic` holds what a job has left of that to the platform (`streams/gate/undecided.py`).
    """

    topic: str
    format: MessageFormat
    mode: StreamMode = StreamMode.APPEND
    window_seconds: int = 5
    late: Late | None = None
    subject: str = ""
    ignores_extra: bool = False
    engine: Engine = Engine.MESH
    gate: Gate | None = None
    dead_letters: str = ""
    undecided_of: str = ""
    line: int = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """All that have its messages: its own, its gate's, of dead letters and of what is undecided."""
        gate = (self.gate.topic, self.gate.undecided) if self.gate is not None else ()
        return tuple(one for one in (self.topic, *gate, self.dead_letters) if one)

    @property
    def appends(self) -> bool:
        """Whether its rows are added to what is published, and replace nothing."""
        return self.mode is StreamMode.APPEND
