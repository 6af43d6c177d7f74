"""The audit of a batch: each part against every rule, and what becomes of it.

Belongs here: the decision - publish, publish without some rows, refuse - and keeping what is refused.
Does not belong here: checking rules (`governance/audit.py`), publishing (`publishing.py`).

Nothing here changes what readers see. What is rejected is in quarantine before anything is published,
under names derived from the batch, so that a killed run leaves no doubles and no losses.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared_resources.contracts.model import RuleKind
from shared_resources.data_products.batch import AuditedBatch, Made, Run, Unreadable
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.environment import Environment
from shared_resources.governance.audit import audit, audit_parts
from shared_resources.governance.quarantine import QuarantineEntry, Rejection
from shared_resources.governance.report import AuditReport, RuleResult
from shared_resources.governance.split import split
from shared_resources.governance.staged_data import StagedData
from shared_resources.io_managers.pins import Pin
from shared_resources.io_managers.protocol import Snapshot, StagedBatch, Version


def audit_batch(
    environment: Environment,
    definition: ProductDefinition,
    run: Run,
    made: Made,
    inputs: Sequence[Pin],
    references: Mapping[str, Snapshot],
    *,
    batch_id: str,
    append: bool = False,
) -> AuditedBatch:
    """Audit every part, keep aside what is rejected, and say what may be published.

    `references` are the pinned versions that relationship rules look into.
    """
    auditor = _Auditor(environment, definition, run, made, tuple(inputs), references, batch_id)
    reports = auditor.audit(made.parts)
    kept: list[StagedBatch] = []
    refused: list[str] = []
    entries: list[QuarantineEntry] = []
    decisions = [auditor.decide(*pair) for pair in zip(made.parts, reports, strict=True)]
    for part, decision in zip(made.parts, decisions, strict=True):
        if decision.kept is None:
            refused.extend(part.partitions)
        else:
            kept.append(decision.kept)
        if decision.entry is not None:
            entries.append(decision.entry)
    for lost in made.unreadable:
        refused.append(lost.partition)
        entries.append(auditor.keep_object(lost))
    report = _merge(
        definition,
        [
            *(decision.report for decision in decisions),
            *map(auditor.unreadable_report, made.unreadable),
        ],
    )
    staged = _join(kept) if kept else None
    return AuditedBatch(
        definition=definition,
        run=run,
        batch_id=batch_id,
        staged=staged,
        report=report,
        refused=tuple(sorted(refused)),
        quarantined=tuple(entries),
        properties=auditor.properties(report, entries),
        inputs=tuple(inputs),
        metadata=made.metadata,
        column_lineage=made.column_lineage,
        partition_rows=_rows_by_partition(staged),
        append=append,
    )


def audit_published(
    environment: Environment, definition: ProductDefinition, references: Mapping[str, Snapshot]
) -> AuditReport:
    """Audit what readers see now, against the contract and the policies as they are now.

    Raises `NotPublished`.
    """
    store = environment.stores_of(definition.contract)[0]
    published = store.open(definition.key)
    report = audit(
        published,
        definition.contract,
        rules=definition.rules,
        references=references,
        folder=definition.folder,
    )
    return replace(report, results=(*report.results, *_dbt_results(definition, published.version)))


def _dbt_results(definition: ProductDefinition, version: Version) -> tuple[RuleResult, ...]:
    """dbt's tests ran when the version was built; what they said is part of its evidence."""
    said = {check["rule"]: check for check in json.loads(version.properties["mesh.checks"])}
    return tuple(
        RuleResult(
            rule=rule,
            passed=said[rule.name]["passed"],
            rows_checked=version.rows,
            rows_failed=said[rule.name]["rows_failed"],
            measured=said[rule.name]["rows_failed"] or 0,
            message=f"as dbt found when version {version.number} was built",
        )
        for rule in definition.dbt_tests
        if rule.name in said
    )


@dataclass(frozen=True)
class _Decision:
    """`report` is of what is published: of `kept`, or of the refused part as it came."""

    kept: StagedBatch | None
    report: AuditReport
    entry: QuarantineEntry | None = None


class _Auditor:
    """One batch's audit: what its parts share."""

    def __init__(
        self,
        environment: Environment,
        definition: ProductDefinition,
        run: Run,
        made: Made,
        inputs: tuple[Pin, ...],
        references: Mapping[str, Snapshot],
        batch_id: str,
    ) -> None:
        self._environment = environment
        self._definition = definition
        self._run = run
        self._made = made
        self._inputs = inputs
        self._references = references
        self._batch_id = batch_id

    def audit(self, parts: Sequence[StagedBatch]) -> list[AuditReport]:
        reports = audit_parts(
            parts,
            self._definition.contract,
            rules=self._definition.rules,
            references=self._references,
            folder=self._definition.folder,
        )
        extra = self._made.extra_results
        return [replace(report, results=(*report.results, *extra)) for report in reports]

    def decide(self, part: StagedBatch, report: AuditReport) -> _Decision:
        if report.passed:
            return _Decision(part, report)
        budget = self._definition.contract.loss_budget_percent
        if budget > 0 and all(result.rule.row_level for result in report.refusals):
            within = self._without_failing_rows(part, report, budget)
            if within is not None:
                return within
        rows = part.rows + part.rejected_rows
        return _Decision(None, report, self._keep("batch", part, report, None, rows))

    def _without_failing_rows(
        self, part: StagedBatch, report: AuditReport, budget: float
    ) -> _Decision | None:
        """The good rows, if few enough are lost and they pass every rule by themselves."""
        aside = part.folder / "split" / (part.partitions[0] or "all")
        result = split(
            StagedData(part),
            self._definition.contract,
            report,
            references=self._references,
            kept=aside / "kept",
            rejected=aside / "rejected.parquet",
            rejects=part.rejects,
        )
        if 100.0 * result.rejected_rows > budget * (part.rows + part.rejected_rows):
            return None
        good = replace(part, files=result.files, rejects=None, rejected_rows=0)
        again = self.audit([good])[0]
        if not again.passed:
            return None
        entry = self._keep("rows", part, report, result.rejected, result.rejected_rows)
        return _Decision(good, _with_losses(again, report, entry), entry)

    def _keep(
        self,
        kind: str,
        part: StagedBatch,
        report: AuditReport,
        rejected: Path | None,
        rows: int,
    ) -> QuarantineEntry:
        contract = self._definition.contract
        return self._environment.quarantine.put(
            Rejection(
                product=contract.key,
                kind=kind,
                batch_id=self._batch_id,
                run_id=self._run.run_id,
                rows=rows,
                reasons=tuple(
                    (r.rule.name, r.rule.clause, r.rows_failed or 0, r.message)
                    for r in report.refusals
                ),
                contract_version=contract.version,
                contract_digest=contract.digest,
                inputs={pin.product: str(pin) for pin in self._inputs},
                partitions=part.partitions,
                objects=self._objects(part),
            ),
            files=[rejected] if rejected else [file.path for file in part.files],
            rejects=part.rejects if kind == "batch" else None,
        )

    def keep_object(self, lost: Unreadable) -> QuarantineEntry:
        """Keep a copy of an object of which no row could be read."""
        contract = self._definition.contract
        return self._environment.quarantine.put(
            Rejection(
                product=contract.key,
                kind="object",
                batch_id=self._batch_id,
                run_id=self._run.run_id,
                rows=0,
                reasons=(("parse", "customProperties.landing", 0, lost.problem),),
                contract_version=contract.version,
                contract_digest=contract.digest,
                inputs={},
                partitions=(lost.partition,),
                objects=((lost.object_key, lost.etag),),
            ),
            files=[lost.copy],
        )

    def unreadable_report(self, lost: Unreadable) -> AuditReport:
        contract = self._definition.contract
        rule = next(rule for rule in self._definition.rules if rule.kind is RuleKind.PARSE)
        failed = RuleResult(
            rule=rule,
            passed=False,
            rows_checked=0,
            rows_failed=None,
            measured=0,
            message=lost.problem,
        )
        return AuditReport(contract.key, contract.version, 0, (failed,))

    def _objects(self, part: StagedBatch) -> tuple[tuple[str, str], ...]:
        if len(self._made.parts) == 1:
            return self._made.objects
        return self._made.objects_of.get(part.partitions[0], ())

    def properties(
        self, report: AuditReport, entries: Sequence[QuarantineEntry]
    ) -> Mapping[str, str]:
        """The evidence that is committed with the version."""
        contract = self._definition.contract
        checks = [
            {
                "rule": result.rule.name,
                "passed": result.passed,
                "severity": result.rule.severity.value,
                "rows_failed": result.rows_failed,
            }
            for result in report.results
        ]
        failed = sum(not result.passed for result in report.results)
        return {
            "mesh.run-id": self._run.run_id,
            "mesh.contract-version": contract.version,
            "mesh.contract-digest": contract.digest,
            "mesh.policies": self._definition.policies_digest,
            "mesh.checks": json.dumps(checks, separators=(",", ":")),
            "mesh.checks-passed": str(len(checks) - failed),
            "mesh.checks-failed": str(failed),
            "mesh.inputs": json.dumps({pin.product: str(pin) for pin in self._inputs}),
            "mesh.objects": json.dumps(self._published_objects(entries)),
            "mesh.quarantined": json.dumps([entry.id for entry in entries]),
        }

    def _published_objects(self, entries: Sequence[QuarantineEntry]) -> list[tuple[str, str]]:
        whole = [entry for entry in entries if entry.kind != "rows"]
        refused = {tuple(pair) for entry in whole for pair in entry.objects}
        return [pair for pair in self._made.objects if tuple(pair) not in refused]


def _with_losses(
    kept: AuditReport, whole: AuditReport, entry: QuarantineEntry
) -> AuditReport:
    """The kept rows' report, in which a rule that cost rows says how many and where they are."""
    lost = {result.rule.name: result for result in whole.refusals}
    results = tuple(
        replace(
            result,
            message=f"{lost[result.rule.name].rows_failed} rows of the batch failed and are in "
            f"quarantine ({entry.id}); every published row passes",
        )
        if result.rule.name in lost
        else result
        for result in kept.results
    )
    return replace(kept, results=results)


def _join(parts: Sequence[StagedBatch]) -> StagedBatch:
    return replace(
        parts[0],
        files=tuple(file for part in parts for file in part.files),
        partitions=tuple(key for part in parts for key in part.partitions),
        rejects=None,
        rejected_rows=0,
    )


def _rows_by_partition(staged: StagedBatch | None) -> Mapping[str, int]:
    rows: dict[str, int] = {}
    for file in staged.files if staged else ():
        rows[file.partition] = rows.get(file.partition, 0) + file.rows
    return rows


def _merge(definition: ProductDefinition, reports: Sequence[AuditReport]) -> AuditReport:
    """One report of all parts: a rule passes when it passes in each."""
    if len(reports) == 1:
        return reports[0]
    by_rule: dict[str, list[RuleResult]] = {}
    for report in reports:
        for result in report.results:
            by_rule.setdefault(result.rule.name, []).append(result)
    contract = definition.contract
    merged = tuple(_merge_results(results) for results in by_rule.values())
    return AuditReport(contract.key, contract.version, sum(r.rows for r in reports), merged)


def _merge_results(results: Sequence[RuleResult]) -> RuleResult:
    failed = [result for result in results if not result.passed]
    shown = failed or list(results[:1])
    message = "; ".join(result.message for result in shown[:3])
    if len(failed) > 3:
        message += f"; and {len(failed) - 3} partitions more"
    counted = [result.rows_failed for result in results if result.rows_failed is not None]
    return RuleResult(
        rule=results[0].rule,
        passed=not failed,
        rows_checked=sum(result.rows_checked for result in results),
        rows_failed=sum(counted) if counted else None,
        measured=max(result.measured for result in shown),
        message=message,
        sample=tuple(row for result in shown for row in result.sample)[:5],
    )
