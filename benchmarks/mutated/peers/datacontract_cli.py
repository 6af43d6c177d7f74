"""A case as datacontract-cli is given it: our own contract, which is its format, with the file as server.

Belongs here: the file. Does not belong here: asking (`in_datacontract_cli.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from benchmarks.mutated.peers.case import Case

FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "json"}


def described(case: Case, into: Path) -> dict[str, Any]:
    """Write the contract with the broken object as its server."""
    contract = yaml.safe_load(case.contract.path.read_text("utf-8"))
    server = {
        "server": "local",
        "type": "local",
        "path": str(case.file),
        "format": FORMATS[case.file.suffix],
    }
    if case.file.suffix == ".jsonl":
        server["delimiter"] = "new_line"
    contract["servers"] = [server]
    file = into / f"{case.name}.odcs.yaml"
    file.write_text(yaml.safe_dump(contract, sort_keys=False), "utf-8")
    return {"name": case.name, "contract": str(file)}
