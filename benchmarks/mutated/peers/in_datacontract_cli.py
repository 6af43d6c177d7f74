"""Asks datacontract-cli, in its own environment: `python THIS PLAN ANSWERS`.

Belongs here: the first check that fails, or why it could not be asked.
Does not belong here: the contracts (`datacontract_cli.py`).
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from datacontract.data_contract import DataContract


def main() -> None:
    logging.disable(logging.CRITICAL)
    plan, answers = map(Path, sys.argv[1:])
    said = {case["name"]: _said(case["contract"]) for case in json.loads(plan.read_text("utf-8"))}
    answers.write_text(json.dumps(said), "utf-8")


def _said(contract: str) -> str:
    try:
        run = DataContract(data_contract_file=contract, server="local").test()
    except Exception as problem:  # noqa: BLE001 - whatever it says of a file that it cannot read
        return f"error: {type(problem).__name__}"
    found = [
        one
        for one in run.checks
        if str(getattr(one.result, "value", one.result)) in ("failed", "error")
    ]
    return f"`{found[0].type or found[0].name}`" if found else ""


if __name__ == "__main__":
    main()
