"""Measures a peer: from when its job is begun until the table holds every row, and what that cost.

Belongs here: starting it, watching its table, the processor's time of all its processes.
Does not belong here: what it does (`flink.py`, `spark.py`).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
# It goes to the JVM of either; the collector is the one that it would choose on a larger machine.
JAVA_OPTIONS = "-Xmx2g -XX:+UseG1GC"
MOST_SECONDS = 300.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Took:
    """`processor` are the seconds of all its processes since the job was begun."""

    seconds: float
    processor: float


def wanted(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--flink", metavar="PYTHON", help="of Flink's environment (`make flink`)")
    parser.add_argument("--spark", metavar="PYTHON", help="of an environment with pyspark")
    parser.add_argument("--spark-jars", metavar="FOLDER", default="", help="see pom.xml")


def named(
    options: argparse.Namespace,
) -> Iterator[tuple[str, Callable[[str, str, Path, int], Took]]]:
    """Those whose environment was named, each with what measures it."""
    if options.flink is not None:
        yield "Flink", partial(measured, (options.flink, "flink.py"))
    if options.spark is not None:
        yield "Spark", partial(measured, (options.spark, "spark.py", options.spark_jars))


def measured(run: Sequence[str], broker: str, topic: str, folder: Path, count: int) -> Took:
    """`run` is an interpreter, a program and what it is given last. What is missing in its table is said.

    Raises `RuntimeError` when it ends before, with what it said last.
    """
    python, program, *more = run
    folder.mkdir()
    said = folder / "said"
    command = [python, str(HERE / program), broker, topic, str(folder), *more]
    variables = {**os.environ, "JAVA_TOOL_OPTIONS": JAVA_OPTIONS}
    with said.open("wb") as log:
        started = subprocess.Popen(
            command, stdout=log, stderr=log, env=variables, start_new_session=True
        )
    try:
        _until_begun(started, said)
        began, before = time.time(), processor_of(started.pid)
        rows = ended = 0
        until = began + MOST_SECONDS
        while rows < count and time.time() < until and started.poll() is None:
            time.sleep(0.05)
            rows, ended = _committed(folder / "shop" / "lines" / "metadata")
        if started.poll() is not None:
            raise RuntimeError(said.read_text(errors="replace")[-3000:])
        took = Took(ended / 1000 - began, processor_of(started.pid) - before)
        print(f"{before:.1f} s of the processor until the job of {program} was begun")
        if rows != count:
            print(f"{count - rows:,} of {count:,} rows are not in the table of {program}")
        return took
    finally:
        os.killpg(started.pid, signal.SIGKILL)
        started.wait()


def processor_of(root: int) -> float:
    """User and system seconds of a process and of all below it that live."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            parents[int(folder.name)] = int(fields[1])
            used[int(folder.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
    return sum(seconds for pid, seconds in used.items() if root in _above(pid, parents))


def _above(pid: int, parents: dict[int, int]) -> Sequence[int]:
    found = [pid]
    while found[-1] in parents:
        found.append(parents[found[-1]])
    return found


def _until_begun(started: subprocess.Popen[bytes], said: Path) -> None:
    until = time.time() + MOST_SECONDS
    while b"began\n" not in said.read_bytes():
        if started.poll() is not None or time.time() > until:
            raise RuntimeError(said.read_text(errors="replace")[-3000:])
        time.sleep(0.05)


def _committed(metadata: Path) -> tuple[int, int]:
    """How many rows its newest version has, and when that was committed, in milliseconds."""
    try:
        number = (metadata / "version-hint.text").read_text().strip()
        table = json.loads((metadata / f"v{number}.metadata.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return 0, 0
    for snapshot in table.get("snapshots", ()):
        if snapshot["snapshot-id"] == table.get("current-snapshot-id"):
            return int(snapshot["summary"]["total-records"]), snapshot["timestamp-ms"]
    return 0, 0
