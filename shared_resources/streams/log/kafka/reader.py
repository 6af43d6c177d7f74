"""A member of a group that reads a topic of Kafka's.

Belongs here: `LogReader` over librdkafka's consumer. Does not belong here: messages as a table
(`records.py`), what errors mean (`problems.py`).

Partitions change hands one by one (cooperative rebalancing), so that `given` and `taken` name what
changed and nothing else. Offsets that Kafka keeps for the group are never read: a partition is assigned
once the `Assignment` has said from where, outside of the client's callback.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_INVALID, Consumer, KafkaError, Message, TopicPartition

from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.kafka.problems import SAID_BY_THE_CLIENT, Heard, problem_of
from shared_resources.streams.log.kafka.records import table_of
from shared_resources.streams.log.port import Assignment, OffsetsGone, Positions

if TYPE_CHECKING:
    import pyarrow as pa

# Brokers are restarted one after the other; who is away for longer is missed.
PATIENCE_SECONDS = 60.0
ANSWER_SECONDS = 10.0
_PORTION = 10_000
_MOMENT_SECONDS = 0.05  # after which what the group says is looked at
# What the client says of a partition and mends by itself.
_PASSING = frozenset(
    {
        KafkaError._PARTITION_EOF,
        KafkaError._MAX_POLL_EXCEEDED,  # it joins anew, and what it lost is told
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
    }
)


class KafkaReader:
    """Implements `LogReader`. One outage is borne for `PATIENCE_SECONDS`, with nothing to take."""

    def __init__(
        self,
        settings: KafkaSettings,
        topic: str,
        group: str,
        assignment: Assignment,
        session_seconds: float,
    ) -> None:
        self._settings = settings
        self.topic, self.group = topic, group
        self._assignment = assignment
        self._heard = Heard(settings)
        self._new: list[int] = []  # the group's gift, not yet answered for
        self._positions: dict[int, int] = {}  # where each of ours was assigned from, or was paused
        self._paused: set[int] = set()
        self._gone: dict[int, int] = {}
        self._problem: BaseException | None = None  # said when what came before it was given
        self._lost_now = self._closed = False
        configuration = _configuration(settings, group, session_seconds, self._heard)
        self.consumer = Consumer(configuration, logger=SAID_BY_THE_CLIENT)
        told = {"on_assign": self._on_assign, "on_revoke": self._on_lost, "on_lost": self._on_lost}
        with self._heard.answering(topic):
            self.consumer.subscribe([topic], **told)

    def take(self, most: int, within_seconds: float) -> pa.Table:
        self._say_what_is_wrong()
        self._assign_the_new()
        until = time.monotonic() + within_seconds
        while True:
            with _no_collection():
                taken = self._take(most, until)
            if taken.num_rows or self._problem is not None or time.monotonic() >= until:
                break
            self._assign_the_new()  # a group that just formed: its messages are still to come
        if taken.num_rows:
            self._heard.answered()
        else:
            self._say_what_is_wrong()
        return taken

    def _take(self, most: int, until: float) -> pa.Table:
        """What is there, portion by portion: as Python's objects messages take ten times their room."""
        import pyarrow as pa
        import pyarrow.compute as pc

        portions: list[pa.Table] = []
        self._lost_now = False
        while most > 0:
            asked = min(most, _PORTION)
            messages = self._consume(asked, 0.0 if portions else until)
            portions.append(table_of(messages))
            most -= len(messages)
            if len(messages) < asked:
                break
        taken = pa.concat_tables(portions) if portions else table_of([])
        if self._lost_now:
            # Some were fetched before their partition went to another, which reads them again.
            ours = pa.array(sorted(self._positions), pa.int32())
            taken = taken.filter(pc.is_in(taken.column("partition"), ours))
        return taken

    def positions(self) -> Positions:
        """Kafka's own once it has fetched: that passes aborted messages and a transaction's marks."""
        asked = [self._at(p) for p in self._positions if p not in self._paused]
        with self._heard.answering(self.topic):
            known = (
                {at.partition: at.offset for at in self.consumer.position(asked)} if asked else {}
            )
        return {
            partition: known[partition] if known.get(partition, -1) >= 0 else position
            for partition, position in self._positions.items()
        }

    def seek(self, positions: Positions) -> None:
        ours = {p: at for p, at in positions.items() if p in self._positions}
        self._unassign(ours.keys() - self._paused)
        self._assign(ours)

    def pause(self, partitions: Sequence[int]) -> None:
        """Not assigned to the client meanwhile, so that nothing is fetched that would be thrown away."""
        new = {p for p in partitions if p in self._positions and p not in self._paused}
        self._positions.update({p: at for p, at in self.positions().items() if p in new})
        self._unassign(new)
        self._paused |= new

    def show(self, positions: Positions) -> None:
        offsets = [self._at(p, at) for p, at in positions.items() if p in self._positions]
        if offsets:
            with self._heard.answering(self.group):
                self.consumer.commit(offsets=offsets, asynchronous=True)

    def close(self) -> None:
        self._closed = True
        self.consumer.close()

    def _consume(self, most: int, until: float) -> list[Message]:
        """What is there; else the first that comes within a moment, and what came with it."""
        with self._heard.answering(self.topic):
            messages: list[Message] = self.consumer.consume(most, 0)
            if not messages and (wait := min(_MOMENT_SECONDS, until - time.monotonic())) > 0:
                messages = self.consumer.consume(1, wait)
                if messages and most > 1:
                    messages += self.consumer.consume(most - 1, 0)
        if any(map(Message.error, messages)):
            for message in messages:
                if (error := message.error()) is not None:
                    self._note(error, message)
            messages = [message for message in messages if message.error() is None]
        return messages

    def _note(self, error: KafkaError, message: Message) -> None:
        partition = message.partition()
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            if partition in self._positions:
                self._gone[partition] = message.offset() or 0
        elif error.code() not in _PASSING and self._problem is None:
            self._problem = problem_of(error, self._settings, self.topic)

    def _say_what_is_wrong(self) -> None:
        problem, self._problem = self._problem, None
        if problem is not None:
            raise problem
        for partition, position in self._gone.items():
            with self._heard.answering(self.topic):
                begins, ends = self.consumer.get_watermark_offsets(
                    self._at(partition), timeout=ANSWER_SECONDS, cached=False
                )
            raise OffsetsGone(self.topic, partition, position, begins, ends)
        self._heard.check()
        since = self._heard.away_since
        if since is not None and time.monotonic() - since > PATIENCE_SECONDS:
            with self._heard.answering(self.topic):
                self.consumer.list_topics(self.topic, timeout=ANSWER_SECONDS)
            self._heard.answered()

    def _on_assign(self, consumer: Consumer, given: list[TopicPartition]) -> None:
        self._new += [at.partition for at in given]
        # Nothing yet: `given` may take its time and may raise, which is nothing for a callback of C's.
        consumer.incremental_assign([])

    def _on_lost(self, consumer: Consumer, lost: list[TopicPartition]) -> None:
        partitions = {at.partition for at in lost}
        self._new = [partition for partition in self._new if partition not in partitions]
        ours = partitions & self._positions.keys()
        fetched = ours - self._paused
        for partition in ours:
            del self._positions[partition]
            self._gone.pop(partition, None)
        self._paused -= ours
        self._lost_now = True
        if ours and not self._closed:
            try:
                self._assignment.taken(sorted(ours))
            except BaseException as problem:  # noqa: BLE001
                # Raised by `take`: in a callback of C's it would say where nobody looks.
                self._problem = problem
        consumer.incremental_unassign([self._at(partition) for partition in fetched])

    def _assign_the_new(self) -> None:
        if not self._new:
            return
        new = sorted(self._new)
        answered = dict(self._assignment.given(new))
        with self._heard.answering(self.topic):
            for partition in new:
                if partition not in answered:
                    begins, _ = self.consumer.get_watermark_offsets(
                        self._at(partition), timeout=ANSWER_SECONDS, cached=False
                    )
                    answered[partition] = begins
        self._new = []
        self._assign({partition: answered[partition] for partition in new})

    def _assign(self, positions: Positions) -> None:
        with self._heard.answering(self.topic):
            self.consumer.incremental_assign([self._at(p, at) for p, at in positions.items()])
        self._positions.update(positions)
        self._paused -= positions.keys()
        for partition in positions:
            self._gone.pop(partition, None)

    def _unassign(self, partitions: Iterable[int]) -> None:
        with self._heard.answering(self.topic):
            self.consumer.incremental_unassign([self._at(p) for p in partitions])

    def _at(self, partition: int, offset: int = OFFSET_INVALID) -> TopicPartition:
        return TopicPartition(self.topic, partition, offset)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Thousands of messages refer to nothing that refers to them: to look for that again and again is
    half of what taking them costs."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _configuration(
    settings: KafkaSettings, group: str, session_seconds: float, heard: Heard
) -> dict[str, Any]:
    return {
        **settings.client(),
        "group.id": group,
        "error_cb": heard,
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        # What is not there any more is said, never passed over.
        "auto.offset.reset": "error",
        "partition.assignment.strategy": "cooperative-sticky",
        "session.timeout.ms": int(session_seconds * 1000),
        "heartbeat.interval.ms": int(session_seconds * 1000 / 4),
        "max.poll.interval.ms": max(300_000, int(session_seconds * 1000)),
        # A topic that was made anew, or has more partitions, is noticed within that.
        "topic.metadata.refresh.interval.ms": 30_000,
        "queued.max.messages.kbytes": 131_072,
        "fetch.wait.max.ms": 100,
        # How long it fetches nothing once it has enough for a moment: a second, the client's own, is long
        # enough to run dry, and the most of what reading a backlog took.
        "fetch.queue.backoff.ms": 10,
        "reconnect.backoff.max.ms": 2_000,
    }
