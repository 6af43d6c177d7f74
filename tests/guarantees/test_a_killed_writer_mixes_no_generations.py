"""Who reads by the key sees one whole version, never an older one after a newer, whoever writes and dies.

Two writers race without any lock, each takes the other's unfinished generation for a dead one's, and both
are killed at moments of chance; a reader reads all the while.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from shared_resources.serving_ports import following
from shared_resources.serving_ports.port import State
from shared_resources.serving_ports.sqlite_port import SqlitePort
from shared_resources.stores.protocol import Version
from tests.forkserver import forkserver
from tests.serving_ports.made import PRODUCT, generation

KILLS, ROWS = 60, 3_000


class Published:
    """A version whose every row names it."""

    def __init__(self, number: int) -> None:
        made = generation(number)
        self.version = Version(PRODUCT, "lake", number, "", ROWS, made.published_at)

    def batches(self, columns: list[str]) -> pa.RecordBatchReader:
        table = pa.table({"id": range(ROWS), "of": [self.version.number] * ROWS}).select(columns)
        return table.to_reader(max_chunksize=500)


def write_one_version_after_the_other(root: Path, versions: range, ready: Any = None) -> None:
    port = SqlitePort(root)
    if ready is not None:
        ready.set()
    for number in versions:
        following._clear_unfinished(port, PRODUCT)
        current, made = port.current(PRODUCT), generation(number)
        if following._to_be_written(made, current, anew=False):
            following._write(port, Published(number), made, anew=False)  # type: ignore[arg-type]
        for held in port.held(PRODUCT):
            if held.state is State.REPLACED and held.since + timedelta(seconds=1) < _now():
                port.drop(PRODUCT, held.generation.id)


def _now():
    from datetime import UTC, datetime

    return datetime.now(UTC)


def _read(root: Path, ended: threading.Event, seen: list[int], wrong: list[str]) -> None:
    port, chosen = SqlitePort(root), random.Random(3)
    while not ended.is_set():
        found = port.get(PRODUCT, f'["{chosen.randrange(ROWS)}"]')
        if found is None:
            continue
        version = found.generation.version
        of = json.loads(found.row)[1] if found.row is not None else None
        if of != version:
            wrong.append(f"a row of {of} in the generation of {version}")
        if seen and version < seen[-1]:
            wrong.append(f"version {version} after version {seen[-1]}")
        if not seen or version != seen[-1]:
            seen.append(version)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[list[int], list[str]]]:
    seen: list[int] = []
    wrong: list[str] = []
    ended = threading.Event()
    thread = threading.Thread(target=_read, args=(tmp_path, ended, seen, wrong))
    thread.start()
    yield seen, wrong
    ended.set()
    thread.join()


@pytest.mark.slow
def test_killed_and_racing_writers_show_whole_versions_in_their_order(
    tmp_path: Path, reader: tuple[list[int], list[str]]
) -> None:
    seen, wrong = reader
    write_one_version_after_the_other(tmp_path, range(1, 2))
    chance, port = random.Random(11), SqlitePort(tmp_path)
    for _ in range(KILLS // 2):
        current = port.current(PRODUCT)
        assert current is not None
        begin = current.generation.version + 1
        ready = [forkserver().Event() for _ in range(2)]
        writers = [
            forkserver().Process(
                target=write_one_version_after_the_other,
                args=(tmp_path, range(begin + n, begin + 40), ready[n]),
            )
            for n in range(2)
        ]
        for writer in writers:
            writer.start()
        for writer, is_ready in zip(writers, ready, strict=True):
            assert is_ready.wait(60)
            time.sleep(chance.uniform(0.02, 0.6))
            assert writer.pid is not None
            os.kill(writer.pid, signal.SIGKILL)
            writer.join()
    current = port.current(PRODUCT)
    assert current is not None
    last = current.generation.version + 1
    write_one_version_after_the_other(tmp_path, range(last, last + 1))
    served = port.current(PRODUCT)
    assert served is not None and served.generation.version == last
    unfinished = (State.WRITING, State.WRITTEN, State.DROPPING)
    assert [one for one in port.held(PRODUCT) if one.state in unfinished] == []
    assert wrong == [] and len(seen) >= 3
