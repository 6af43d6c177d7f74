"""A real job at a gate over a real Kafka: its topics hold what they would hold without it, each once."""

import contextlib
import json
import os
import signal
import time
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from shared_resources.streams.flink.generations import current
from shared_resources.streams.gate.process import GateProcess
from shared_resources.streams.gate.undecided import of_undecided
from shared_resources.streams.log.port import message_schema
from tests.guarantees.processes import definition
from tests.stand_ins.flink import flink_python
from tests.streams.flink.test_with_flink import MORE, batch, start_job
from tests.streams.gate.passing import in_topic
from tests.streams.receipts import PRODUCT, contract, messages

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1100), pytest.mark.xdist_group("flink")]
ALONE = "shop/alone"  # the same topic, whose gate the platform is
GATES = {PRODUCT: "job", ALONE: "alone"}
CAME = 1_700_000_000_000  # 2023-11-14T22:13:20Z, of every message
# In time, late by nothing, late by a microsecond.
MOMENTS = (b"2023-11-14T22:13:19.123456Z", b"2023-11-14T21:13:20Z", b"2023-11-14T21:13:19.999999Z")


@pytest.fixture
def shop(mesh, kafka, monkeypatch):
    flink_python()  # before anything is begun
    monkeypatch.setenv("MESH_LOG", "kafka")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    mesh.topic = f"receipts-{time.time_ns()}"
    log = mesh.environment.log
    log.create(mesh.topic, 3, keep_seconds=10**9)
    for key, name in GATES.items():
        for kind in ("good", "bad", "good.undecided"):
            log.create(f"{mesh.topic}.{name}.{kind}", 3, keep_seconds=10**9)
        engine = "flink" if key == PRODUCT else "mesh"
        text = contract(
            budget=60,
            columns=MORE,
            topic=mesh.topic,
            engine=engine,
            late={"column": "at", "hours": 1},
            gate={"topic": f"{mesh.topic}.{name}.good", "engine": engine},
            deadLetters={"topic": f"{mesh.topic}.{name}.bad"},
        )
        if key == ALONE:
            text = text.replace("shop-receipts", "shop-alone").replace("receipts\n", "alone\n", 1)
            text = text.replace("name: receipts", "name: alone")
        mesh.product(key, text)
    return mesh


def mixed(first, count):
    """Messages of every kind, with and without keys and headers."""
    values = [
        json.dumps(one, ensure_ascii=False).encode() if isinstance(one, dict) else one
        for one in batch(first, count)
    ]
    values = [
        one and one.replace(b"2017-02-28T23:59:59.123456Z", MOMENTS[place % 3])
        for place, one in enumerate(values)
    ]
    found = messages(values, keys=[None if n % 4 == 1 else b"%d" % n for n in range(count)])
    headers = [
        [{"name": "trace", "value": b"\x00\xff"}, {"name": "empty", "value": b""}]
        if n % 3
        else None
        for n in range(count)
    ]
    field = message_schema().field("headers")
    return found.set_column(5, field, pa.array(headers, field.type))


def send(mesh, writer, first, count=60):
    """How many of them have a value."""
    sent = mixed(first, count)
    with writer.transaction():
        writer.send(mesh.topic, sent)
    return count - sent["value"].null_count


def in_topics(mesh, name):
    """What is in the gate's topics, as often as it is there. Flink has headers in no order."""
    found = {}
    for kind in ("good", "bad", "good.undecided"):
        found[kind] = Counter(
            (
                one["key"],
                one["value"],
                one["timestamp"].timestamp() * 1000,
                frozenset(
                    (said["name"], said["value"])
                    for said in one["headers"] or ()
                    if said["name"] != "mesh.product"
                ),
            )
            for one in in_topic(mesh.environment.log, f"{mesh.topic}.{name}.{kind}")
        )
    return found


def wait_until_passed(mesh, job, count):
    """Until so many messages are in the job's topics, and no more."""
    until = time.monotonic() + 500
    while time.monotonic() < until:
        assert job.poll() is None, (mesh.root / "job.log").read_text()[-4000:]
        there = sum(sum(one.values()) for one in in_topics(mesh, "job").values())
        if there >= count:
            assert there == count
            return
        time.sleep(0.3)
    pytest.fail(
        f"only {there} of {count} were passed: {(mesh.root / 'job.log').read_text()[-3000:]}"
    )


def kill(job):
    """At once, with the JVM below it, which would else end in order."""
    ahead = [job.pid]
    while ahead:
        pid = ahead.pop()
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            ahead += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
            os.kill(pid, signal.SIGKILL)
    job.wait()


def test_a_killed_jobs_gate_holds_what_the_platforms_holds(shop):
    log = shop.environment.log
    writer = log.writer(f"till-{shop.topic}")
    sent = send(shop, writer, 0)
    job = start_job(shop)
    try:
        wait_until_passed(shop, job, sent)
        for first in range(1000, 2000, 250):  # it dies while it has some written, some prepared
            sent += send(shop, writer, first)
            time.sleep(0.4)
        kill(job)
        sent += send(shop, writer, 2000)
        job = start_job(shop)
        wait_until_passed(shop, job, sent)
    finally:
        kill(job)
        writer.close()
    made = definition(shop.environment, PRODUCT)
    undecided = log.topic(f"{shop.topic}.job.good.undecided")
    GateProcess(shop.environment, of_undecided(made), lambda: False).run(undecided.ends)
    ends = log.topic(shop.topic).ends
    GateProcess(shop.environment, definition(shop.environment, ALONE), lambda: False).run(ends)
    by_job, alone = in_topics(shop, "job"), in_topics(shop, "alone")
    for kind in ("good", "bad"):
        assert by_job[kind] == alone[kind]
        assert len(alone[kind]) > 50
    assert current(shop.environment, made.contract).gate is not None
