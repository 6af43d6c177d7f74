"""One broken object as a peer is shown it.

Belongs here: the case, and asking a script in an environment of the peer's own.
Does not belong here: what a peer makes of it.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from shared_resources.contracts.model import Contract

DAY = "2017-01-01"


@dataclass(frozen=True)
class Case:
    """`name` is unique and fit for a table; `references` are landed files by product."""

    name: str
    contract: Contract
    file: Path
    references: Mapping[str, Path]


def asked(python: Path, script: str, cases: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By name what the script in the environment of `python` says, `""` for nothing."""
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        plan, said = Path(temporary) / "plan.json", Path(temporary) / "said.json"
        plan.write_text(json.dumps(list(cases), default=str), "utf-8")
        # Without the folder on its path: modules there are called as the peers are.
        command = [str(python), "-P", str(Path(__file__).with_name(script)), str(plan), str(said)]
        subprocess.run(command, check=True, cwd=temporary)
        found: dict[str, str] = json.loads(said.read_text("utf-8"))
        return found
