"""The log of messages: written and read through the port, embedded and on Kafka, beside its bare client.

    python -m benchmarks.log [--messages N] [--repeat N]

Messages are JSON of 156 bytes with a key of 9, in batches of 20,000, to 8 partitions; reading is as Arrow
tables. The bare client consumes and touches nothing, or produces in a loop. Prints microseconds of the
processor a message, the best of several; the broker's own are not in it. Without Java and Maven Kafka's
are left out, and that is said.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.results.figures import Figure, report
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.embedded.log import EmbeddedLog
from shared_resources.streams.log.port import Log, Positions, message_schema

BATCH, PARTITIONS = 20_000, 8
_VALUE = '{{"receipt":{:012d},"household":1234,"product":998877,"store":31,"value":"17.99"{}}}'


class _Alone:
    """The only member of its group: it reads all from the beginning."""

    def given(self, partitions: Sequence[int]) -> Positions:
        return dict.fromkeys(partitions, 0)

    def taken(self, partitions: Sequence[int]) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    count = options.messages // BATCH * BATCH
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        figures = _figures(EmbeddedLog(Path(folder) / "log"), "embedded log", count, options.repeat)
    if shutil.which("java") is None or shutil.which("mvn") is None:
        print("Kafka's figures are left out: java and mvn are not both here")
    else:
        figures += _on_kafka(count, options.repeat)
    report(figures)


def _figures(
    log: Log, name: str, count: int, repeat: int, bare: tuple[float, ...] = ()
) -> list[Figure]:
    written, read = [], []
    for _ in range(repeat):
        topic = f"bench-{uuid.uuid4().hex[:8]}"
        log.create(topic, PARTITIONS)
        written.append(_of_processor(partial(_write, log, topic, count)))
        read.append(_of_processor(partial(_read, log, topic, count)))
        log.delete(topic)
    per = 1e6 / count
    peer = "the bare client" if bare else ""
    beside = bare or (None, None)
    return [
        Figure(f"{name}: written, a message", min(written) * per, "us", peer, beside[0]),
        Figure(f"{name}: read as Arrow, a message", min(read) * per, "us", peer, beside[1]),
    ]


def _on_kafka(count: int, repeat: int) -> list[Figure]:
    from shared_resources.streams.log.kafka.log import KafkaLog
    from tests.stand_ins.kafka import running_kafka

    with running_kafka(to_last=True) as broker:
        log = KafkaLog(KafkaSettings(broker.address))
        produced, consumed = [], []
        for _ in range(repeat):
            topic = f"bare-{uuid.uuid4().hex[:8]}"
            log.create(topic, PARTITIONS)
            produced.append(_of_processor(partial(_produce, broker.address, topic, count)))
            consumed.append(_of_processor(partial(_consume, broker.address, topic, count)))
            log.delete(topic)
        per = 1e6 / count
        return _figures(log, "Kafka", count, repeat, (min(produced) * per, min(consumed) * per))


def _of_processor(work: Callable[[], None]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def _batch(first: int) -> tuple[list[bytes], list[bytes]]:
    numbers = range(first, first + BATCH)
    fill = ',"note":"' + "x" * (156 - len(_VALUE.format(0, "")) - 10) + '"'
    values = [_VALUE.format(number, fill).encode() for number in numbers]
    assert len(values[0]) == 156, len(values[0])
    return values, [f"k{number % 100_000_000:08d}".encode() for number in numbers]


def _messages() -> pa.Table:
    schema = message_schema()
    values, keys = _batch(0)
    return pa.Table.from_arrays(
        [
            pa.array(np.full(BATCH, -1, np.int32)),
            pa.array(np.zeros(BATCH, np.int64)),
            pa.array(np.full(BATCH, int(time.time() * 1000)), schema.field("timestamp").type),
            pa.array(keys, pa.binary()),
            pa.array(values, pa.binary()),
            pa.nulls(BATCH, schema.field("headers").type),
        ],
        schema=schema,
    )


def _write(log: Log, topic: str, count: int) -> None:
    messages = _messages()
    writer = log.writer()
    for _ in range(count // BATCH):
        writer.send(topic, messages)
    writer.flush()
    writer.close()


def _read(log: Log, topic: str, count: int) -> None:
    reader = log.reader(topic, "bench", _Alone())
    while count > 0:
        count -= reader.take(50_000, 1.0).num_rows
    reader.close()


def _produce(address: str, topic: str, count: int) -> None:
    from confluent_kafka import Producer

    producer = Producer(
        {
            "bootstrap.servers": address,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "linger.ms": 5,
            "queue.buffering.max.messages": 500_000,
        }
    )
    values, keys = _batch(0)
    for _ in range(count // BATCH):
        for value, key in zip(values, keys, strict=True):
            while True:
                try:
                    producer.produce(topic, value, key)
                    break
                except BufferError:
                    producer.poll(0.02)
        producer.poll(0)
    producer.flush()


def _consume(address: str, topic: str, count: int) -> None:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "bare",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    while count > 0:
        count -= len(consumer.consume(50_000, 0.2))
    consumer.close()


if __name__ == "__main__":
    main()
