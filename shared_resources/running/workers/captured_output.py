"""What a run prints, kept for the UI as Dagster keeps it, by one process less each.

Belongs here: how what a run prints reaches the worker's log, too.
Does not belong here: where Dagster keeps it, and the worker's log itself (`process.py`).

Dagster copies what a run prints by `tail`, and starts a Python for each `tail`, which ends it if the
run's process is killed: 0.1 s of the processor a run. GNU's `tail` ends by itself with a process that it
is told.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def copy_by_tail_alone() -> None:
    """From now on this process copies so, where `tail` can."""
    from dagster._core.execution import compute_logs

    known: Any = compute_logs
    if _is_gnus():
        known.execute_posix_tail = _tail


@contextmanager
def _tail(path: str, stream: Any) -> Iterator[tuple[int, None]]:
    """In the place of Dagster's own: `path` grows, and `stream` is given what it grows by."""
    from dagster._core.execution import compute_logs

    known: Any = compute_logs
    command = ["tail", f"--pid={os.getpid()}", "-F", "-c", "+0", path]
    tail = subprocess.Popen(command, stdout=stream if known._fileno(stream) else None)
    try:
        yield tail.pid, None
    finally:
        known._clean_up_subprocess(tail)


def _is_gnus() -> bool:
    try:
        said = subprocess.run(["tail", "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return said.returncode == 0 and "(GNU coreutils)" in said.stdout
