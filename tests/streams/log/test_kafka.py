"""What is Kafka's alone: who is let in, what is said of who is not, brokers that go and come."""

from __future__ import annotations

import os

import pytest

from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.kafka import log as kafka_log
from shared_resources.streams.log.kafka.log import KafkaLog
from shared_resources.streams.log.port import LogProblem, LogUnreachable
from tests.stand_ins.kafka import PASSWORD, PERSON, running_kafka
from tests.streams.log.messages import Told, message, numbered, table, take, take_nothing

TOPIC = "test-of-kafka"


def secure(broker, password=PASSWORD, authority=True) -> KafkaLog:
    settings = KafkaSettings(
        broker.secure_address,
        protocol="SASL_SSL",
        mechanism="PLAIN",
        username=PERSON,
        password=password,
        authority=str(broker.authority) if authority else None,
    )
    return KafkaLog(settings)


def test_who_logs_in_over_tls_does_what_is_permitted_and_is_told_what_is_not(kafka):
    KafkaLog(KafkaSettings(kafka.address)).create(TOPIC, 1)
    person = secure(kafka)
    assert person.topics() == ()
    with pytest.raises(LogProblem, match=f"does not permit it .{TOPIC}.: give {PERSON} Describe"):
        person.topic(TOPIC)


def test_a_wrong_password_is_said_and_not_shown(kafka):
    with pytest.raises(LogProblem, match=r"refuses this login .*check KAFKA_SASL_USERNAME") as told:
        secure(kafka, "planted-wrong-password").topic(TOPIC)
    assert "planted" not in f"{told.value!r}{told.value.__cause__!r}"


def test_a_certificate_of_somebody_else_is_said(kafka):
    with pytest.raises(LogProblem, match=r"is not trusted .*set KAFKA_SSL_CA_LOCATION"):
        secure(kafka, authority=False).topic(TOPIC)


def test_a_broker_that_is_not_there_is_said_with_its_address(monkeypatch):
    monkeypatch.setattr(kafka_log, "ANSWER_SECONDS", 1.0)
    monkeypatch.setattr(kafka_log, "_SETTLING_SECONDS", 0.0)
    with pytest.raises(
        LogUnreachable, match=r"Kafka at 127.0.0.1:9 does not answer: .*Are the brokers up"
    ):
        KafkaLog(KafkaSettings("127.0.0.1:9")).topic(TOPIC)


def test_a_message_that_is_too_large_is_said(kafka):
    log = KafkaLog(KafkaSettings(kafka.address))
    log.create(TOPIC, 1)
    writer = log.writer()
    # More than clients send by themselves, and less than a topic takes: a gate has to pass that on.
    writer.send(TOPIC, table(message(os.urandom(1_045_000))))
    writer.flush()
    assert log.topic(TOPIC).ends == {0: 1}
    with pytest.raises(LogProblem, match=f"{TOPIC}.* is larger than .*max.message.bytes"):
        writer.send(TOPIC, table(message(os.urandom(2_000_000))))
        writer.flush()
    writer.close()
    once = log.writer("once")
    with (
        pytest.raises(LogProblem, match=f"{TOPIC}.* is larger than .*max.message.bytes"),
        once.transaction(),
    ):
        once.send(TOPIC, table(message(os.urandom(2_000_000))))
    once.close()
    # Where it ends says nothing: an aborted transaction may leave a mark there.
    reader = log.reader(TOPIC, "all", Told({}))
    assert len(take(reader, 1)) == 1
    take_nothing(reader)
    reader.close()


@pytest.mark.slow
def test_reading_and_writing_go_on_when_the_broker_was_killed_and_is_back():
    with running_kafka() as broker:
        log = KafkaLog(KafkaSettings(broker.address), session_seconds=2)
        log.create(TOPIC, 2)
        positions: dict[int, int] = {}  # a group that was lost is given its partitions anew
        reader, writer = log.reader(TOPIC, "group", Told(positions)), log.writer("writer")
        found = []
        for number, end in enumerate((broker.kill, broker.stop, None)):
            with writer.transaction():
                writer.send(TOPIC, numbered(10 * number, 10))
            if number == 0:
                found += take(reader, 10)
                positions.update(reader.positions())
            if end is not None:
                end()
                broker.start()
        found += take(reader, 20, 60)
        assert sorted(int(m["value"]) for m in found) == list(range(30))
        reader.close()
        writer.close()
