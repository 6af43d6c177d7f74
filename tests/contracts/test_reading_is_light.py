"""Reading contracts stays light enough for `mesh check` to be run on every save."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

HEAVY = ("pandas", "polars", "dagster", "pandera", "pydantic", "pyiceberg", "duckdb")


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
