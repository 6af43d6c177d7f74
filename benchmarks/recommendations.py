"""From a receipt that is sent to a recommendation that is seen: recommendation/next_products, live.

    python -m benchmarks.recommendations [--home DIR] [--rate N …] [--seconds N]

The tills' receipts are sent to the log at a rate, by a process of its own; `mesh stream live` follows
them in another; this one reads the serving port each millisecond. A message is seen when a reading says a
position behind it; it was sent when the log's timestamp says so (in milliseconds). DIR is a home in which
the example was made (`make demo`: .mesh); what is needed of it is copied. The log is the embedded one, or
with MESH_LOG=kafka that of KAFKA_BOOTSTRAP_SERVERS, and then its topic `purchases` is made anew.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks.results.figures import Figure, report
from shared_resources import wiring
from shared_resources.environment import Environment
from shared_resources.serving_ports.live_position import LivePosition

PRODUCT, TOPIC, HOUSEHOLD = "recommendation/next_products", "purchases", '["1058"]'
PARTITIONS = 4
GOALS = {10_000: (6.0, 40.0)}  # milliseconds, p50 and p99


class _Alone:
    def given(self, partitions: object) -> dict[int, int]:
        return {}

    def taken(self, partitions: object) -> None: ...


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".mesh"))
    parser.add_argument("--rate", type=int, nargs="+", default=[1_000, 10_000])
    parser.add_argument("--seconds", type=int, default=8)
    options = parser.parse_args()
    if not (options.home / "ports" / f"{PRODUCT}.db").is_file():
        print(f"left out: {options.home} serves no {PRODUCT}; `make demo` makes it")
        return
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as folder:
        home = Path(folder) / "home"
        shutil.copytree(options.home, home, ignore=shutil.ignore_patterns("landing", "log"))
        os.environ["MESH_HOME"] = str(home)
        for rate in options.rate:
            figures += _measured(wiring.current(), rate, options.seconds)
    report(figures)


def _measured(environment: Environment, rate: int, seconds: int) -> list[Figure]:
    log, port = environment.log, environment.serving_port
    assert port is not None
    log.delete(TOPIC)
    log.create(TOPIC, PARTITIONS)
    mesh = Path(sys.executable).parent / "mesh"
    live = subprocess.Popen([mesh, "stream", "live", PRODUCT], stdout=subprocess.DEVNULL)
    try:
        topic = log.topic(TOPIC)
        assert topic is not None
        while (at := _seen(environment)) is None or at.topic_id != topic.id:
            time.sleep(0.05)
        before = _used(live.pid)
        count = rate * seconds
        send = ["--from", "2017-12-05", "--limit", str(count), "--rate", str(rate)]
        command = [sys.executable, "-m", "domains.source_systems", "replay", *send]
        sender = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        readings: list[tuple[float, list[int]]] = []
        while True:
            at = _seen(environment)
            assert at is not None
            where = [at.positions.get(p, 0) for p in range(PARTITIONS)]
            readings.append((time.time() * 1_000, where))
            if sender.poll() is not None:
                ends = log.topic(TOPIC)
                assert ends is not None and sender.returncode == 0
                if sum(where) >= sum(ends.ends.values()):
                    break
            time.sleep(0.001)
        used = (_used(live.pid) - before) / count * 1e6
    finally:
        live.terminate()
        live.wait()
    waited = _waited(environment, readings, rate)
    half, most = np.percentile(waited, [50, 99])
    goal = GOALS.get(rate)
    said = f" (goal {goal[0]:g}, {goal[1]:g})" if goal else ""
    print(
        f"{rate:>7,} messages/s: p50 {half:.1f} ms, p99 {most:.1f} ms{said}; "
        f"{used:.1f} us of the processor a message"
    )
    name = f"receipt to recommendation, {rate:,}/s"
    limits = goal or (None, None)
    return [
        Figure(f"{name}, p50", float(half), "ms", limit=limits[0]),
        Figure(f"{name}, p99", float(most), "ms", limit=limits[1]),
    ]


def _seen(environment: Environment) -> LivePosition | None:
    assert environment.serving_port is not None
    found = environment.serving_port.get(PRODUCT, HOUSEHOLD)
    return LivePosition.of(found.note) if found is not None else None


def _waited(
    environment: Environment, readings: list[tuple[float, list[int]]], rate: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Milliseconds of each message, without those of the first second, in which the sender begins."""
    reader = environment.log.reader(TOPIC, "benchmark", _Alone())
    ends = environment.log.topic(TOPIC)
    assert ends is not None
    taken: list[pa.Table] = []
    while sum(reader.positions().values()) < sum(ends.ends.values()):
        taken.append(reader.take(100_000, 1))
    reader.close()
    messages = pa.concat_tables(taken)
    sent = np.asarray(messages["timestamp"].cast(pa.int64()))
    partition, offset = (np.asarray(messages[name]) for name in ("partition", "offset"))
    when = np.array([moment for moment, _ in readings])
    waited = np.empty(len(sent))
    for one in range(PARTITIONS):
        mine = partition == one
        reached = np.array([where[one] for _, where in readings])
        first = np.searchsorted(reached, offset[mine], side="right")
        waited[mine] = when[first] - sent[mine]
    return waited[sent > sent.min() + 1_000]


def _used(process: int) -> float:
    """Seconds of the processor that it has used, its threads among them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
