"""The audit: every rule of a contract and of the policies, on a batch before it is published.

Belongs here: running compiled rules over one or many parts, and turning counts into results.
Does not belong here: one kind of rule (`contracts/rules/`), what becomes of a refused batch
(`data_products/auditing.py`), Dagster.

When everything passes, the batch is read once by one streaming aggregate, and once more, key
columns only, for each uniqueness or relationship rule. Parts (the partitions of a run) share those
queries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared_resources.contracts.model import Contract, Rule
from shared_resources.contracts.rules import words
from shared_resources.contracts.rules.kind import BatchFacts, BatchKind, RuleKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.governance.audit.counting import PartCounts, count_rules
from shared_resources.governance.audit.engine.columns import ColumnsFound, check_columns
from shared_resources.governance.audit.engine.outcome import Outcome
from shared_resources.governance.audit.engine.staged_data import Auditable, NoRows, StagedData
from shared_resources.governance.audit.report import AuditReport, RuleResult
from shared_resources.governance.audit.samples import frequent_reasons, reject_sample
from shared_resources.stores.protocol import Snapshot, StagedBatch

__all__ = ["Auditable", "audit", "audit_parts"]


@dataclass(frozen=True)
class Part:
    """What is audited and decided on by itself: a batch, or one partition of it."""

    data: Auditable
    found: ColumnsFound
    rejects: Path | None = None
    rejected_rows: int = 0


def audit(
    data: Auditable,
    contract: Contract,
    *,
    rules: Sequence[Rule] | None = None,
    references: Mapping[str, Snapshot] | None = None,
    folder: Path | None = None,
    rejects: Path | None = None,
    rejected_rows: int = 0,
    scratch: Path | None = None,
) -> AuditReport:
    """Check `rules` (the contract's own by default) on `data`; results come in their order.

    `references` are the pinned versions, by product key, that relationships look into. `folder` is
    the product's, where `custom` rules stand; by default the contract's. `rejects` and
    `rejected_rows` are what could not be read; by default those of the staged batch. `scratch` is where
    memory spills to if the data is not staged: staged data has its own folder.

    Bad data, and a rule that cannot run on it, is a failed result. Raises `UnreadableBatch` when a
    staged file is no Parquet at all.
    """
    if isinstance(data, StagedData) and rejects is None and not rejected_rows:
        rejects, rejected_rows = data.batch.rejects, data.batch.rejected_rows
    part = _part(data, contract, rejects, rejected_rows)
    return _audit([part], contract, rules, references, folder, scratch)[0]


def audit_parts(
    parts: Sequence[StagedBatch],
    contract: Contract,
    *,
    rules: Sequence[Rule] | None = None,
    references: Mapping[str, Snapshot] | None = None,
    folder: Path | None = None,
    published: int = 0,
) -> list[AuditReport]:
    """Audit each part by itself, in one pass over all of them; see `audit`. One report a part.

    `published` rows stay beside those of the parts, which are added to them.
    """
    opened = [_part(StagedData(part), contract, part.rejects, part.rejected_rows) for part in parts]
    return _audit(opened, contract, rules, references, folder, published=published)


def _part(data: Auditable, contract: Contract, rejects: Path | None, rejected_rows: int) -> Part:
    if isinstance(data, StagedData):
        if data.batch.files:
            found = check_columns(contract, data.paths(), data.schemas, data.footers)
            if not any(len(schema) for schema in data.schemas):
                # No engine reads a Parquet file without columns; it has no row to check either.
                return Part(NoRows(contract), found, rejects, rejected_rows)
            return Part(data, found, rejects, rejected_rows)
        data = NoRows(contract)
    # A published version has one schema: the table's.
    return Part(data, check_columns(contract, [Path()], [data.schema]), rejects, rejected_rows)


def _audit(
    parts: Sequence[Part],
    contract: Contract,
    rules: Sequence[Rule] | None,
    references: Mapping[str, Snapshot] | None,
    folder: Path | None,
    scratch: Path | None = None,
    published: int = 0,
) -> list[AuditReport]:
    checked = contract.rules if rules is None else tuple(rules)
    reports: dict[int, AuditReport] = {}
    for places in _alike(parts):
        counts = count_rules(
            [(parts[place].data, parts[place].found) for place in places],
            contract,
            checked,
            references or {},
            folder or contract.path.parent,
            scratch,
        )
        for place, counted in zip(places, counts, strict=True):
            reports[place] = _report(parts[place], contract, checked, counted, published)
    return [reports[place] for place in range(len(parts))]


def _alike(parts: Sequence[Part]) -> list[list[int]]:
    """The places of parts that one query can read: staged files of the same schemas."""
    groups: dict[object, list[int]] = {}
    for place, part in enumerate(parts):
        if isinstance(part.data, StagedData):
            alike: object = frozenset(schema.to_string() for schema in part.data.schemas)
        else:
            alike = place
        groups.setdefault(alike, []).append(place)
    return list(groups.values())


def _report(
    part: Part, contract: Contract, rules: Sequence[Rule], counted: PartCounts, published: int
) -> AuditReport:
    results = tuple(
        _result(rule, part, contract, counted, place, published) for place, rule in enumerate(rules)
    )
    return AuditReport(contract.key, contract.version, counted.rows, results)


def _result(
    rule: Rule, part: Part, contract: Contract, counted: PartCounts, place: int, published: int
) -> RuleResult:
    kind = kind_of(rule)
    if not isinstance(kind, BatchKind):
        return _counted_result(rule, kind, counted.outcomes[place], contract, counted.rows)
    facts = BatchFacts(
        rows=counted.rows,
        published=published,
        rejected_rows=part.rejected_rows,
        problems=len(part.found.problems),
        said=part.found.message,
        reasons=lambda: frequent_reasons(part.rejects, contract),
        sample=lambda: reject_sample(part.rejects, contract),
    )
    judged = kind.judge(rule, contract, facts)
    return RuleResult(
        rule,
        judged.passed,
        judged.rows_checked,
        judged.rows_failed,
        judged.measured,
        judged.message,
        judged.sample,
    )


def _counted_result(
    rule: Rule, kind: RuleKind, outcome: Outcome, contract: Contract, rows: int
) -> RuleResult:
    if outcome.problem is not None:
        message = words.not_checked(outcome.problem)
        return RuleResult(rule, False, rows, None, 0, message)
    value = outcome.value
    if outcome.verdict is not None:
        function = rule.arguments["implementation"]
        message = f"{function} says that the batch {'passes' if outcome.verdict else 'fails'}"
        return RuleResult(rule, outcome.verdict, rows, None, value, message)
    passed = rule.threshold.holds(value, rows)
    if subject := kind.measured(words.amount(value)):
        message = words.number(rule, subject, kind.limit(rule), value, rows, passed)
        return RuleResult(rule, passed, rows, None, value, message)
    failed = int(value)
    message = words.row_level(rule, kind.failing(rule, contract), failed, rows, passed)
    return RuleResult(rule, passed, rows, failed, value, message, outcome.sample)
