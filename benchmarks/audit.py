"""The audit beside its peers: ten rules on ten million rows of Parquet, whole processes.

    python -m benchmarks.audit [--rows N] [--repeat N]

Rules: the columns and their types, 4 not-null, a unique key, 2 ranges, a regular expression, a set
of values. Each contender (`audit_peers/contenders.py`) runs in a fresh process. It is first shown
ten small files, each with one fault of a kind, and must refuse every one. Prints seconds (median),
the peak of memory and ratios to a polars query written by hand. Timings are printed, never asserted.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Only the names: a child's peak of memory counts from its parent's, which must stay small.
from benchmarks.audit_peers.terms import FAULTS
from benchmarks.results.figures import Figure, report

CONTENDERS = {
    "mesh (contract read, audit, report)": "mesh",
    "mesh audit (proves the footers too)": "command",
    "polars, streaming, by hand": "polars",
    "duckdb, one aggregate, by hand": "duckdb",
    "pointblank": "pointblank",
    "dataframely": "dataframely",
    "pandera on polars": "pandera_polars",
    "pandera on pandas": "pandera_pandas",
}
BASELINE = "polars"
# Of the baseline's time.
LIMITS = {"mesh": 1.1, "command": 1.6}


@dataclass(frozen=True)
class Measured:
    seconds: float
    processor_seconds: float
    mebibytes: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--only", nargs="*", default=list(CONTENDERS.values()))
    options = parser.parse_args()
    chosen = {label: name for label, name in CONTENDERS.items() if name in options.only}
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        folder = Path(temporary)
        subprocess.run(
            [sys.executable, "-m", "benchmarks.audit_peers.data", folder, str(options.rows)],
            check=True,
        )
        _prove_that_each_refuses(folder, chosen)
        data = folder / "rows.parquet"
        size = data.stat().st_size / 2**20
        print(f"{options.rows:,} rows, {size:,.0f} MiB of Parquet, {os.cpu_count()} processors")
        runs: dict[str, list[Measured]] = {name: [] for name in chosen.values()}
        # One round of all after the other, so that a busy moment of the machine meets each of them.
        for _ in range(options.repeat):
            for name in chosen.values():
                runs[name].append(_run(name, folder, data))
    _print(chosen, runs)
    report(_figures(chosen, runs))


def _prove_that_each_refuses(folder: Path, chosen: dict[str, str]) -> None:
    for name in chosen.values():
        _run(name, folder, folder / "small.parquet")
        for fault in FAULTS:
            _run(name, folder, folder / f"{fault}.parquet", refused=True)


def _run(name: str, folder: Path, data: Path, *, refused: bool = False) -> Measured:
    """One fresh process, from its start to its end. It must exit with 0, or with 1 if refused."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.audit_peers.contenders",
        name,
        str(folder),
        str(data),
    ]
    environment = {**os.environ, "MESH_HOME": str(folder / "home")}
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    said = process.stdout.read().decode(errors="replace")
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != int(refused):
        wanted = "refuse" if refused else "pass"
        raise SystemExit(f"{name} did not {wanted} {data.name}:\n{said[-3000:]}")
    return Measured(seconds, used.ru_utime + used.ru_stime, _mebibytes(used))


def _mebibytes(used: resource.struct_rusage) -> float:
    return used.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def _print(chosen: dict[str, str], runs: dict[str, list[Measured]]) -> None:
    base = _median([m.seconds for m in runs[BASELINE]]) if BASELINE in runs else None
    print(
        f"{'':36}{'median s':>9}{'fastest':>9}{'slowest':>9}{'CPU s':>8}{'peak MiB':>10}{'ratio':>7}"
    )
    for label, name in chosen.items():
        each = [m.seconds for m in runs[name]]
        processor = _median([m.processor_seconds for m in runs[name]])
        peak = max(m.mebibytes for m in runs[name])
        ratio = f"{_median(each) / base:7.2f}" if base else ""
        print(
            f"{label:36}{_median(each):9.2f}{min(each):9.2f}{max(each):9.2f}"
            f"{processor:8.2f}{peak:10.0f}{ratio}"
        )


def _figures(chosen: dict[str, str], runs: dict[str, list[Measured]]) -> Iterator[Figure]:
    """The mesh beside each peer, and the command beside the fastest written by hand."""
    took = {name: _median([m.seconds for m in runs[name]]) for name in chosen.values()}
    for label, name in chosen.items():
        if name not in LIMITS and "mesh" in took:
            limit = LIMITS["mesh"] if name == BASELINE else None
            yield Figure("audit, ten rules", took["mesh"], "s", label, took[name], limit)
    if "command" in took and BASELINE in took:
        beside = ("polars, streaming, by hand", took[BASELINE], LIMITS["command"])
        yield Figure("mesh audit, a foreign file", took["command"], "s", *beside)


def _median(values: list[float]) -> float:
    return statistics.median(values)


if __name__ == "__main__":
    main()
