"""The audit of a batch: its parts' verdicts together, and the evidence that is published with it.

Belongs here: joining the parts, merging their reports, the evidence; re-auditing what is published.
Does not belong here: the verdict on a part (`verdict.py`), publishing (`publishing.py`).

Nothing here changes what readers see.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from shared_resources.contracts.promise import Promise
from shared_resources.data_products.batch import Attempt, AuditedBatch, Made
from shared_resources.data_products.column_lineage import known_lineage
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.verdict import Auditor, Verdict
from shared_resources.environment import Environment
from shared_resources.evidence.keys import ATTESTATION
from shared_resources.evidence.record import CheckOutcome, Evidence, ReplayOf
from shared_resources.evidence.stream_position import StreamPosition
from shared_resources.evidence.terms import Terms
from shared_resources.governance.audit.audit import audit
from shared_resources.governance.audit.report import AuditReport, RuleResult
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.terms import terms_of
from shared_resources.release import domain_release
from shared_resources.stores.cleared import clear
from shared_resources.stores.protocol import Snapshot, StagedBatch, Version
from shared_resources.stores.reading.called import in_names_of


def audit_batch(attempt: Attempt, made: Made) -> AuditedBatch:
    """Audit every part, keep aside what is rejected, and say what may be published."""
    attempt = replace(attempt, adds_nothing=made.position_only)
    auditor = Auditor(attempt, made)
    readable = auditor.audit_readable(made.parts)
    verdicts = [
        auditor.decide(*pair) for pair in zip(readable.parts, readable.reports, strict=True)
    ]
    lost = (*made.unreadable, *readable.damaged)
    kept = [verdict.kept for verdict in verdicts if verdict.kept is not None]
    entries = [verdict.entry for verdict in verdicts if verdict.entry is not None]
    entries += [auditor.keep_object(one) for one in lost]
    entries += made.set_aside
    refused = {one.partition for one in lost}
    for part, verdict in zip(readable.parts, verdicts, strict=True):
        if verdict.kept is None:
            refused.update(part.partitions)
    report = _merge(
        attempt,
        [*(verdict.report for verdict in verdicts), *map(auditor.unreadable_report, lost)],
    )
    staged = _join(kept) if kept else None
    cleared, terms = None, None
    lineage = known_lineage(attempt.environment, attempt.definition, made.column_lineage)
    if staged is not None:
        made_by = attempt.definition
        terms = replace(
            terms_of(
                made_by.contract,
                made_by.waivers,
                made_by.central,
                made_by.checks,
                made_by.code.digest,
            ),
            agreements=made.agreements,
            release=domain_release(attempt.environment.root) or "",
        )
        evidence = _evidence(attempt, made, staged, verdicts, report, entries, terms)
        evidence = replace(evidence, lineage=lineage)
        cleared = clear(staged, evidence, auditor.seen(staged), attempt.on_top_of)
    return AuditedBatch(
        attempt=attempt,
        cleared=cleared,
        report=report,
        refused=tuple(sorted(refused)),
        quarantined=tuple(entries),
        metadata=made.metadata,
        lineage=lineage,
        terms=terms,
    )


def audit_published(
    environment: Environment,
    definition: ProductDefinition,
    references: Mapping[str, Snapshot],
    number: int | None = None,
) -> AuditReport:
    """Audit what readers see now, or version `number`, against the contract and policies of today.

    Raises `NotPublished`.
    """
    store = environment.stores_of(definition.contract)[0]
    opened = store.open(definition.key, number)
    published = in_names_of(definition.contract, opened, with_aliases=False)
    report = audit(
        published,
        definition.contract,
        rules=definition.rules,
        references=references,
        folder=definition.folder,
        scratch=environment.scratch,
    )
    return replace(report, results=(*report.results, *_dbt_results(definition, published.version)))


def _dbt_results(definition: ProductDefinition, version: Version) -> tuple[RuleResult, ...]:
    """dbt's tests ran when the version was built; what they said is part of its evidence."""
    said = {check.rule: check for check in version.evidence.checks}
    return tuple(
        RuleResult(
            rule=rule,
            passed=said[rule.name].passed,
            rows_checked=version.rows,
            rows_failed=said[rule.name].rows_failed,
            measured=said[rule.name].rows_failed or 0,
            message=f"as dbt found when version {version.number} was built",
        )
        for rule in definition.dbt_tests
        if rule.name in said
    )


def _join(parts: Sequence[StagedBatch]) -> StagedBatch:
    return replace(
        parts[0],
        files=tuple(file for part in parts for file in part.files),
        partitions=tuple(key for part in parts for key in part.partitions),
        rejects=None,
        rejected_rows=0,
    )


def _evidence(
    attempt: Attempt,
    made: Made,
    staged: StagedBatch,
    verdicts: Sequence[Verdict],
    report: AuditReport,
    entries: Sequence[QuarantineEntry],
    terms: Terms,
) -> Evidence:
    """What is committed with the version: what it was made from and what it was checked against.

    `report` is of all parts, those that are refused included.
    """
    partitions = staged.partitions
    kept = [verdict.report for verdict in verdicts if verdict.kept is not None]
    published = _merge(attempt, kept).results
    again = attempt.replay_of
    return Evidence(
        run_id=attempt.run.run_id,
        contract_version=attempt.contract.version,
        contract_digest=attempt.contract.digest,
        checks=tuple(
            CheckOutcome(r.rule.name, r.passed, r.rule.severity, r.rows_failed) for r in published
        ),
        promise=Promise.of(attempt.contract),
        policies=attempt.definition.policies_digest,
        code=attempt.definition.code.digest,
        terms=terms.digest,
        refusing=tuple(result.rule.name for result in report.refusals),
        partitions=partitions,
        inputs={pin.product: str(pin) for pin in attempt.pins},
        grants=made.grants,
        input_attestations={
            key: attested
            for key, read in attempt.snapshots.items()
            if (attested := read.version.properties.get(ATTESTATION))
        },
        stream=_counted(made.stream, entries),
        objects=tuple(pair for key in partitions for pair in made.objects.get(key, ())),
        quarantined=tuple(entry.id for entry in entries),
        replay_of=ReplayOf(again.id, again.batch_id) if again is not None else None,
    )


def _counted(
    stream: StreamPosition | None, entries: Sequence[QuarantineEntry]
) -> StreamPosition | None:
    """With what of the batch's messages was rejected."""
    return stream and replace(stream, rejected=sum(entry.rows for entry in entries))


def _merge(attempt: Attempt, reports: Sequence[AuditReport]) -> AuditReport:
    """One report of all parts: a rule passes when it passes in each."""
    if len(reports) == 1:
        return reports[0]
    by_rule: dict[str, list[RuleResult]] = {}
    for report in reports:
        for result in report.results:
            by_rule.setdefault(result.rule.name, []).append(result)
    merged = tuple(_merge_results(results) for results in by_rule.values())
    contract = attempt.contract
    return AuditReport(contract.key, contract.version, sum(r.rows for r in reports), merged)


def _merge_results(results: Sequence[RuleResult]) -> RuleResult:
    failed = [result for result in results if not result.passed]
    shown = failed or list(results[:1])
    message = "; ".join(result.message for result in shown[:3])
    if len(failed) > 3:
        message += f"; and {len(failed) - 3} partitions more"
    if not failed and len(results) > 1:
        message = f"passed in each of {len(results)} partitions"
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
