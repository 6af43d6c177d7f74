"""What the tests' other processes do: publish many batches, or die at a chosen step of one.

Belongs here: functions that a child process runs.
Does not belong here: what is asserted (`test_concurrency.py`, `test_crashes.py`).
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import os
import signal
import traceback
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from shared_resources.stores.cloud_warehouse import store as snowflake
from shared_resources.stores.embedded_warehouse import store as warehouse
from shared_resources.stores.lake import store as lake
from tests.stores.places import Place
from tests.stores.products import contract, day, publish

DAILY = contract(partitioned=True)
ROWS_PER_BATCH = 3


def numbers_of(worker: int, batch: int) -> list[int]:
    """The row numbers of a worker's batch; no two batches share one."""
    start = (worker * 1_000 + batch) * ROWS_PER_BATCH
    return list(range(start, start + ROWS_PER_BATCH))


def publish_many(
    place: Place, worker: int, batches: int, appends: bool, locked: bool, out: Connection
) -> None:
    """Replace the worker's own partition again and again, or append to one that many append to."""
    if not locked:
        for store in (lake, snowflake, warehouse):
            store.advisory_lock = _no_lock  # type: ignore[attr-defined]
    opened = place.open()
    try:
        for batch in range(batches):
            where = day(0) if appends else day(1 + worker)
            rows = {where: numbers_of(worker, batch)}
            publish(opened, DAILY, f"w{worker}-b{batch}", rows, append=appends)
        out.send("")
    except BaseException:  # noqa: BLE001 - whatever it is, the test must hear of it
        out.send(traceback.format_exc())


def publish_and_die(
    place: Place, batch_id: str, numbers: Sequence[int], step: str, when: str
) -> None:
    """Publish a batch of one partition, and die (SIGKILL) before or after `step` is done."""
    die_at(step, when)
    publish(place.open(), DAILY, batch_id, {day(0): numbers})


def die_at(step: str, when: str) -> None:
    """Let this process die (SIGKILL) before or after the first call of `step` is done.

    `step` is `module:attribute.path`; dying means that no clean-up runs.
    """
    module_name, _, path = step.partition(":")
    owner: Any = importlib.import_module(module_name)
    *parents, name = path.split(".")
    for parent in parents:
        owner = getattr(owner, parent)
    original = getattr(owner, name)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        if when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)
        return result

    static = isinstance(inspect.getattr_static(owner, name), staticmethod)
    setattr(owner, name, staticmethod(deadly) if static else deadly)


def publish_once(place: Place, batch_id: str, numbers: Sequence[int]) -> None:
    publish(place.open(), DAILY, batch_id, {day(0): numbers})


@contextlib.contextmanager
def _no_lock(path: object) -> Any:
    yield
