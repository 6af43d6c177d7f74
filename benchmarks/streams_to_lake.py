"""A topic's messages on their way to the lake: read, judged, published; beside the bare client.

    python -m benchmarks.streams_to_lake [--messages N] [--seconds S]
        [--flink PYTHON] [--spark PYTHON --spark-jars FOLDER]

A real Kafka runs beside (`tests/stand_ins/kafka.py`): JSON of 156 bytes to 8 partitions, ten rules
(`stream_rules.py`). Prints messages a second of the bare client, of what a window does before it is
staged (read, decoded, judged), and of what `mesh stream` publishes with one process and with two, each
process's microseconds of CPU a message, and its memory; then how long a message takes until a reader of
the lake may see it, at 10,000 a second and windows of one second. The broker shares the machine.
With the interpreters of their environments, Flink's and Spark's Iceberg sinks take the same topic in the
same run (`stream_peers/`), with two tasks each. Timings are printed, never asserted.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import resource
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.results.figures import Figure, report
from benchmarks.stream_peers.beside import named, processor_of, wanted
from benchmarks.stream_rules import as_json, contract
from shared_resources.environment import Environment
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.decoding.json.messages import JsonDecoder
from shared_resources.streams.log.kafka.log import KafkaLog
from shared_resources.streams.log.port import Log, Positions, message_schema
from shared_resources.streams.process import StreamProcess
from shared_resources.streams.row_rules.rules import RowRules
from shared_resources.wiring import current
from tests.guarantees.processes import definition
from tests.stand_ins.kafka import Broker, running_kafka
from tests.tiny_mesh import column, contract_text, tiny_mesh

PARTITIONS, BATCH = 8, 20_000
PRODUCT = "shop/lines"
A_SECOND = 10_000  # messages, while it is looked how late readers see them


# Seconds, those of the processor, and those of the broker's.
Taken = tuple[float, float, float]


class _Alone:
    """The only member of its group: it reads all from the beginning."""

    def given(self, partitions: Sequence[int]) -> Positions:
        return dict.fromkeys(partitions, 0)

    def taken(self, partitions: Sequence[int]) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=30)
    wanted(parser)
    options = parser.parse_args()
    with (
        running_kafka(to_last=True) as broker,
        tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder,
    ):
        log = KafkaLog(KafkaSettings(broker.address))
        topic = f"lines-{uuid.uuid4().hex[:8]}"
        log.create(topic, PARTITIONS)
        _fill(log, topic, options.messages)
        figures = [
            *_read(log, topic, broker, options.messages),
            *_published(Path(folder), broker, topic, options.messages),
            *_beside(Path(folder), broker, topic, options),
            *_lateness(Path(folder), broker.address, options.seconds),
        ]
    report(figures)


def _messages(values: Sequence[bytes], at: int) -> pa.Table:
    schema, count = message_schema(), len(values)
    keys = [str(number).encode() for number in range(count)]
    return pa.Table.from_arrays(
        [
            pa.array(np.full(count, -1, np.int32)),
            pa.array(np.zeros(count, np.int64)),
            pa.array(np.full(count, at), schema.field("timestamp").type),
            pa.array(keys, pa.binary()),
            pa.array(values, pa.binary()),
            pa.nulls(count, schema.field("headers").type),
        ],
        schema=schema,
    )


def _fill(log: Log, topic: str, count: int) -> None:
    writer = log.writer()
    one = _messages(as_json(BATCH), int(time.time() * 1000))
    for _ in range(count // BATCH):
        writer.send(topic, one)
        writer.flush()
    writer.close()


# -- up to the rules -------------------------------------------------------------------------------


def _read(log: Log, topic: str, broker: Broker, count: int) -> list[Figure]:
    bare = _took(broker, partial(_bare, broker.address, topic, count))
    decoder, rules = JsonDecoder(contract()), RowRules(contract())

    def judged() -> None:
        reader, left = log.reader(topic, "judged", _Alone()), count
        while left > 0:
            taken = reader.take(50_000, 1.0)
            left -= taken.num_rows
            rules.judge(decoder.decode(taken.column("value").combine_chunks()).frame)
        reader.close()

    checked = _took(broker, judged)
    return [
        _rate("consumed by the bare client", count, bare),
        _rate("read, decoded and judged by ten rules", count, checked, count / bare[0]),
    ]


def _bare(address: str, topic: str, count: int) -> None:
    from confluent_kafka import Consumer, TopicPartition

    consumer = Consumer({"bootstrap.servers": address, "group.id": "bare", "enable.auto.commit": False,
                         "isolation.level": "read_committed", "fetch.queue.backoff.ms": 10})  # fmt: skip
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(PARTITIONS)])
    while count > 0:
        count -= len(consumer.consume(50_000, 0.2))
    consumer.close()


def _took(broker: Broker, work: Callable[[], None]) -> Taken:
    began, before, of_broker = time.perf_counter(), time.process_time(), _processor(broker)
    work()
    seconds, processor = time.perf_counter() - began, time.process_time() - before
    return seconds, processor, _processor(broker) - of_broker


def _processor(broker: Broker) -> float:
    assert broker.pid is not None
    return processor_of(broker.pid)


def _rate(what: str, count: int, took: Taken, limit: float | None = None) -> Figure:
    seconds, processor, of_broker = (one / count * 1e6 for one in took)
    print(f"{what:<58} {processor:6.2f} µs of the processor a message, the broker {of_broker:5.2f}")
    seconds = took[0]
    peer = "the bare client" if limit else ""
    return Figure(f"{what}, M/s", count / seconds / 1e6, "M/s", peer, limit and limit / 1e6)


# -- to the lake -----------------------------------------------------------------------------------


def _contract(topic: str) -> str:
    """The same ten rules as `stream_rules.py`, of which the primary key is none."""
    limits: dict[str, dict[str, object]] = {
        "quantity": {"minimum": 1, "maximum": 100},
        "amount": {"minimum": 0, "exclusiveMaximum": 1000},
        "day": {"minimum": "2017-01-01"},
        "code": {"pattern": "^[A-Z][0-9]{5}$"},
        "note": {"maxLength": 40},
    }
    types = {"amount": "DOUBLE", "channel": "VARCHAR", "code": "VARCHAR", "day": "DATE",
             "note": "VARCHAR"}  # fmt: skip
    required = ("basket", "household", "amount", "day")
    names = ("basket", "household", "store", "product", "quantity", *types)
    columns = []
    for name in names:
        more: dict[str, object] = {"required": True} if name in required else {}
        if name in limits:
            more["logicalTypeOptions"] = limits[name]
        columns.append(column(name, types.get(name, "BIGINT"), **more))
    stream = {"topic": topic, "format": "json", "window": 1}
    return contract_text(PRODUCT, columns, properties={"stream": stream, "lossBudgetPercent": 50})


def _published(folder: Path, broker: Broker, topic: str, count: int) -> list[Figure]:
    found = []
    for processes in (1, 2):
        before = _processor(broker)
        seconds, processor, memory = _drained(
            folder / str(processes), broker.address, topic, processes, count // BATCH * BATCH
        )
        what = f"published to the lake by {processes} process{'es' if processes > 1 else ''}"
        found.append(_rate(what, count, (seconds, processor, _processor(broker) - before)))
        print(f"{'':<58} {memory:6.0f} MiB a process")
    return found


def _beside(
    folder: Path, broker: Broker, topic: str, options: argparse.Namespace
) -> Iterator[Figure]:
    count = options.messages // BATCH * BATCH
    for name, measure in named(options):
        before = _processor(broker)
        took = measure(broker.address, topic, folder / name, count)
        spent = (took.seconds, took.processor, _processor(broker) - before)
        yield _rate(f"published by {name}'s Iceberg sink, two tasks", count, spent)


def _drained(
    folder: Path, address: str, topic: str, processes: int, count: int
) -> tuple[float, float, float]:
    """Seconds from the first window to the last, of the processor, and the most MiB of a process. Raises
    `RuntimeError` when not all was published."""
    folder.mkdir()
    with tiny_mesh(folder) as mesh:
        mesh.product(PRODUCT, _contract(topic))
        context = multiprocessing.get_context("spawn")
        said = context.Queue()
        workers = [
            context.Process(target=_drain, args=(dict(os.environ), address, said))
            for _ in range(processes)
        ]
        for worker in workers:
            worker.start()
        heard = [said.get() for _ in workers]
        for worker in workers:
            worker.join()
        rows = mesh.versions(PRODUCT)[-1].rows
    if rows != count:
        raise RuntimeError(f"{rows:,} of {count:,} messages were published: it was held up")
    began = min(one[0] for one in heard)
    ended = max(one[1] for one in heard)
    return ended - began, sum(one[2] for one in heard), max(one[3] for one in heard)


def _drain(variables: dict[str, str], address: str, said: multiprocessing.Queue) -> None:  # type: ignore[type-arg]
    environment = _environment(variables, address)
    made = definition(environment, PRODUCT)
    assert made.contract.stream is not None
    topic = environment.log.topic(made.contract.stream.topic)
    assert topic is not None
    ended: list[float] = []
    process = StreamProcess(
        environment, made, f"bench-{uuid.uuid4()}", lambda: False,
        lambda committed, window: ended.append(time.time()),
    )  # fmt: skip
    began, before = time.time(), time.process_time()
    process.run(topic.ends, patience=600.0)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    said.put((began, max(ended, default=began), time.process_time() - before, memory))


# -- how late --------------------------------------------------------------------------------------


def _lateness(folder: Path, address: str, seconds: int) -> list[Figure]:
    """From when a message was handed to the client until a version with it is there."""
    log = KafkaLog(KafkaSettings(address))
    topic = f"late-{uuid.uuid4().hex[:8]}"
    log.create(topic, PARTITIONS)
    where = folder / "late"
    where.mkdir()
    sent: list[tuple[float, int]] = []  # when, and how many were sent by then
    seen: list[tuple[float, int]] = []
    stop = threading.Event()
    with tiny_mesh(where) as mesh:
        mesh.product(PRODUCT, _contract(topic))
        context = multiprocessing.get_context("spawn")
        running = context.Process(target=_go_on, args=(dict(os.environ), address))
        running.start()
        watching = threading.Thread(target=_watch, args=(mesh, seen, stop))
        watching.start()
        _send_steadily(log, topic, sent, seconds + 10)
        until = time.time() + 120
        while time.time() < until and (not seen or seen[-1][1] < sent[-1][1]):
            time.sleep(0.1)
        stop.set()
        watching.join()
        running.terminate()
        running.join()
    late = np.array(
        [
            next((at for at, rows in seen if rows >= number), np.nan) - when
            for when, number in sent[-seconds * 10 :]
        ]
    )
    p50, p99 = np.nanpercentile(late, [50, 99])
    return [
        Figure("message to readable, window 1 s, 10,000/s: p50", float(p50)),
        Figure("message to readable, window 1 s, 10,000/s: p99", float(p99), limit=5.0),
    ]


def _send_steadily(log: Log, topic: str, sent: list[tuple[float, int]], seconds: int) -> None:
    writer, values, number = log.writer(), as_json(A_SECOND // 10), 0
    begin = time.time()
    for tenth in range(seconds * 10):
        time.sleep(max(0.0, begin + tenth / 10 - time.time()))
        at = time.time()
        writer.send(topic, _messages(values, int(at * 1000)))
        writer.flush()
        number += len(values)
        sent.append((at, number))
    writer.close()


def _watch(mesh: object, seen: list[tuple[float, int]], stop: threading.Event) -> None:
    while not stop.wait(0.02):
        versions = mesh.versions(PRODUCT)  # type: ignore[attr-defined]
        if versions and (not seen or seen[-1][1] != versions[-1].rows):
            seen.append((time.time(), versions[-1].rows))


def _go_on(variables: dict[str, str], address: str) -> None:
    environment = _environment(variables, address)
    StreamProcess(environment, definition(environment, PRODUCT), "bench", lambda: False).run()


def _environment(variables: dict[str, str], address: str) -> Environment:
    os.environ.update(variables | {"MESH_LOG": "kafka", "KAFKA_BOOTSTRAP_SERVERS": address})
    return current()


if __name__ == "__main__":
    main()
