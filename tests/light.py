"""Which modules a piece of Python imports, looked at in a process of its own.

Belongs here: running it and asking. Does not belong here: which modules are too many.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path


def imported_of(
    names: Sequence[str], script: str, variables: Mapping[str, str] | None = None
) -> list[str]:
    """Which of the modules `names` are imported when `script` has run, with these variables alone if
    there are any."""
    asked = f"\nimport json, sys\nprint(json.dumps([n for n in {names!r} if n in sys.modules]))\n"
    ran = subprocess.run(
        [sys.executable, "-c", script + asked],
        cwd=Path(__file__).parents[1],
        env=dict(os.environ if variables is None else variables),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: list[str] = json.loads(ran.stdout)
    return found
