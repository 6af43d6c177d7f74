"""Reading contracts stays fast enough for `mesh check` to be run on every save."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.contracts.reading import read, rich

LIMIT_SECONDS = 0.060  # for one contract once the reader is loaded; measured 0.03
HEAVY = ("pandas", "polars", "dagster", "pandera", "pydantic", "pyiceberg", "duckdb")


def test_a_contract_of_everything_is_read_within_its_limit() -> None:
    text = rich()
    read(text)
    times = []
    for _ in range(7):
        started = time.process_time()
        read(text)
        times.append(time.process_time() - started)
    assert min(times) < LIMIT_SECONDS


def test_reading_contracts_imports_nothing_heavy() -> None:
    script = (
        "import json, sys\n"
        "from tests.contracts.reading import read, rich\n"
        "read(rich())\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert json.loads(ran.stdout) == []
