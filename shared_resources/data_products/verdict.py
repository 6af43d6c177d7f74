"""The verdict on each part of a batch: publish, publish without some rows, refuse.

Belongs here: deciding by an audit's report, setting failing rows aside, keeping what is refused.
Does not belong here: checking rules (`governance/audit/audit.py`), the batch as a whole (`auditing.py`).

What is rejected is in quarantine before anything is published, under names derived from the batch,
so that a killed run leaves no doubles and no losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from shared_resources.contracts.rules.batch.parse import KIND as PARSE
from shared_resources.data_products.batch import Attempt, Made, Unreadable
from shared_resources.data_products.history import with_history
from shared_resources.evidence.record import FileDigest
from shared_resources.governance.audit.audit import audit_parts
from shared_resources.governance.audit.engine.connection import UnreadableBatch
from shared_resources.governance.audit.loss import Split
from shared_resources.governance.audit.report import AuditReport, RuleResult
from shared_resources.governance.audit.sifting import Sifted, sift
from shared_resources.governance.quarantine.quarantine import QuarantineEntry, Rejection
from shared_resources.landing.formats.parquet.pages import refused_by_audit
from shared_resources.stores.protocol import StagedBatch
from shared_resources.stores.staging.fingerprints import fingerprints_as_staged


@dataclass(frozen=True)
class Verdict:
    """`report` is of what is published: of `kept`, or of the refused part as it came."""

    kept: StagedBatch | None
    report: AuditReport
    entry: QuarantineEntry | None = None


@dataclass(frozen=True)
class Readable:
    """The parts that could be read, with their reports; and those that could not."""

    parts: tuple[StagedBatch, ...] = ()
    reports: tuple[AuditReport, ...] = ()
    damaged: tuple[Unreadable, ...] = ()


class Auditor:
    """Audits the parts of one attempt and decides on each."""

    def __init__(self, attempt: Attempt, made: Made) -> None:
        self._attempt = attempt
        self._made = made
        self._seen: dict[Path, FileDigest] = {}

    def audit(self, parts: Sequence[StagedBatch]) -> tuple[AuditReport, ...]:
        definition = self._attempt.definition
        # Before any rule runs: a domain's own rule could change what the others have passed.
        files = [file for part in parts for file in part.files]
        self._seen |= zip((file.path for file in files), fingerprints_as_staged(files), strict=True)
        reports = audit_parts(
            parts,
            definition.contract,
            rules=with_history(self._attempt, definition.rules),
            references=self._attempt.snapshots,
            folder=definition.folder,
            published=self._published,
        )
        extra = self._made.extra_results
        return tuple(replace(one, results=(*one.results, *extra)) for one in reports)

    def seen(self, batch: StagedBatch) -> tuple[FileDigest, ...]:
        """What the rules saw of the batch's files, in order."""
        return tuple(self._seen[file.path] for file in batch.files)

    def audit_readable(self, parts: Sequence[StagedBatch]) -> Readable:
        """Audit; DuckDB decodes an adopted Parquet file here first, and may find it damaged."""
        try:
            return Readable(tuple(parts), self.audit(parts))
        except UnreadableBatch as problem:
            if len(parts) == 1:
                return Readable(damaged=(self._damaged(parts[0], problem),))
        found = Readable()
        for part in parts:
            one = self.audit_readable([part])
            found = Readable(
                (*found.parts, *one.parts),
                (*found.reports, *one.reports),
                (*found.damaged, *one.damaged),
            )
        return found

    def decide(self, part: StagedBatch, report: AuditReport) -> Verdict:
        if report.passed:
            return Verdict(part, report)
        budget = self._attempt.loss_budget_percent
        if budget > 0:
            sifted = self.sift(part, report)
            if sifted is not None and sifted.lost_percent <= budget:
                entry = self.keep_rows(part, report, sifted.lost)
                return Verdict(sifted.good, _with_losses(sifted.report, report, entry), entry)
        return Verdict(None, report, self._keep("batch", part, report))

    def sift(self, part: StagedBatch, report: AuditReport) -> Sifted | None:
        return sift(
            part,
            self._attempt.contract,
            report,
            lambda good: self.audit([good])[0],
            aside=part.folder / "split" / (part.partitions[0] or "all"),
            references=self._attempt.snapshots,
            places=self._made.messages is not None,
        )

    @cached_property
    def _published(self) -> int:
        """The rows that stay beside those of the batch."""
        base = self._attempt.on_top_of
        if not self._attempt.appends or not base:
            return 0
        store = self._attempt.environment.stores_of(self._attempt.contract)[0]
        versions = store.versions(self._attempt.contract.key)
        return next((one.rows for one in versions if one.number == base), 0)

    def keep_rows(self, part: StagedBatch, report: AuditReport, lost: Split) -> QuarantineEntry:
        """Keep rows that were set aside from a part whose rest is published."""
        if self._made.messages is not None:
            return self._keep_messages(part, report, lost.rejected_rows, lost.rejected)
        return self._attempt.environment.quarantine.put(
            self._rejection("rows", part, report, lost.rejected_rows),
            files=[lost.rejected],
            rejects=part.rejects,
        )

    def _keep_messages(
        self, part: StagedBatch, report: AuditReport, rows: int, rejected: Path | None
    ) -> QuarantineEntry:
        """Keep messages as they came: a row is what the contract of the day made of one."""
        assert self._made.messages is not None
        to = part.folder / "messages.parquet"
        kept = self._made.messages.keep(to, rejected, whole=rejected is None)
        rejection = self._rejection(
            "window" if rejected is None else "messages", part, report, rows
        )
        return self._attempt.environment.quarantine.put(
            rejection, files=[kept], rejects=part.rejects
        )

    def _keep(self, kind: str, part: StagedBatch, report: AuditReport) -> QuarantineEntry:
        """Keep a whole part. What comes from quarantine is there already."""
        if self._attempt.replay_of is not None:
            return self._attempt.replay_of
        if self._made.messages is not None:
            return self._keep_messages(part, report, part.rows + part.rejected_rows, None)
        return self._attempt.environment.quarantine.put(
            self._rejection(kind, part, report, part.rows + part.rejected_rows),
            files=[file.path for file in part.files],
            rejects=part.rejects,
        )

    def keep_object(self, lost: Unreadable) -> QuarantineEntry:
        """Keep a copy of an object of which no row could be read."""
        if self._attempt.replay_of is not None:
            return self._attempt.replay_of
        part = StagedBatch(
            self._attempt.contract.key,
            self._attempt.batch_id,
            lost.copy.parent,
            (),
            (lost.partition,),
        )
        rejection = self._rejection("object", part, self.unreadable_report(lost), 0)
        return self._attempt.environment.quarantine.put(rejection, files=[lost.copy])

    def unreadable_report(self, lost: Unreadable) -> AuditReport:
        """The report of a part that cannot be read: the parse rule failed, nothing else was asked."""
        definition = self._attempt.definition
        failed = RuleResult(
            rule=next(rule for rule in definition.rules if rule.kind == PARSE.name),
            passed=False,
            rows_checked=0,
            rows_failed=None,
            measured=0,
            message=lost.problem,
        )
        return AuditReport(definition.key, definition.contract.version, 0, (failed,))

    def _rejection(self, kind: str, part: StagedBatch, report: AuditReport, rows: int) -> Rejection:
        attempt = self._attempt
        return Rejection(
            product=attempt.contract.key,
            kind=kind,
            batch_id=attempt.replay_of.batch_id if attempt.replay_of else attempt.batch_id,
            run_id=attempt.run.run_id,
            rows=rows,
            reasons=tuple(
                (r.rule.name, r.rule.clause, r.rows_failed or 0, r.message) for r in report.refusals
            ),
            contract_version=attempt.contract.version,
            contract_digest=attempt.contract.digest,
            inputs={pin.product: str(pin) for pin in attempt.pins},
            partitions=part.partitions,
            objects=self._made.objects.get(part.partitions[0], ()),
            parent=attempt.replay_of.id if attempt.replay_of else None,
            on_top_of=attempt.on_top_of,
        )

    def _damaged(self, part: StagedBatch, problem: UnreadableBatch) -> Unreadable:
        partition, file = part.partitions[0], part.files[0]
        key, etag = next(iter(self._made.objects.get(partition, ())), ("the staged batch", ""))
        foreign = refused_by_audit(key, problem.said) if file.half_decoded else None
        return Unreadable(partition, key, etag, str(foreign or f"{key}: {problem}"), file.path)


def _with_losses(kept: AuditReport, whole: AuditReport, entry: QuarantineEntry) -> AuditReport:
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
