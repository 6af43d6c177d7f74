"""The whole example mesh, from an empty state: time, peak memory, rows a second for each product;
then with nothing new, and with one corrected day.

    python -m benchmarks.mesh [--jobs N]

The landing zone is written first and not counted. Memory is sampled over the whole process tree
(proportional set size: shared pages count once); a product's own peak is its run process's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pyarrow.parquet as pq

from benchmarks.results.figures import Figure, report

_SAMPLE_SECONDS = 0.1
DAILY = "order/transactions"
CONSUMERS = ("order/baskets",)  # of the same days


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", default=str(os.cpu_count() or 1))
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as home:
        environment = {**os.environ, "MESH_HOME": home}
        environment.pop("DAGSTER_HOME", None)
        landing = [sys.executable, "-m", "domains.source_systems"]
        subprocess.run(landing, env=environment, check=True, stdout=subprocess.DEVNULL)
        mesh = Path(sys.executable).with_name("mesh")
        run = subprocess.Popen(
            [str(mesh), "run", "--json", "--jobs", jobs],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        began = time.monotonic()
        sampler = _Sampler(run.pid)
        output, _ = run.communicate()
        seconds = time.monotonic() - began
        sampler.stop()
        outcome = json.loads(output)
        _print(outcome["products"], seconds, sampler.peak_mib)
        took = float(outcome["products"][DAILY]["seconds"])
        figures = [
            Figure("the whole mesh from empty", seconds, limit=30.0),
            Figure("the whole mesh, at the most", sampler.peak_mib / 1024, "GiB", limit=2.0),
            Figure(f"{DAILY}, a year of days", took, limit=6.0),
            Figure("mesh run, nothing new", _again(mesh, environment), limit=3.0),
        ]
        _correct_a_day(Path(home) / "landing" / DAILY)
        again = _again(mesh, environment, DAILY, *CONSUMERS)
        figures.append(Figure("one corrected day, with its daily consumers", again, limit=5.0))
        rest = _again(mesh, environment)
        figures.append(Figure("what reads that day and is made whole", rest))
    report(figures)
    sys.exit(run.returncode)


def _again(mesh: Path, environment: dict[str, str], *products: str) -> float:
    began = time.monotonic()
    command = [mesh, "run", "--json", *products]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    return time.monotonic() - began


def _correct_a_day(landing: Path) -> None:
    """The source system lands a day in the middle of the year again, without its last row."""
    day = sorted(landing.iterdir())[180]
    table = pq.read_table(day)
    made = day.with_name(f".{day.name}")
    pq.write_table(table.slice(0, table.num_rows - 1), made)
    made.replace(day)


class _Sampler:
    """Samples the memory of a process and all below it, in a thread."""

    def __init__(self, pid: int) -> None:
        self.peak_mib = 0.0
        self._root = psutil.Process(pid)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._stopped.wait(_SAMPLE_SECONDS):
            self.peak_mib = max(self.peak_mib, self._now())

    def _now(self) -> float:
        total = 0
        try:
            processes = [self._root, *self._root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return 0.0
        for process in processes:
            try:
                total += process.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it ended while it was looked at
        return total / 2**20


def _print(products: dict[str, dict[str, object]], seconds: float, peak_mib: float) -> None:
    print(f"{'product':<42}{'rows':>12}{'seconds':>10}{'rows/s':>12}{'peak MiB':>10}")
    for key, product in products.items():
        rows, took = int(str(product.get("rows") or 0)), float(str(product.get("seconds") or 0))
        speed = f"{rows / took:>12,.0f}" if took else f"{'':>12}"
        peak = product.get("peak_mib") or 0
        print(f"{key:<42}{rows:>12,}{took:>10.1f}{speed}{peak!s:>10}")
        if product["state"] != "published":
            print(f"    {product['state']}: {product.get('message')}")
    print(
        f"\nwhole mesh: {seconds:.1f} s, {peak_mib:,.0f} MiB at the most, on {os.cpu_count()} cores"
    )


if __name__ == "__main__":
    main()
