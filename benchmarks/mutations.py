"""Broken data beside a peer: which rule of ours refuses each object, and whether pandera would.

    python -m benchmarks.mutations

The objects are the example's, each with one edit (`mutated/data.py`). Ours is what landing does:
reading, the contract's rules, the central policies. pandera gets every rule of the contract that a
frame's schema can express, compiled by the platform itself (`contracts/pandera_schema.py`), on the
frame that pandas reads with the contract's types; what pandas cannot read counts as caught. Prints
the matrix as Markdown.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import pandas as pd

from benchmarks.mutated.data import CATALOG, HARMLESS, LINES, MUTATIONS, Mutation, landed
from benchmarks.mutated.ours import Judge
from shared_resources.contracts.model import Contract
from shared_resources.contracts.pandera_schema import pandera_schema
from shared_resources.contracts.types import Family

DOMAINS = Path(__file__).resolve().parents[1] / "domains"


def main() -> None:
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        work = Path(temporary)
        judge = Judge(DOMAINS, landed(work / "landing"), work)
        rows = [_row(judge, mutation) for mutation in (*MUTATIONS, *HARMLESS)]
    print("| object | what is broken | the mesh | pandera |\n|---|---|---|---|")
    for mutation, ours, pandera in rows:
        said = ours if mutation.catches else (ours or "nothing")
        print(f"| {mutation.product} | {mutation.name} | {said or 'MISSED'} | {pandera} |")
    broken = [row for row in rows if row[0].catches]
    alarms = [row for row in rows if not row[0].catches]
    print(
        f"\nOf {len(broken)}: the mesh {sum(bool(r[1]) for r in broken)}, pandera "
        f"{sum(r[2] != '' for r in broken)}. False alarms among {len(alarms)}: the mesh "
        f"{sum(bool(r[1]) for r in alarms)}, pandera {sum(r[2] != '' for r in alarms)}."
    )


def _row(judge: Judge, mutation: Mutation) -> tuple[Mutation, str, str]:
    landed_file = judge.objects[mutation.product]
    file = judge.work / landed_file.name
    file.write_bytes(mutation.edit(landed_file.read_bytes()))
    day = "2017-01-01" if mutation.product == LINES else ""
    refusals = judge.refusals(mutation.product, file, day)
    named = mutation.catches if mutation.catches in refusals else ", ".join(refusals)
    return mutation, f"`{named}`" if named else "", _pandera(judge.contract(mutation.product), file)


def _pandera(contract: Contract, file: Path) -> str:
    """The first check that fails, ``""`` for none."""
    try:
        frame = _frame(contract, file)
    except Exception as problem:  # noqa: BLE001 - whatever pandas says of a file that it cannot read
        return f"pandas: {type(problem).__name__}"
    import pandera.errors

    try:
        pandera_schema(contract).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        return f"`{errors.failure_cases['check'].iloc[0]}`"
    return ""


def _frame(contract: Contract, file: Path) -> pd.DataFrame:
    types = {
        column.name: "Int64" if column.type.family is Family.INTEGER else "object"
        for column in contract.columns
        if column.type.family in (Family.INTEGER, Family.STRING)
    }
    if contract.key == CATALOG:
        return pd.read_csv(file, dtype=types, keep_default_na=False, na_values=[""])
    if file.suffix == ".jsonl":
        frame = pd.read_json(file, lines=True)
        for column in contract.columns:
            if column.type.family is Family.DATE:
                frame[column.name] = pd.to_datetime(frame[column.name], format="%Y-%m-%d").dt.date
        return frame
    return pd.read_parquet(file)


if __name__ == "__main__":
    main()
