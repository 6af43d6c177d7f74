"""dbt's tests as checks of their product: their names, their severity, their results.

Belongs here: which tests of a manifest are whose, and what dbt's statuses mean for publishing.
Does not belong here: running them (`process.py`), Dagster's check specs (`locations/product_asset.py`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from shared_resources.contracts.model import Rule, Severity
from shared_resources.contracts.rules.own.custom import KIND as CUSTOM
from shared_resources.data_products.dbt.messages import DbtModelFailed, reason_of, shown
from shared_resources.governance.audit.report import RuleResult


@dataclass(frozen=True)
class DbtTest:
    """One dbt test of a product. `name` is the check's, `unique_id` and `fqn` are dbt's."""

    name: str
    severity: Severity
    description: str
    unique_id: str
    fqn: str
    file: str
    columns: tuple[str, ...] = ()

    @property
    def rule(self) -> Rule:
        return Rule(
            name=self.name,
            kind=CUSTOM.name,
            columns=self.columns,
            clause=f"dbt_project/{self.file}",
            severity=self.severity,
            arguments={"implementation": f"dbt:{self.unique_id}"},
            description=self.description,
        )


@dataclass(frozen=True)
class DbtTestResult:
    """`failures` is what dbt counted, None when the test could not run at all."""

    name: str
    passed: bool
    severity: Severity
    failures: int | None
    message: str


def tests_of(manifest: Mapping[str, Any], model: Mapping[str, Any]) -> tuple[DbtTest, ...]:
    """The tests of one model, ordered by name; each belongs to exactly one model.

    Raises `DbtModelFailed` for a singular test that reads several models and names none as its own.
    """
    mine = [
        node
        for node in manifest["nodes"].values()
        if node["resource_type"] == "test" and _owner(manifest, node) == model["unique_id"]
    ]
    named: dict[str, DbtTest] = {}
    for node in sorted(mine, key=lambda node: str(node["unique_id"])):
        name = _check_name(node, model["name"])
        if name in named:
            name += "_" + hashlib.sha256(node["unique_id"].encode()).hexdigest()[:6]
        named[name] = _test(node, name)
    return tuple(named[name] for name in sorted(named))


def _owner(manifest: Mapping[str, Any], test: Mapping[str, Any]) -> str | None:
    if test.get("attached_node"):
        return str(test["attached_node"])
    models = [key for key in test["depends_on"]["nodes"] if key.startswith("model.")]
    claimed = (test["config"].get("meta") or {}).get("model")
    if claimed is None and len(models) == 1:
        return str(models[0])
    for key in models:
        if manifest["nodes"][key]["name"] == claimed:
            return str(key)
    raise DbtModelFailed(
        f"dbt_project/{test['original_file_path']}: the test reads "
        f"{len(models)} models of its domain and must say whose check it is; "
        "add {{ config(meta={'model': '<model>'}) }} with one of the models that it ref()s"
    )


def _check_name(node: Mapping[str, Any], model: str) -> str:
    """`dbt_not_null_day` rather than dbt's `not_null_daily_sales_day`: the product is known."""
    name = str(node["name"])
    generic = node.get("test_metadata")
    if generic and name.startswith(f"{generic['name']}_{model}"):
        name = "_".join(part for part in (generic["name"], node.get("column_name")) if part)
    return "dbt_" + re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")


def _test(node: Mapping[str, Any], name: str) -> DbtTest:
    generic = node.get("test_metadata") or {}
    column = node.get("column_name")
    arguments = {
        key: value
        for key, value in generic.get("kwargs", {}).items()
        if key not in {"model", "column_name"}
    }
    said = " ".join(
        [
            f"dbt test {generic.get('name', node['name'])}",
            *([f"of {column}"] if column else []),
            *(f"{key}={value}" for key, value in arguments.items()),
        ]
    )
    warns = str(node["config"]["severity"]).lower() == "warn"
    return DbtTest(
        name=name,
        severity=Severity.WARNING if warns else Severity.BLOCKING,
        description=node.get("description") or said,
        unique_id=node["unique_id"],
        fqn=".".join(node["fqn"]),
        file=node["original_file_path"],
        columns=(column,) if column else (),
    )


def results_of(
    tests: Iterable[DbtTest], run_results: Mapping[str, Any]
) -> tuple[DbtTestResult, ...]:
    """One result a test. A test that dbt did not run, or could not, has failed and blocks."""
    found = {result["unique_id"]: result for result in run_results["results"]}
    return tuple(_result(test, found.get(test.unique_id)) for test in tests)


def _result(test: DbtTest, found: Mapping[str, Any] | None) -> DbtTestResult:
    status = found["status"] if found else "not run"
    if found is None or status not in {"pass", "warn", "fail"}:
        reason = shown(reason_of((found or {}).get("message") or "dbt did not run the test"))
        return DbtTestResult(
            test.name, False, Severity.BLOCKING, None, f"dbt_project/{test.file}: {reason}"
        )
    failures = int(found.get("failures") or 0)
    message = found.get("message") or (f"{failures} rows fail" if failures else "no row fails")
    severity = Severity.WARNING if status == "warn" else test.severity
    return DbtTestResult(test.name, status == "pass", severity, failures, message)


def as_rule_results(
    tests: Iterable[DbtTest], results: Iterable[DbtTestResult], rows: int
) -> tuple[RuleResult, ...]:
    """The results in the audit's own terms, so that reports and evidence treat them alike."""
    rules = {test.name: test.rule for test in tests}
    return tuple(
        RuleResult(
            rule=_with_severity(rules[result.name], result.severity),
            passed=result.passed,
            rows_checked=rows,
            rows_failed=None,  # dbt counts what its test returns: rows, groups or differences
            measured=result.failures or 0,
            message=result.message,
        )
        for result in results
    )


def _with_severity(rule: Rule, severity: Severity) -> Rule:
    return rule if rule.severity is severity else replace(rule, severity=severity)
