"""The server that workers are forked from: what it has imported by then.

Belongs here: which modules, and starting it before the first worker is wanted.
Does not belong here: what a worker does (`process.py`). The server runs nothing of any domain.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from multiprocessing.context import ForkServerContext
from typing import Any

_PLACE = "shared_resources.running.workers"
# What every worker imports sooner or later, once for all of them: how Dagster keeps its events, too.
# The first and the last are about memory and the time that Python takes to look through it.
_PRELOADED = (
    f"{_PLACE}.before_imports",
    "dagster",
    "dagster._core.remote_representation.external_data",
    "dagster._core.storage.event_log",
    "dagster._core.storage.runs",
    "dagster._core.storage.schedules",
    "duckdb",
    "pandas",
    "polars",
    "pyarrow.parquet",
    "pyiceberg.catalog.sql",
    "shared_resources.running.execution",
    "shared_resources.data_products.auditing",
    "shared_resources.data_products.makers.making",
    "shared_resources.locations.location",
    "shared_resources.stores.levelling",
    "shared_resources.stores.lake.store",
    f"{_PLACE}.process",
    f"{_PLACE}.after_imports",
)


def context() -> ForkServerContext:
    """What workers are started with."""
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(list(_PRELOADED))
    return found


@contextmanager
def imports_meanwhile() -> Iterator[None]:
    """Have the server begin to import while the block finds out what workers are to do.

    Only where there is a processor for it. The server ends with the block.
    """
    if (os.cpu_count() or 1) < 2:
        yield
        return
    server: Any = forkserver._forkserver
    if server._forkserver_pid is not None:
        yield  # somebody else's, as in tests
        return
    context()
    forkserver.ensure_running()
    try:
        yield
    finally:
        # It listens only once it has imported everything, and holds what this process prints to.
        if not multiprocessing.active_children() and server._forkserver_pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server._forkserver_pid, signal.SIGKILL)
            server._stop()
