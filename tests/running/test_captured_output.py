"""What a run prints is kept for the UI and in the worker's log, and nothing of it outlives the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared_resources.running.workers import captured_output

SCRIPT = """
import os, subprocess, sys, time
from dagster._core.execution.compute_logs import mirror_stream_to_file
from shared_resources.running.workers.captured_output import copy_by_tail_alone
copy_by_tail_alone()
with mirror_stream_to_file(sys.stdout, sys.argv[1]) as (tail, watcher):
    print("printed", flush=True)
    subprocess.run(["echo", "by another"], check=True)
    print(tail, watcher, file=sys.stderr, flush=True)
    time.sleep(float(sys.argv[2]))
"""

pytestmark = pytest.mark.skipif(not captured_output._is_gnus(), reason="another `tail`")


def test_what_is_printed_is_kept_and_copied_by_one_process(tmp_path: Path) -> None:
    kept = tmp_path / "kept.out"
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(kept), "2"], capture_output=True, text=True, check=True
    )
    assert kept.read_text() == ran.stdout == "printed\nby another\n"
    assert ran.stderr.split()[1] == "None"


def test_a_killed_process_leaves_no_tail(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "kept.out"), "60"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        tail = int(process.stderr.readline().split()[0])
        process.send_signal(signal.SIGKILL)
    for _ in range(100):
        try:
            os.kill(tail, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{tail}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
            return
        time.sleep(0.1)
    pytest.fail("it still runs")
