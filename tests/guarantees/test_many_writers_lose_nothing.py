"""Promise: 16 processes publish to one product, none loses, and readers see only whole versions."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from multiprocessing.synchronize import Event

import pytest

from shared_resources.environment import Environment
from shared_resources.stores.opening import open_product
from tests.forkserver import ended, forkserver, running
from tests.guarantees.orders import KEY, daily_orders_product, land_day
from tests.guarantees.processes import child, make_batch
from tests.tiny_mesh import TinyMesh

WRITERS = 16
ROWS = 25
ROUNDS = 3


def _days() -> list[str]:
    first = date(2024, 1, 1)
    return [(first + timedelta(days=n)).isoformat() for n in range(WRITERS)]


def _publish_rounds(environment: Environment, day: str) -> None:
    for number in range(ROUNDS):
        assert make_batch(environment, KEY, f"run-{day}-{number}", (day,))


def _read_until(environment: Environment, stop: Event, broken: Event, reads: object) -> None:
    """Read again and again; a day of another number of rows is half of a batch."""
    while not stop.is_set():
        try:
            table = open_product(environment, KEY).batches(["day"]).read_all()
        except LookupError:
            continue
        counted = Counter(table["day"].to_pylist())
        if set(counted.values()) - {ROWS}:
            broken.set()
        with reads.get_lock():  # type: ignore[attr-defined]
            reads.value += 1  # type: ignore[attr-defined]


@pytest.mark.slow
def test_16_processes_publishing_to_one_product_lose_nothing(mesh: TinyMesh) -> None:
    daily_orders_product(mesh)
    for place, day in enumerate(_days()):
        land_day(mesh, day, [float(place + 1)] * ROWS)
    context = forkserver()
    stop, broken, reads = context.Event(), context.Event(), context.Value("i", 0)
    readers = [child(_read_until, mesh.environment, stop, broken, reads) for _ in range(2)]
    writers = [child(_publish_rounds, mesh.environment, day) for day in _days()]
    with running(*readers, *writers):
        ended(*writers, within=900)
        stop.set()
        ended(*readers)

    assert [writer.exitcode for writer in writers] == [0] * WRITERS
    assert not broken.is_set(), "a reader saw a part of a day"
    assert reads.value > 5
    rows = Counter(row["day"].isoformat() for row in mesh.rows(KEY))
    assert rows == dict.fromkeys(_days(), ROWS)
    assert [v.number for v in mesh.versions(KEY)] == list(range(1, WRITERS * ROUNDS + 1))
