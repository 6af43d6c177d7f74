"""The log that Kafka is: its topics, and readers and writers of them.

Belongs here: `Log` over librdkafka's admin client. Does not belong here: what readers and writers do.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from confluent_kafka import (
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec  # type: ignore[attr-defined]

from shared_resources.confinement.guard import refuse
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.state.per_process import OncePerProcess
from shared_resources.streams.log.kafka.problems import (
    NO_TOPIC,
    SAID_BY_THE_CLIENT,
    SETTLING,
    Heard,
)
from shared_resources.streams.log.kafka.reader import KafkaReader
from shared_resources.streams.log.kafka.writer import TRANSACTION_SECONDS, KafkaWriter
from shared_resources.streams.log.names import check_topic_name
from shared_resources.streams.log.port import Assignment, LogProblem, Positions, TopicState

SESSION_SECONDS = 10.0
ANSWER_SECONDS = 15.0
# A topic that was just made or deleted is not known to every broker yet.
_SETTLING_SECONDS = 10.0
_LATEST: OffsetSpec = OffsetSpec.latest()  # type: ignore[no-untyped-call]
_EARLIEST: OffsetSpec = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
_T = TypeVar("_T")


class KafkaLog:
    """Implements `Log`. A member of a group that was silent for `session_seconds` is out."""

    def __init__(self, settings: KafkaSettings, session_seconds: float = SESSION_SECONDS) -> None:
        refuse("opens the log of messages")
        self._settings = settings
        self._session = session_seconds
        self._opened = OncePerProcess(self._open)

    @property
    def kafka(self) -> KafkaSettings:
        """How it is reached, for who reads it by itself; with secrets in it."""
        return self._settings

    def __str__(self) -> str:
        return f"Kafka at {self._settings.servers}"

    def topic(self, name: str) -> TopicState | None:
        check_topic_name(name)
        admin, _ = self._opened()
        until = time.monotonic() + _SETTLING_SECONDS
        while True:
            try:
                (asked,) = admin.describe_topics(TopicCollection([name])).values()
                described = self._answer(asked)
                ends = self._offsets(name, len(described.partitions), _LATEST)
                begins = self._offsets(name, len(described.partitions), _EARLIEST)
                return TopicState(name, str(described.topic_id), begins, ends)
            except KafkaException as problem:
                error = problem.args[0]
                if error.code() in NO_TOPIC:
                    return None
                if error.code() not in SETTLING or time.monotonic() > until:
                    with self._said_of(name):
                        raise
                time.sleep(0.1)

    def topics(self) -> tuple[str, ...]:
        admin, heard = self._opened()
        with heard.answering():
            known = admin.list_topics(timeout=ANSWER_SECONDS).topics
        return tuple(sorted(name for name in known if not name.startswith("__")))

    def create(
        self,
        name: str,
        partitions: int,
        *,
        keep_seconds: int | None = None,
        compacted: bool = False,
    ) -> None:
        check_topic_name(name)
        if partitions < 1:
            raise LogProblem(
                f"A topic has at least one partition; {name} cannot have {partitions}."
            )
        config = {} if keep_seconds is None else {"retention.ms": str(keep_seconds * 1000)}
        if compacted:
            config["cleanup.policy"] = "compact" if keep_seconds is None else "compact,delete"
        admin, _ = self._opened()
        asked = admin.create_topics([NewTopic(name, partitions, config=config)])[name]
        with self._said_of(name):
            try:
                self._answer(asked)
            except KafkaException as problem:
                if problem.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                    raise
        self._wait_until(name, there=True)
        there = self.topic(name)
        if there is not None and there.partitions != partitions:
            raise LogProblem(
                f"The topic {name} has {there.partitions} partitions, not {partitions}; delete it, or "
                "ask for as many."
            )

    def delete(self, name: str) -> None:
        admin, _ = self._opened()
        asked = admin.delete_topics([check_topic_name(name)])[name]
        with self._said_of(name):
            try:
                self._answer(asked)
            except KafkaException as problem:
                if problem.args[0].code() not in NO_TOPIC:
                    raise
        self._wait_until(name, there=False)

    def keep_house(self, topic: str) -> bool:
        """The brokers do so by themselves, at the times that they are set up for."""
        return False

    def shown(self, topic: str, group: str) -> Positions:
        return self._positions(topic, group, in_transactions=False)

    def positions_of(self, topic: str, group: str) -> Positions:
        return self._positions(topic, group, in_transactions=True)

    def reader(self, topic: str, group: str, assignment: Assignment) -> KafkaReader:
        if self.topic(topic) is None:
            raise LogProblem(f"There is no topic {topic!r} on {self}; make it first.")
        return KafkaReader(self._settings, topic, group, assignment, self._session)

    def writer(self, name: str | None = None) -> KafkaWriter:
        return KafkaWriter(self._settings, name)

    def _open(self) -> tuple[AdminClient, Heard]:
        heard = Heard(self._settings)
        given = {**self._settings.client(), "error_cb": heard, "reconnect.backoff.max.ms": 2_000}
        return AdminClient(given, logger=SAID_BY_THE_CLIENT), heard

    def _answer(self, asked: Future[_T]) -> _T:
        """Sooner than the client gives up, where the brokers refuse who asks."""
        admin, heard = self._opened()
        until = time.monotonic() + ANSWER_SECONDS
        while True:
            admin.poll(0)
            try:
                return asked.result(timeout=0.05)
            except FutureTimeout as problem:
                heard.check()
                if time.monotonic() > until:
                    raise KafkaException(KafkaError(KafkaError._TIMED_OUT)) from problem

    def _said_of(self, about: str) -> Any:
        return self._opened()[1].answering(about)

    def _offsets(self, topic: str, partitions: int, which: OffsetSpec) -> Positions:
        admin, _ = self._opened()
        asked = {TopicPartition(topic, number): which for number in range(partitions)}
        answers: Mapping[TopicPartition, Any] = admin.list_offsets(
            asked, isolation_level=IsolationLevel.READ_COMMITTED
        )
        return {at.partition: self._answer(found).offset for at, found in answers.items()}

    def _positions(self, topic: str, group: str, *, in_transactions: bool) -> Positions:
        """As committed: those of a transaction that is just ending are waited for, and until that of a
        writer that died is aborted."""
        state = self.topic(topic)
        if state is None:
            return {}
        admin, _ = self._opened()
        wanted = [TopicPartition(topic, partition) for partition in state.ends]
        patience = TRANSACTION_SECONDS if in_transactions else 0
        until = time.monotonic() + ANSWER_SECONDS + patience
        with self._said_of(group):
            while True:
                (asked,) = admin.list_consumer_group_offsets(
                    [ConsumerGroupTopicPartitions(group, wanted)], require_stable=in_transactions
                ).values()
                try:
                    found: Iterable[TopicPartition] = self._answer(asked).topic_partitions
                    errors = [at.error for at in found if at.error is not None]
                except KafkaException as problem:  # of the group as a whole
                    errors = [problem.args[0]]
                    found = ()
                if not errors:
                    return {at.partition: at.offset for at in found if at.offset >= 0}
                if errors[0].code() not in SETTLING or time.monotonic() > until:
                    raise KafkaException(errors[0])
                time.sleep(0.05)

    def _wait_until(self, name: str, *, there: bool) -> None:
        until = time.monotonic() + _SETTLING_SECONDS
        while (name in self.topics()) is not there and time.monotonic() < until:
            time.sleep(0.02)
