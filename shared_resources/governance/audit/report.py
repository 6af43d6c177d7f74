"""What an audit found: one result a rule, and the report of a batch.

Belongs here: the immutable outcome types and their JSON form (evidence, `mesh audit --json`).
Does not belong here: running rules (`audit.py`) or Dagster's check results (`data_products/`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared_resources.contracts.model import Rule, Severity
from shared_resources.contracts.numbers import Number, as_json


@dataclass(frozen=True)
class RuleResult:
    """One rule on one batch.

    `measured` is the number that the threshold was applied to: rows failed, or the metric's or
    query's value. `rows_failed` is None for a rule that does not tell rows. `sample` holds a few
    failing rows, classified columns masked. `message` is for people: what was found, and where.
    """

    rule: Rule
    passed: bool
    rows_checked: int
    rows_failed: int | None
    measured: Number | float
    message: str
    sample: tuple[Mapping[str, Any], ...] = ()

    @property
    def percent_failed(self) -> float:
        return 100.0 * (self.rows_failed or 0) / self.rows_checked if self.rows_checked else 0.0

    @property
    def refuses(self) -> bool:
        """Whether this result alone keeps the batch from being published."""
        return not self.passed and self.rule.severity is Severity.BLOCKING

    def as_json(self) -> dict[str, Any]:
        return {
            "rule": self.rule.name,
            "clause": self.rule.clause,
            "severity": self.rule.severity.value,
            "threshold": str(self.rule.threshold),
            "passed": self.passed,
            "rows_checked": self.rows_checked,
            "rows_failed": self.rows_failed,
            "percent_failed": round(self.percent_failed, 4),
            "measured": as_json(self.measured),
            "message": self.message,
            "sample": [dict(row) for row in self.sample],
        }


@dataclass(frozen=True)
class AuditReport:
    product: str
    contract_version: str
    rows: int
    results: tuple[RuleResult, ...]

    @property
    def passed(self) -> bool:
        """Whether the batch may be published: no blocking rule failed."""
        return not any(result.refuses for result in self.results)

    @property
    def refusals(self) -> tuple[RuleResult, ...]:
        return tuple(result for result in self.results if result.refuses)

    def as_json(self) -> dict[str, Any]:
        return {
            "product": self.product,
            "contract_version": self.contract_version,
            "rows": self.rows,
            "passed": self.passed,
            "results": [result.as_json() for result in self.results],
        }
