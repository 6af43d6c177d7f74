"""A writer to topics of Kafka's.

Belongs here: `LogWriter` over librdkafka's producer. Does not belong here: a table as messages
(`records.py`), what errors mean (`problems.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer, TopicPartition

from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.kafka.problems import (
    NOT_A_MEMBER,
    SAID_BY_THE_CLIENT,
    Heard,
    problem_of,
)
from shared_resources.streams.log.kafka.reader import KafkaReader
from shared_resources.streams.log.kafka.records import rows_of
from shared_resources.streams.log.port import LogProblem, LogReader, NotTheReader, Positions

if TYPE_CHECKING:
    import pyarrow as pa

# How long what is sent may take: brokers are restarted, and what they missed is sent again.
PATIENCE_SECONDS = 60.0
# After that the brokers abort what a dead writer had begun, if none of its name comes before: until then
# nobody reads further. They look each ten seconds.
TRANSACTION_SECONDS = 20.0


class KafkaWriter:
    """Implements `LogWriter`. What the brokers refuse is said at `flush`, or ends the transaction."""

    def __init__(self, settings: KafkaSettings, name: str | None) -> None:
        self._settings = settings
        self._name = name
        self._heard = Heard(settings)
        self._failed: tuple[KafkaError, str] | None = None
        self._begun = False
        self._producer = Producer(
            _configuration(settings, name, self._heard), logger=SAID_BY_THE_CLIENT
        )
        if name is not None:
            with self._heard.answering(name):
                self._producer.init_transactions(PATIENCE_SECONDS)

    def send(self, topic: str, messages: pa.Table) -> None:
        if self._name is not None and not self._begun:
            raise LogProblem(f"The writer {self._name!r} sends in transactions alone.")
        # By place (`callback` is another name of `on_delivery`): named arguments take longer.
        produce: Callable[..., None] = self._producer.produce
        note = self._note
        with self._heard.answering(topic):
            for value, key, partition, at, headers in rows_of(messages):
                while True:
                    try:
                        produce(topic, value, key, partition, note, note, at, headers)
                        break
                    except BufferError:
                        self._producer.poll(0.02)
            self._producer.poll(0)
        if not self._begun:
            self._heard.check()

    def flush(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        left = 1
        while left and time.monotonic() < until:
            left = self._producer.flush(0.5)
            self._heard.check()
        failed, self._failed = self._failed, None
        if failed is not None:
            raise problem_of(failed[0], self._settings, failed[1])
        if left:
            raise LogProblem(
                f"{left} messages were not taken by Kafka at {self._settings.servers} within "
                f"{PATIENCE_SECONDS:.0f} s; is it up?"
            )

    @contextmanager
    def transaction(
        self, reader: LogReader | None = None, positions: Positions | None = None
    ) -> Iterator[None]:
        if self._name is None:
            raise LogProblem("A writer without a name has no transactions: give it one.")
        if self._begun:
            raise LogProblem(f"The writer {self._name!r} is in a transaction already.")
        with self._heard.answering(self._name):
            self._producer.begin_transaction()
        self._begun, self._failed = True, None
        try:
            yield
            self._commit(reader, positions)
        except BaseException:
            # Of one that is fenced, the brokers have aborted it already.
            with suppress(KafkaException):
                self._producer.abort_transaction(PATIENCE_SECONDS)
            raise
        finally:
            self._begun = False

    def close(self) -> None:
        """What was not flushed is sent as far as a moment allows."""
        self._producer.flush(1.0)

    def _commit(self, reader: LogReader | None, positions: Positions | None) -> None:
        assert self._name is not None
        if reader is not None and positions:
            self._send_positions(reader, positions)
        until = time.monotonic() + PATIENCE_SECONDS
        with self._heard.answering(self._name):
            while True:
                try:
                    return self._producer.commit_transaction(PATIENCE_SECONDS)
                except KafkaException as problem:
                    if self._failed is not None:  # why it cannot be committed
                        raise problem_of(
                            self._failed[0], self._settings, self._failed[1]
                        ) from problem
                    if not problem.args[0].retriable() or time.monotonic() > until:
                        raise

    def _send_positions(self, reader: LogReader, positions: Positions) -> None:
        if not isinstance(reader, KafkaReader):
            raise LogProblem(
                "A transaction of Kafka's takes the positions of its own readers alone."
            )
        offsets = [TopicPartition(reader.topic, p, at) for p, at in positions.items()]
        with self._heard.answering(reader.group):
            member = reader.consumer.consumer_group_metadata()
            if not reader.consumer.memberid():
                # The brokers let whoever names no member write positions: older clients do so.
                raise _not_the_reader(reader, positions)
            try:
                self._producer.send_offsets_to_transaction(offsets, member, PATIENCE_SECONDS)
            except KafkaException as problem:
                if problem.args[0].code() not in NOT_A_MEMBER:
                    raise
                raise _not_the_reader(reader, positions) from problem

    def _note(self, error: KafkaError | None, message: Message) -> None:
        if error is not None and (
            self._failed is None or self._failed[0].code() == KafkaError._PURGE_QUEUE
        ):
            self._failed = (error, message.topic() or "")


def _not_the_reader(reader: KafkaReader, positions: Positions) -> NotTheReader:
    return NotTheReader(
        f"Partitions of {', '.join(map(str, sorted(positions)))} are another reader's of group "
        f"{reader.group!r} now, or change hands."
    )


def _configuration(settings: KafkaSettings, name: str | None, heard: Heard) -> dict[str, Any]:
    given = {
        **settings.client(),
        "error_cb": heard,
        "enable.idempotence": True,
        "partitioner": "murmur2_random",  # as Kafka's Java clients do it
        "compression.type": "lz4",
        # What is sent comes in tables, and waits for no company: 5 ms, the default, are most of what a
        # message takes from one process to another.
        "linger.ms": 1,
        "delivery.report.only.error": True,
        # How long a topic that is not known may be one that was just made.
        "topic.metadata.propagation.max.ms": 3_000,
        "message.timeout.ms": int(PATIENCE_SECONDS * 1000),
        # A client's own limit, of less than what a topic takes by default: the topic's is to decide, or a
        # gate would stand for ever at a message that the topic before it has taken.
        "message.max.bytes": 256 << 20,
        "queue.buffering.max.messages": 500_000,
        "queue.buffering.max.kbytes": 262_144,
        "reconnect.backoff.max.ms": 2_000,
    }
    if name is not None:
        longest = int(TRANSACTION_SECONDS * 1000)
        given |= {
            "transactional.id": name,
            "transaction.timeout.ms": longest,
            "message.timeout.ms": longest,
            # While the marks of the transaction before it are written, which takes milliseconds, brokers
            # refuse the next one's positions; the client's own pause is 100 ms, and grows from there.
            "retry.backoff.ms": 3,
            "linger.ms": 0,
        }
    return given
