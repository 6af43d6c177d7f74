"""The port to a log of messages: what the embedded log and Kafka both do, and no more.

Belongs here: the shape of messages, positions, readers and writers that a stream's process uses.
Does not belong here: how one log keeps them (`embedded/`, `kafka/`), decoding a message.

Offsets are those of the log: a reader's *position* in a partition is the offset of the next message
that it has not been given, past what was aborted and past the log's own marks. Where a product stands
is said by its own commits and nothing else; what a group `shows` is for displays of lag.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Protocol

from shared_resources.problems import MeshProblem

if TYPE_CHECKING:
    import pyarrow as pa

Positions = Mapping[int, int]


class LogProblem(MeshProblem):
    """The log does not answer, or refuses; the message says which address or file and what to do."""


class LogUnreachable(LogProblem):
    """Nobody answers at the log's address, or nobody there takes this client in: whichever topic is asked
    for, and after the same wait. The message names none."""


class OffsetsGone(LogProblem):
    """What a reader was to read next is not in the log: kept no longer, or never written to this topic.

    `position` is where the reader stood in `partition`; the log has what is from `begins` to before
    `ends`. The reader says it again at each `take` until it seeks, or the partition is another's.
    """

    def __init__(self, topic: str, partition: int, position: int, begins: int, ends: int) -> None:
        self.topic, self.partition, self.position = topic, partition, position
        self.begins, self.ends = begins, ends
        if position < begins:
            told = (
                f"messages {position} to {begins - 1} ({begins - position} offsets) are gone: the topic "
                "kept them no longer"
            )
        else:
            told = (
                f"message {position} was never written: the topic ends before {ends}. It was made "
                "anew, or lost its last messages"
            )
        super().__init__(
            f"{topic}, partition {partition}: {told}. It has what is from {begins} to before {ends}."
        )


class Fenced(MeshProblem):
    """Another writer of the same name has begun since, or the reader's partitions are another's: what
    this writer had begun was aborted."""


class NotTheReader(Fenced):
    """The reader's partitions are another's, or change hands just now; the writer can go on."""


@cache
def message_schema() -> pa.Schema:
    """One row a message, in the order of its partition.

    `partition` int32, `offset` int64, `timestamp` timestamp[ms, UTC], `key` and `value` binary (null:
    none, and a null value is a tombstone), `headers` list of (name, value), null where there are none.
    """
    import pyarrow as pa

    header = pa.struct([pa.field("name", pa.string()), pa.field("value", pa.binary())])
    return pa.schema(
        [
            pa.field("partition", pa.int32(), nullable=False),
            pa.field("offset", pa.int64(), nullable=False),
            pa.field("timestamp", pa.timestamp("ms", "UTC"), nullable=False),
            pa.field("key", pa.binary()),
            pa.field("value", pa.binary()),
            pa.field("headers", pa.list_(header)),
        ]
    )


@dataclass(frozen=True)
class TopicState:
    """A topic as it is now. `id` differs from that of a topic of the same name that was deleted.

    `begins` and `ends` are by partition: the first offset that is still kept, and the one after the
    last message that may be read (what an open transaction holds back is not yet).
    """

    name: str
    id: str
    begins: Positions
    ends: Positions

    @property
    def partitions(self) -> int:
        return len(self.ends)


class Assignment(Protocol):
    """What a reader tells of the partitions that it shares with the others of its group."""

    def given(self, partitions: Sequence[int]) -> Positions:
        """These are this reader's now: from where each is to be read. Called before any of their
        messages is taken; a partition that is not answered is read from its beginning."""
        ...

    def taken(self, partitions: Sequence[int]) -> None:
        """These are not this reader's any more: another one may read them already."""
        ...


class LogReader(Protocol):
    """One member of a group that shares a topic's partitions; only committed messages are given."""

    def take(self, most: int, within_seconds: float) -> pa.Table:
        """Up to `most` messages of `message_schema()`, waiting no longer than that for the first and
        taking what is there: an empty table when nothing came. Calls `Assignment` from here alone.

        Raises `OffsetsGone` when the log does not have what is next, and `LogProblem`."""
        ...

    def positions(self) -> Positions:
        """By partition that is this reader's: the offset of the next message that it has not been
        given. It passes what was aborted."""
        ...

    def seek(self, positions: Positions) -> None:
        """Read these partitions from there again; what was fetched of them is forgotten."""
        ...

    def pause(self, partitions: Sequence[int]) -> None:
        """Give no more messages of these until `seek`."""
        ...

    def show(self, positions: Positions) -> None:
        """Tell the log how far the product is, for its displays of lag. Never read back; what fails
        here is said at the next `take`, if at all."""
        ...

    def close(self) -> None:
        """Leave the group at once, so that the others get its partitions."""
        ...


class LogWriter(Protocol):
    """Writes to topics: at least once, or in transactions of its `name` (exactly once)."""

    def send(self, topic: str, messages: pa.Table) -> None:
        """Hand over messages of `message_schema()`; `partition` -1 lets the key decide, as the log's own
        clients do; `offset` is ignored. Waits where the log is slower than the writer."""
        ...

    def flush(self) -> None:
        """Return when all are written as durably as the topic promises. Raises `LogProblem` with what
        was not."""
        ...

    def transaction(
        self, reader: LogReader | None = None, positions: Positions | None = None
    ) -> AbstractContextManager[None]:
        """What is sent within is seen whole or never, together with the reader's group being at
        `positions`. An exception aborts it. Raises `Fenced` when another writer has this name now, and
        `NotTheReader` when the partitions are not the reader's any more."""
        ...

    def close(self) -> None: ...


class Log(Protocol):
    """A log with topics. Every method may be called from many processes."""

    def topic(self, name: str) -> TopicState | None:
        """None when there is none. Raises `LogProblem`."""
        ...

    def topics(self) -> tuple[str, ...]: ...

    def create(
        self,
        name: str,
        partitions: int,
        *,
        keep_seconds: int | None = None,
        compacted: bool = False,
    ) -> None:
        """Make a topic; nothing happens when one of that name and as many partitions is there.
        Raises `LogProblem` otherwise."""
        ...

    def delete(self, name: str) -> None:
        """Delete the topic with all its messages; nothing happens when there is none."""
        ...

    def keep_house(self, topic: str) -> bool:
        """Remove what the topic keeps no longer, and of a compacted one each key's earlier messages, if
        the log does not do so by itself; whether anything went. Nothing happens without such a topic."""
        ...

    def shown(self, topic: str, group: str) -> Positions:
        """What the group showed last."""
        ...

    def positions_of(self, topic: str, group: str) -> Positions:
        """Where a group of transactions is: what `LogWriter.transaction` committed last."""
        ...

    def reader(self, topic: str, group: str, assignment: Assignment) -> LogReader:
        """A further member of the group. Raises `LogProblem` when there is no such topic."""
        ...

    def writer(self, name: str | None = None) -> LogWriter:
        """`name` is the writer's over its restarts and makes transactions possible: the next writer of
        the name fences this one."""
        ...
