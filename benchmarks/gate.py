"""The gate from topic to topic: how long a message takes at 10,000 a second, on a real Kafka.

    python -m benchmarks.gate [--seconds N] [--rate N] [--repeat N]

JSON of 160 bytes with a key to 4 partitions, a batch each 5 ms; each message says when it was sent,
and the consumer (read_committed) when it saw it. Beside each other, the broker the same: the messages
straight to the consumer (transport alone), through a gate with ten rules at least once, and exactly
once. Producer, gate and consumer are processes of their own. Prints the median and the 99th percentile
in ms after three seconds of warming up, of each the best of several runs. Timings are printed, never
asserted.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import shutil
import signal
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.results.figures import Figure, report
from shared_resources.production.kafka.settings import KafkaSettings
from shared_resources.streams.log.port import Log, Positions, message_schema

PARTITIONS, EVERY_SECONDS, WARM_SECONDS = 4, 0.005, 3.0
WAYS = {"transport alone": "", "at least once": "at_least_once", "exactly once": "exactly_once"}
LIMITS = {
    ("at_least_once", "p50"): 8.0,
    ("at_least_once", "p99"): 40.0,
    ("exactly_once", "p50"): 20.0,
    ("exactly_once", "p99"): 45.0,
}
_PRODUCT = "shop/lines"


class _Alone:
    def given(self, partitions: Sequence[int]) -> Positions:
        return dict.fromkeys(partitions, 0)

    def taken(self, partitions: Sequence[int]) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=12)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if shutil.which("java") is None or shutil.which("mvn") is None:
        print("left out: java and mvn are not both here")
        return
    from tests.stand_ins.kafka import running_kafka

    figures = []
    with running_kafka(to_last=True) as broker:
        for name, delivery in WAYS.items():
            runs = [
                _run(broker.address, delivery, options.rate, options.seconds)
                for _ in range(options.repeat)
            ]
            for place, of in enumerate(("p50", "p99")):
                best = min(run[place] for run in runs)
                limit = LIMITS.get((delivery, of))
                what = f"gate at {options.rate:,}/s, {name}, {of}"
                figures.append(Figure(what, best, "ms", limit=limit))
    report(figures)


def _run(address: str, delivery: str, rate: int, seconds: int) -> tuple[float, float]:
    log = _log(address)
    topic = f"lines-{uuid.uuid4().hex[:8]}"
    output = f"{topic}.good" if delivery else topic
    for name in {topic, output}:
        log.create(name, PARTITIONS)
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        ready = spawn.Event()
        gate = spawn.Process(target=_gate, args=(address, topic, output, delivery, folder, ready))
        if delivery:
            gate.start()
            ready.wait()
        time.sleep(5)
        producer = spawn.Process(target=_produce, args=(address, topic, rate, seconds))
        producer.start()
        took = _consume(address, output, rate * seconds, seconds + 60)
        producer.join()
        if delivery:
            assert gate.pid is not None
            os.kill(gate.pid, signal.SIGTERM)
            gate.join()
    p50, p99 = np.percentile(took, (50, 99))
    return float(p50), float(p99)


def _log(address: str) -> Log:
    from shared_resources.streams.log.kafka.log import KafkaLog

    return KafkaLog(KafkaSettings(address))


def _produce(address: str, topic: str, rate: int, seconds: int) -> None:
    writer, sent, begun = _log(address).writer(), 0, time.monotonic()
    while sent < rate * seconds:
        due = int((time.monotonic() - begun) * rate)
        if count := min(due, rate * seconds) - sent:
            writer.send(topic, _lines(sent, count))
            sent += count
        time.sleep(EVERY_SECONDS)
    writer.flush()


def _lines(first: int, count: int) -> pa.Table:
    now = time.time_ns()
    values = [
        json.dumps(
            {"basket": n, "household": n % 2500, "store": 31, "quantity": 1 + n % 9, "amount": 17.5,
             "channel": "web", "code": "A12345", "day": "2017-05-01", "note": "n", "sent": now}
        ).encode()
        for n in range(first, first + count)
    ]  # fmt: skip
    columns = {
        "partition": pa.array([-1] * count, pa.int32()),
        "offset": pa.array([0] * count, pa.int64()),
        "timestamp": pa.array([now // 1_000_000] * count).cast(pa.timestamp("ms", "UTC")),
        "key": pa.array([b"%d" % (n % 2500) for n in range(first, first + count)], pa.binary()),
        "value": pa.array(values, pa.binary()),
        "headers": pa.nulls(count, message_schema().field("headers").type),
    }
    return pa.table(columns, schema=message_schema())


def _consume(address: str, topic: str, count: int, within: float) -> list[float]:
    reader = _log(address).reader(topic, f"consumer of {topic}", _Alone())
    took: list[float] = []
    first, until, seen = 0, time.monotonic() + within, 0
    while seen < count and time.monotonic() < until:
        taken = reader.take(20_000, 0.2)
        now = time.time_ns()
        seen += taken.num_rows
        for value in taken.column("value").to_pylist():
            sent = int(value.rpartition(b":")[2].rstrip(b" }"))
            first = first or sent
            if sent - first > WARM_SECONDS * 1e9:
                took.append((now - sent) / 1e6)
    reader.close()
    if seen < count:
        raise RuntimeError(f"{seen:,} of {count:,} messages came within {within:.0f} s")
    return took


def _gate(address: str, topic: str, output: str, delivery: str, folder: str, ready: Any) -> None:
    from shared_resources.streams.gate.process import GateProcess
    from shared_resources.wiring.local import LocalEnvironment
    from tests.guarantees.processes import definition
    from tests.tiny_mesh import contract_text, tiny_mesh

    stopped: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stopped.append(number))
    log = _log(address)
    LocalEnvironment.log = property(lambda self: log)  # type: ignore[assignment, method-assign]
    stream = {"topic": topic, "format": "json", "gate": {"topic": output, "delivery": delivery}}
    properties = {"stream": stream, "lossBudgetPercent": 5}
    with tiny_mesh(Path(folder)) as mesh:
        mesh.product(_PRODUCT, contract_text(_PRODUCT, _columns(), properties=properties))
        made = definition(mesh.environment, _PRODUCT)
        process = GateProcess(mesh.environment, made, lambda: bool(stopped))
        ready.set()
        process.run()


def _columns() -> list[dict[str, Any]]:
    """With ten rules that a message decides."""
    from tests.tiny_mesh import column

    def ruled(name: str, physical: str = "BIGINT", **options: Any) -> dict[str, Any]:
        return column(name, physical, **({"logicalTypeOptions": options} if options else {}))

    return [
        ruled("basket") | {"required": True},
        ruled("household") | {"required": True},
        ruled("store"),
        ruled("quantity", minimum=1, maximum=100),
        ruled("amount", "DOUBLE", minimum=0, exclusiveMaximum=1000) | {"required": True},
        ruled("channel", "VARCHAR", pattern="^(web|shop|phone)$"),
        ruled("code", "VARCHAR", pattern="^[A-Z][0-9]{5}$"),
        ruled("day", "DATE") | {"required": True},
        ruled("note", "VARCHAR", maxLength=40),
        ruled("sent", minimum=1),
    ]


if __name__ == "__main__":
    main()
