"""A contract as dbt knows it: a model with an enforced contract over each object, and tests beside it.

Belongs here: the project, and the first test that fails, by case.
Does not belong here: what is broken (`mutated/data.py`).

dbt's own four tests where they say the rule, and tests in SQL of the team's own for all that a query can
say; those are written here from the platform's rules (`contracts/rules/engines.py`), more than most teams
would write. A model that cannot be built counts as caught.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from benchmarks.mutated.peers.case import DAY, Case
from shared_resources.contracts.model import Contract, Rule, Unit
from shared_resources.contracts.rules.engines import Engine, NotExpressed, query_for
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.types import Family

TYPES = {
    Family.INTEGER: "bigint",
    Family.STRING: "varchar",
    Family.FLOAT: "double",
    Family.TIMESTAMP: "timestamp",
    Family.DATE: "date",
}
CONDITIONS = {
    "mustBe": "= {0}",
    "mustNotBe": "<> {0}",
    "mustBeGreaterThan": "> {0}",
    "mustBeGreaterOrEqualTo": ">= {0}",
    "mustBeLessThan": "< {0}",
    "mustBeLessOrEqualTo": "<= {0}",
    "mustBeBetween": "BETWEEN {0} AND {1}",
    "mustNotBeBetween": "NOT BETWEEN {0} AND {1}",
}


def asked(cases: Sequence[Case], folder: Path) -> dict[str, str]:
    """By name the first test that fails or the model that is not built, `""` for nothing."""
    for name in ("models", "tests"):
        (folder / name).mkdir(parents=True)
    project = {"name": "broken", "profile": "broken", "models": {"+materialized": "table"}}
    _write(folder / "dbt_project.yml", {**project, "flags": {"send_anonymous_usage_stats": False}})
    output = {"type": "duckdb", "path": str(folder / "broken.duckdb"), "threads": 2}
    _write(folder / "profiles.yml", {"broken": {"target": "x", "outputs": {"x": output}}})
    references = {key: file for case in cases for key, file in case.references.items()}
    for key, file in references.items():
        model = folder / "models" / f"{_reference(key)}.sql"
        model.write_text(f"select * from {_scan(file)}", "utf-8")
    models = [_model(folder, case, number) for number, case in enumerate(cases)]
    _write(folder / "models" / "schema.yml", {"version": 2, "models": models})
    command = [str(Path(sys.executable).with_name("dbt")), "build", "--no-partial-parse", "--quiet"]
    subprocess.run(
        [*command, "--project-dir", str(folder), "--profiles-dir", str(folder)],
        capture_output=True,
        check=False,
    )
    results = json.loads((folder / "target" / "run_results.json").read_text("utf-8"))["results"]
    broken: dict[int, str] = {}
    for one in results:
        kind, _, name, *_ = one["unique_id"].split(".")
        if one["status"] in ("error", "fail"):
            number = int(name.partition("case_")[2][:4])
            broken.setdefault(number, "model" if kind == "model" else _called(name))
    return {case.name: f"`{broken[n]}`" if n in broken else "" for n, case in enumerate(cases)}


def _called(test: str) -> str:
    """A test's name without the model's: `not_null_case_0001_brand`."""
    before, _, after = test.partition("case_")
    return f"{before}{after[5:]}".strip("_")


def _reference(key: str) -> str:
    return f"known_{key.replace('/', '_')}"


def _scan(file: Path, contract: Contract | None = None) -> str:
    if file.suffix == ".parquet":
        return f"read_parquet('{file}')"
    if file.suffix == ".jsonl":
        return f"read_json('{file}', format='newline_delimited')"
    typed = {c.name: TYPES[c.type.family] for c in contract.columns} if contract else {}
    listed = ", ".join(f"'{name}': '{type_}'" for name, type_ in typed.items())
    return f"read_csv('{file}', header=true{f', types={{{listed}}}' if listed else ''})"


def _model(folder: Path, case: Case, number: int) -> dict[str, Any]:
    name = f"case_{number:04d}"
    query = f"select * from {_scan(case.file, case.contract)}"
    (folder / "models" / f"{name}.sql").write_text(query, "utf-8")
    columns: dict[str, list[Any]] = {column.name: [] for column in case.contract.columns}
    for rule in case.contract.rules:
        own = _own_test(rule, case)
        if own is not None:
            columns[rule.columns[0]].append(own)
            continue
        for query in _queries(rule, case, name):
            (folder / "tests" / f"{rule.name}_{name}.sql").write_text(query, "utf-8")
    return {
        "name": name,
        "config": {"contract": {"enforced": True}},
        "columns": [
            {"name": c.name, "data_type": TYPES[c.type.family], "data_tests": columns[c.name]}
            for c in case.contract.columns
        ],
    }


def _own_test(rule: Rule, case: Case) -> Any:
    """One of dbt's four, where it says the rule."""
    if len(rule.columns) != 1 or str(rule.threshold) != "mustBe 0 rows":
        return None
    match kind_of(rule).name:
        case "unique":
            return "unique"
        case "enumeration":
            return {"accepted_values": {"arguments": {"values": list(rule.arguments["values"])}}}
        case "relationship":
            known = f"ref('{_reference(str(rule.arguments['product']))}')"
            arguments = {"to": known, "field": rule.arguments["columns"][0]}
            return {"relationships": {"arguments": arguments}}
    return None


def _queries(rule: Rule, case: Case, model: str) -> Iterator[str]:
    """A test that returns a row where the rule is broken; none for what the model's contract says."""
    kind = kind_of(rule).name
    product = kind_of(rule).product(rule)
    if kind in ("row_count", "not_empty"):
        measured = "select count(*) from {{ ref('" + model + "') }}"
    elif kind == "partition":
        measured = (
            "select count(*) from {{ ref('" + model + "') }} "
            f"where cast({rule.columns[0]} as date) <> date '{DAY}'"
        )
    else:
        try:
            measured = query_for(
                rule, case.contract, Engine.DUCKDB, ("MODEL",), ("KNOWN",) if product else ()
            )
        except NotExpressed:
            return
        measured = measured.replace('"MODEL"', "{{ ref('" + model + "') }}")
        measured = measured.replace('"KNOWN"', "{{ ref('" + _reference(product or "") + "') }}")
    value = "measured.v"
    if rule.threshold.unit is Unit.PERCENT:
        value = "(100.0 * measured.v / (select count(*) from {{ ref('" + model + "') }}))"
    bounds = (0.5, 1e18) if kind == "not_empty" else rule.threshold.bounds
    operator = "mustBeBetween" if kind == "not_empty" else str(rule.threshold.operator)
    condition = CONDITIONS[operator].format(*bounds)
    yield f"select * from ({measured}) as measured(v) where not ({value} {condition})"


def _write(file: Path, what: Any) -> None:
    file.write_text(yaml.safe_dump(what, sort_keys=False), "utf-8")
