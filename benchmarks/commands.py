"""What the commands that people type all day cost before they say anything.

    python -m benchmarks.commands [--repeat N]

Seconds of CPU, the median of the rounds, of whole processes: the example's landing zone with one small
product published, and a file of 1,000 rows.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.results.figures import Figure, report
from benchmarks.results.processor import seconds_of_children

SMALL = "product/catalog"
CONTRACT = "domains/product/products/catalog/contract.odcs.yaml"
# Seconds of CPU that somebody at a terminal does not notice.
LIMITS = {"--help": 0.1, "status": 0.8, "versions": 0.8, "read": 0.8, "audit": 0.4}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=5)
    repeat = parser.parse_args().repeat
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as home:
        landing = [sys.executable, "-m", "domains.source_systems"]
        _run(landing, home)
        mesh = str(Path(sys.executable).with_name("mesh"))
        _run([mesh, "run", SMALL], home)
        rows = Path(home) / "rows.parquet"
        _run([mesh, "read", SMALL, "--output", str(rows)], home)
        pq.write_table(pq.read_table(rows).slice(0, 1_000), rows)
        commands = {
            "--help": ["--help"],
            "status": ["status"],
            "versions": ["versions", SMALL],
            "read": ["read", SMALL],
            "audit": ["audit", CONTRACT, "--data", str(rows)],
        }
        report(
            Figure(
                f"mesh {name}",
                statistics.median(
                    seconds_of_children(partial(_run, [mesh, *words], home)) for _ in range(repeat)
                ),
                limit=LIMITS[name],
            )
            for name, words in commands.items()
        )


def _run(command: list[str], home: str) -> None:
    environment = {**os.environ, "MESH_HOME": home}
    done = subprocess.run(command, env=environment, capture_output=True)
    # The contract wants the whole master data: the audit of 1,000 rows of it says so, and ends with 1.
    if done.returncode not in (0, int("audit" in command)):
        sys.exit(f"{' '.join(command)}: {done.stderr.decode()[-2_000:]}")


if __name__ == "__main__":
    main()
