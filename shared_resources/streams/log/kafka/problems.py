"""What Kafka's errors mean for people: who does not answer or refuses, and what to do.

Belongs here: the words, and which errors pass by themselves. Does not belong here: raising them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException

from shared_resources.problems import MeshProblem
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.port import Fenced, LogProblem, LogUnreachable

# librdkafka tells of each attempt to connect, ten times a second. That goes to who listens to Python's
# logs, and to nobody's terminal: what people should know of it is said once, as a problem.
SAID_BY_THE_CLIENT = logging.getLogger(__name__)
SAID_BY_THE_CLIENT.addHandler(logging.NullHandler())

_AWAY = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TRANSPORT,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError.REQUEST_TIMED_OUT,
    }
)
_REFUSED = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})
NO_TOPIC = frozenset(
    {
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_ID,
    }
)
_PERMISSIONS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "Describe and Read, to write to it Write, on the topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "Read on the group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "IdempotentWrite, to make topics Create, on the cluster",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "Describe and Write on the transactional id",
}
_FENCED = frozenset(
    {
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.FENCED_INSTANCE_ID,
    }
)
# What a topic or a group says for a moment after it was made or has moved.
SETTLING = frozenset(
    {
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.UNSTABLE_OFFSET_COMMIT,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
    }
)
NOT_A_MEMBER = frozenset(
    {
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)


@dataclass
class Heard:
    """What a client has said beside its answers: librdkafka tells of brokers in a callback alone.

    `refusal`: who logs in is refused, or the broker's certificate: waiting changes nothing. `away_since`:
    since when no broker has answered, by `time.monotonic`; `reason` is the last one given.
    """

    settings: KafkaSettings
    refusal: KafkaError | None = None
    away_since: float | None = None
    reason: KafkaError | None = None

    def __call__(self, error: KafkaError) -> None:
        if error.code() in _REFUSED or _of_a_certificate(error):
            self.refusal = error
        elif error.code() == KafkaError._ALL_BROKERS_DOWN:
            self.away_since = self.away_since or time.monotonic()
            self.reason = self.reason or error
        elif error.code() in _AWAY or error.code() == KafkaError._SSL:
            self.reason = error

    def check(self) -> None:
        """Raises `LogProblem` when the brokers refuse this client."""
        if self.refusal is not None:
            raise problem_of(self.refusal, self.settings)

    def answered(self) -> None:
        self.away_since = self.reason = None

    @contextmanager
    def answering(self, about: str = "") -> Iterator[None]:
        """What the client raises is said as a `LogProblem` or `Fenced`; `about` is a topic or a group."""
        try:
            yield
        except KafkaException as problem:
            error = problem.args[0]
            if error.code() in _AWAY:
                self.check()
                error = self.reason or error
            raise problem_of(error, self.settings, about) from problem


def _of_a_certificate(error: KafkaError) -> bool:
    return error.code() == KafkaError._SSL and "certificate" in error.str()


def problem_of(error: KafkaError, settings: KafkaSettings, about: str = "") -> MeshProblem:
    """The error as a person is told of it. Nothing of librdkafka's own words is a secret."""
    code, where = error.code(), f"Kafka at {settings.servers}"
    on = f" ({about})" if about else ""
    if code in _FENCED or (error.fatal() and code == KafkaError._FATAL):
        return Fenced(
            f"Another writer{on} of the same name has begun since; this one's ends here: {error.str()}."
        )
    if code in _REFUSED:
        return LogUnreachable(
            f"{where} refuses this login ({error.str()}); check KAFKA_SASL_USERNAME, "
            "KAFKA_SASL_PASSWORD and KAFKA_SASL_MECHANISM."
        )
    if _of_a_certificate(error):
        return LogUnreachable(
            f"The certificate of {where} is not trusted ({error.str()}); set KAFKA_SSL_CA_LOCATION to "
            "the PEM file of who signed it."
        )
    if code in _AWAY or code == KafkaError._SSL:
        return LogUnreachable(
            f"{where} does not answer: {error.str()}. Are the brokers up, are host and port right, "
            f"and is KAFKA_SECURITY_PROTOCOL={settings.protocol} what they speak there?"
        )
    if code in NO_TOPIC:
        return LogProblem(
            f"There is no topic {about or '(of that name)'} on {where}; make it first."
        )
    if code in _PERMISSIONS:
        who = settings.username or "this principal"
        return LogProblem(
            f"{where} does not permit it{on}: give {who} {_PERMISSIONS[code]} by an ACL."
        )
    if code == KafkaError.MSG_SIZE_TOO_LARGE:
        return LogProblem(
            f"A message{on} is larger than {where} takes; raise the topic's max.message.bytes, or "
            "send less in one."
        )
    return LogProblem(f"{where} refuses{on}: {error.str()} ({error.name()}).")
