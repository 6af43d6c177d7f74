"""Broken data beside peers: which rule of ours refuses each object, and whether theirs would.

    python -m benchmarks.mutations [--peer PYTHON]

The objects are the example's, each with one edit (`mutated/data.py`). Ours is what landing does:
reading, the contract's rules, the central policies. Each peer gets the best rules that it can express for
the same contract: pandera what a frame's schema can, compiled by the platform itself
(`contracts/pandera_schema.py`), on the frame that pandas reads with the contract's types; dbt a model
with an enforced contract and tests, in SQL where its own do not say it; and, in the environment of
PYTHON, which shares none with the platform, Great Expectations and datacontract-cli. What a peer cannot
read counts as caught. Prints the matrix as Markdown.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.mutated.data import CATALOG, HARMLESS, LINES, MUTATIONS, Mutation, landed
from benchmarks.mutated.ours import Judge
from benchmarks.mutated.peers import datacontract_cli, dbt_tests, great_expectations
from benchmarks.mutated.peers.case import DAY, Case, asked
from shared_resources.contracts.model import Contract
from shared_resources.contracts.pandera_schema import pandera_schema
from shared_resources.contracts.types import Family

DOMAINS = Path(__file__).resolve().parents[1] / "domains"
ALL = (*MUTATIONS, *HARMLESS)


def main() -> None:
    warnings.simplefilter("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer", type=Path, help="of an environment with the two other peers")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mesh-bench-") as temporary:
        work = Path(temporary)
        judge = Judge(DOMAINS, landed(work / "landing"), work)
        cases = [_case(judge, mutation, number) for number, mutation in enumerate(ALL)]
        verdicts = {
            "the mesh": [_ours(judge, *one) for one in zip(ALL, cases, strict=True)],
            "pandera": [_pandera(case.contract, case.file) for case in cases],
            **_peers(cases, options.peer, work),
        }
    print("\n".join(_table(verdicts)))


def _case(judge: Judge, mutation: Mutation, number: int) -> Case:
    landed_file = judge.objects[mutation.product]
    folder = judge.work / f"{number:04d}"
    folder.mkdir()
    file = folder / landed_file.name
    file.write_bytes(mutation.edit(landed_file.read_bytes()))
    words = re.sub("[^a-z]+", "-", f"{mutation.product} {mutation.name}".lower())
    return Case(f"{number:04d}-{words}", judge.contract(mutation.product), file, judge.objects)


def _ours(judge: Judge, mutation: Mutation, case: Case) -> str:
    day = DAY if mutation.product == LINES else ""
    refusals = judge.refusals(mutation.product, case.file, day)
    named = mutation.catches if mutation.catches in refusals else ", ".join(refusals)
    return f"`{named}`" if named else ""


def _peers(cases: Sequence[Case], python: Path | None, work: Path) -> dict[str, list[str]]:
    """What the peers say of each case that run in processes of their own."""
    said = {"dbt": dbt_tests.asked(cases, work / "dbt")}
    if python is not None:
        plan = [great_expectations.described(case) for case in cases]
        said["Great Expectations"] = asked(python, "in_great_expectations.py", plan)
        plan = [datacontract_cli.described(case, work) for case in cases]
        said["datacontract-cli"] = asked(python, "in_datacontract_cli.py", plan)
    return {peer: [found[case.name] for case in cases] for peer, found in said.items()}


def _table(verdicts: Mapping[str, Sequence[str]]) -> list[str]:
    lines = [
        f"| object | what is broken | {' | '.join(verdicts)} |",
        "|---|---|" + "---|" * len(verdicts),
    ]
    for mutation, *said in zip(ALL, *verdicts.values(), strict=True):
        cells = [one or ("**nothing**" if mutation.catches else "nothing") for one in said]
        lines.append(f"| {mutation.product} | {mutation.name} | {' | '.join(cells)} |")
    broken = len(MUTATIONS)
    counted = [
        f"{peer} {sum(map(bool, said[:broken]))} ({sum(map(bool, said[broken:]))})"
        for peer, said in verdicts.items()
    ]
    return [*lines, "", f"Of {broken} (false alarms of {len(HARMLESS)}): {', '.join(counted)}."]


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
