"""A real job of Flink's over a real Kafka: what is published is what the platform alone would publish."""

import contextlib
import json
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from shared_resources.streams.flink.generations import current
from shared_resources.streams.flink.staged import Staged, Unreconciled, _table
from shared_resources.streams.kept_messages import kept_messages
from shared_resources.streams.process import StreamProcess
from tests.guarantees.processes import definition
from tests.stand_ins.flink import JAVA_OPTIONS, flink_python
from tests.streams.receipts import PRODUCT, contract, messages, receipt
from tests.tiny_mesh import column

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.xdist_group("flink")]
ALONE = "shop/alone"  # the same topic, decoded by the platform
MORE = [
    column("day", "DATE"),
    {
        **column("at", "TIMESTAMP", logicalTypeOptions={"timezone": True}),
        "physicalType": "TIMESTAMPTZ",
    },
    column("weight", "DOUBLE"),
    column("open", "BOOLEAN"),
]
BROKEN = (b"{bad", b"", b"\xff\xfe", b"[1]", b"null", b'{"receipt_id": 1}', b"{} {}")


def message(number, **fields):
    return {
        **receipt(number),
        "day": "2017-02-28",
        "at": "2017-02-28T23:59:59.123456Z",
        "weight": 0.1,
        "open": True,
        **fields,
    }


def batch(first, count):
    """Messages of every kind: plain ones, rule breakers, broken ones, escapes, nulls, tombstones."""
    odd = [
        {"paid": -1}, {"till": None}, {"till": "é\n"}, {"till": 'a "b"'}, {"weight": 1e300},
        {"weight": 9007199254740993}, {"day": "2017-02-30"}, {"day": None, "open": None},
        {"at": "2017-02-28T10:00:00+02:00"}, {"at": "0001-01-01T00:00:00Z"}, {"paid": 1.234},
        {"weight": -0.0}, {"open": "true"}, {"more": 1}, {"receipt_id": None},
        {"till": "it's `q` \\ $1"}, {"day": "0000-01-01"}, {"day": "9999-12-31", "paid": None},
    ]  # fmt: skip
    for number in range(first, first + count):
        if number % 17 == 3:
            yield BROKEN[number % len(BROKEN)]
        elif number % 17 == 9:
            yield None
        elif number % 5 == 4:
            yield message(number, **{"receipt_id": number, **odd[number // 5 % len(odd)]})
        else:
            yield json.dumps(message(number, till="日本"), ensure_ascii=False).encode()


def send(log, topic, first, count, writer):
    """In transactions of which each third is aborted, its numbers not to be seen."""
    for place, at in enumerate(range(first, first + count, 50)):
        with contextlib.suppress(KeyError), writer.transaction():
            writer.send(topic, messages(list(batch(at, 50))))
            if place % 3 == 2:
                writer.flush()  # they are in the log, and aborted there
                raise KeyError


def start_job(mesh):
    command = [str(Path(sys.executable).with_name("mesh")), "stream", "job", PRODUCT]
    variables = {
        **os.environ,
        "MESH_FLINK": str(flink_python()),
        "MESH_ROOT": str(mesh.root),
        "MESH_HOME": str(mesh.environment.home),
        "JAVA_TOOL_OPTIONS": JAVA_OPTIONS,
    }
    log = (mesh.root / "job.log").open("ab")
    options = ["--set", "parallelism.default=2", "--set", "taskmanager.numberOfTaskSlots=2"]
    return subprocess.Popen(
        [*command, *options], env=variables, stdout=log, stderr=log, cwd=Path.cwd()
    )


def wait_until_staged(mesh, product, ends, job):
    until = time.monotonic() + 600
    while time.monotonic() < until:
        assert job.poll() is None, (mesh.root / "job.log").read_text()[-4000:]
        generation = current(mesh.environment, product.contract)
        if generation is not None:
            staged = Staged(generation)
            staged.refresh()
            if sum(p.num_rows for p in [staged.rows({q: (0, e) for q, e in ends.items()})] if p):
                yield staged
        time.sleep(0.5)
    pytest.fail("the job has staged nothing")


def published(mesh, key):
    return sorted(map(repr, mesh.rows(key)))


def kept(mesh, key):
    return sorted(
        (value or b"").hex()
        for entry in mesh.environment.quarantine.list(key)
        if entry.open
        for file in mesh.environment.quarantine.files(entry)
        for value in kept_messages(file).column("value").to_pylist()
    )


@pytest.fixture
def shop(mesh, kafka, monkeypatch):
    flink_python()  # before anything is begun
    monkeypatch.setenv("MESH_LOG", "kafka")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", kafka.address)
    topic = f"receipts-{uuid.uuid4().hex[:8]}"
    mesh.environment.log.create(topic, 3, keep_seconds=10**9)
    mesh.product(PRODUCT, contract(budget=100, columns=MORE, topic=topic, engine="flink"))
    alone = contract(budget=100, columns=MORE, topic=topic).replace("shop-receipts", "shop-alone")
    mesh.product(ALONE, alone.replace("name: receipts", "name: alone"))
    mesh.topic = topic
    return mesh


def take(mesh, key):
    """What the topic holds now, into the product."""
    product = definition(mesh.environment, key)
    ends = mesh.environment.log.topic(mesh.topic).ends
    StreamProcess(mesh.environment, product, f"stream-{uuid.uuid4()}", lambda: False).run(ends)
    return ends


def test_a_job_that_is_killed_and_begun_anew_loses_and_doubles_nothing(shop):
    log, product = shop.environment.log, definition(shop.environment, PRODUCT)
    writer = log.writer(f"till-{shop.topic}")
    job = start_job(shop)
    try:
        send(log, shop.topic, 0, 600, writer)
        take(shop, PRODUCT)
        send(log, shop.topic, 600, 600, writer)
        next(wait_until_staged(shop, product, log.topic(shop.topic).ends, job))
        job.kill()
        job.wait()
        job = start_job(shop)
        send(log, shop.topic, 1200, 300, writer)
        take(shop, PRODUCT)
        take(shop, ALONE)
        assert len(published(shop, PRODUCT)) > 500
        assert published(shop, PRODUCT) == published(shop, ALONE)
        assert kept(shop, PRODUCT) == kept(shop, ALONE)
        position = shop.versions(PRODUCT)[-1].evidence.stream
        assert position.positions == shop.versions(ALONE)[-1].evidence.stream.positions
        assert position.engine == "flink"
        lose_some(shop, product, job, writer)
    finally:
        job.kill()
        job.wait()
        writer.close()


def lose_some(shop, product, job, writer):
    """Rows that were staged are dropped from their files: the stream stops, and says which."""
    log, number = shop.environment.log, len(shop.versions(PRODUCT))
    before = log.topic(shop.topic).ends
    with writer.transaction():
        writer.send(shop.topic, messages(list(batch(2000, 60))))
    ends = log.topic(shop.topic).ends
    wanted = {p: (before[p], ends[p] - 1) for p in ends}
    for staged in wait_until_staged(shop, product, ends, job):
        rows = staged.rows(wanted)
        if rows is not None and rows.num_rows == 60:
            break
    part = next(p for p in staged._parts.values() if p.overlaps(wanted))
    rows = pq.read_table(part.path)
    part.path.with_name(f".{part.path.name}.crc").unlink(missing_ok=True)
    pq.write_table(rows.slice(1), part.path)
    _table.cache_clear()  # no job writes a file twice
    with pytest.raises(Unreconciled, match="were not staged by the job"):
        take(shop, PRODUCT)
    part.path.unlink()
    with pytest.raises(Unreconciled, match="is gone"):
        take(shop, PRODUCT)
    assert len(shop.versions(PRODUCT)) == number
