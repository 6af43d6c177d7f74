"""Replay: what was rejected, tried again after the contract or the data was mended.

Belongs here: staging an entry's rows again, auditing them with what is published, publishing once.
Does not belong here: the quarantine's storage (`governance/quarantine/quarantine.py`).

A batch that was refused whole takes its place, unless a newer one has taken it meanwhile. Rows of a
batch whose rest was published join that rest, and together they are audited and published again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from shared_resources.contracts.types import arrow_schema
from shared_resources.contracts.values.lossless import conform
from shared_resources.data_products.auditing import audit_batch
from shared_resources.data_products.batch import (
    Attempt,
    AuditedBatch,
    Made,
    Run,
    current_number,
)
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.pinned_inputs import PinnedInput
from shared_resources.data_products.publishing import already_published, publish
from shared_resources.data_products.verdict import Auditor
from shared_resources.environment import Environment
from shared_resources.governance.audit.loss import REASONS
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.quarantine.settlement import is_of_batch, made_on
from shared_resources.landing.reader import stage_object
from shared_resources.landing.rejects_again import stage_rejects
from shared_resources.problems import MeshProblem
from shared_resources.stores.protocol import UNPARTITIONED, StagedBatch, StagedFile, Version
from shared_resources.stores.reading.called import in_names_of
from shared_resources.stores.staging.staging import write_staged
from shared_resources.stores.versions import lineage


class NotReplayable(MeshProblem):
    """The entry cannot take its place any more; the message says why."""


@dataclass(frozen=True)
class Replayed:
    """`versions` is empty when the rows were refused again. `rest` are rows that still fail."""

    report: AuditReport
    versions: tuple[Version, ...] = ()
    rest: QuarantineEntry | None = None


def replay(
    environment: Environment,
    definition: ProductDefinition,
    entry: QuarantineEntry,
    run_id: str,
    inputs: Mapping[str, PinnedInput],
    *,
    force: bool = False,
) -> Replayed:
    """Audit an entry's rows by today's contract and publish what passes, once.

    `force` publishes although a newer batch has been published since. Raises `NotReplayable`,
    `UnreadableObject`, and `MovedOn` when someone else published meanwhile.
    """
    attempt = Attempt(
        environment=environment,
        definition=definition,
        run=Run(run_id, tuple(entry.partitions)),
        batch_id=f"replay-{entry.id}",
        inputs=inputs,
        loss_budget_percent=0 if entry.kind == "rows" else definition.contract.loss_budget_percent,
        replay_of=entry,
        on_top_of=current_number(environment.stores_of(definition.contract)[0], definition.key),
    )
    return _Replay(attempt, entry).run(force)


class _Replay:
    def __init__(self, attempt: Attempt, entry: QuarantineEntry) -> None:
        self._attempt = attempt
        self._entry = entry
        self._contract = attempt.contract
        self._quarantine = attempt.environment.quarantine
        self._store = attempt.environment.stores_of(attempt.contract)[0]
        self._partition = attempt.run.partitions[0]
        self._made = Made(parts=(), objects={self._partition: entry.objects})

    def run(self, force: bool) -> Replayed:
        key, batch_id = self._contract.key, self._attempt.batch_id
        published = already_published(self._attempt.environment, self._contract, batch_id)
        if published is not None:
            # A replay that died between publishing and noting it is brought to its end here.
            self._quarantine.mark_replayed(self._entry.id, published[0].number)
            raise NotReplayable(
                f"{self._entry.id} was replayed before, as version {published[0].number} of {key}"
            )
        versions = self._store.versions(key)
        if not force and (why := next(self._lost_its_place(versions), None)):
            raise NotReplayable(why)
        self._store.discard(self._contract, batch_id)
        folder = self._store.staging_folder(self._contract, batch_id)
        current = versions[-1].number if versions else 0
        if self._entry.kind == "rows":
            return self._replay_rows(folder, current)
        audited = audit_batch(self._attempt, replace(self._made, parts=(self._staged(folder),)))
        return self._publish(audited) if audited.staged else self._refuse(audited)

    def _lost_its_place(self, versions: list[Version]) -> Iterator[str]:
        """Why the entry cannot take its place any more, unless somebody decides that it does."""
        entry, key = self._entry, self._contract.key
        if entry.superseded_by is not None:
            yield (
                f"{entry.id} is superseded by {entry.superseded_by}, which a retry of its run left; "
                "replay that one, or use --force to publish this one all the same"
            )
        if (closed := entry.closed) is not None:
            yield (
                f"{entry.id} was closed by {closed.by} on {closed.at:%Y-%m-%d} "
                f"({closed.reason}); use --force to publish it all the same"
            )
        if (newer := self._newer(versions)) is not None:
            yield (
                f"{entry.id} is older than version {newer.number} of {key}, published "
                f"{newer.published_at:%Y-%m-%d %H:%M:%S}; use --force to publish it all the same"
            )
        elif self._history_is_lost(versions):
            yield (
                f"versions of {key} that were published since {entry.id} was rejected have "
                "expired, so that nobody knows whether one took its place; look at what is "
                "published, and use --force if the entry is still to be published"
            )
        if entry.kind == "rows" and not self._rest_is_current(versions):
            yield (
                f"the other rows of the batch that {entry.id} was set aside from are not in what "
                f"is published of {key}: it was rolled back, or never published; publish it again, or "
                "use --force to publish these rows without the others"
            )

    def _newer(self, versions: list[Version]) -> Version | None:
        """A version that has taken the entry's place since, if there is one.

        What was rolled back has no place any more; and a rollback takes that of a whole batch, which
        would undo it, but not that of rows, which join what it restored.
        """
        rows = self._entry.kind == "rows"
        base = made_on(self._entry, versions)
        for version in lineage(versions) if rows else reversed(versions):
            if rows and version.rollback_of is not None:
                continue
            if version.number <= base:
                return None
            if is_of_batch(self._entry, version):
                continue  # what was published of it, or replayed
            if set(version.evidence.partitions) & set(self._entry.partitions):
                return version
        return None

    def _rest_is_current(self, versions: list[Version]) -> bool:
        """Whether the batch that the rows were set aside from is part of the current version."""
        return any(is_of_batch(self._entry, version) for version in lineage(versions))

    def _history_is_lost(self, versions: list[Version]) -> bool:
        """Whether a version that was published after the entry may have expired."""
        expected, base = versions[-1].number if versions else 0, made_on(self._entry, versions)
        for version in reversed(versions):
            if version.number != expected:
                return True
            own = version.batch_id == self._entry.batch_id
            if own or version.number <= base:
                return False
            expected -= 1
        return expected > base

    def _staged(self, folder: Path) -> StagedBatch:
        """The entry's rows, staged by today's contract."""
        empty = self._part(folder, ())
        files = self._quarantine.files(self._entry)
        if self._entry.kind == "object":
            key = self._entry.objects[0][0]
            staged = stage_object(self._contract, files[0], key, folder, self._partition)
            return replace(
                empty,
                files=staged.files,
                rejects=staged.rejects,
                rejected_rows=staged.rejected_rows,
            )
        if files:
            reader = conform(_stream(files), self._contract)
            partitions = self._attempt.run.partitions
            empty = replace(empty, files=write_staged(reader, folder, self._contract, partitions))
        rejects = self._quarantine.rejects(self._entry)
        if rejects is None:
            return empty
        again = stage_rejects(self._contract, rejects, folder / "again", self._partition)
        return replace(
            empty,
            files=(*empty.files, *again.files),
            rejects=again.rejects,
            rejected_rows=again.rejected_rows,
        )

    def _replay_rows(self, folder: Path, current: int) -> Replayed:
        """The rows that pass by themselves, joined with what is published, audited together."""
        auditor = Auditor(self._attempt, self._made)
        alone = self._staged(folder / "alone")
        report = auditor.audit([alone])[0]
        good, lost = alone, None
        if not report.passed:
            sifted = auditor.sift(alone, report)
            if sifted is None or not sifted.good.rows:
                return Replayed(report)
            good, lost = sifted.good, sifted.lost
        audited = audit_batch(
            self._attempt, replace(self._made, parts=(self._joined(folder, good, current),))
        )
        if audited.staged is None:
            return self._refuse(audited)
        # Kept before the others are published: a process that dies in between loses no row.
        rest = auditor.keep_rows(alone, report, lost) if lost is not None else None
        return replace(self._publish(audited), rest=rest)

    def _joined(self, folder: Path, good: StagedBatch, current: int) -> StagedBatch:
        schema = arrow_schema(tuple((c.name, c.type) for c in self._contract.columns))
        wanted = None if self._partition == UNPARTITIONED else self._attempt.run.partitions

        def batches() -> Iterator[pa.RecordBatch]:
            if current:
                opened = self._store.open(self._contract.key, current)
                published = in_names_of(self._contract, opened, with_aliases=False)
                yield from conform(published.batches(None, wanted), self._contract)
            for file in good.files:
                yield from pq.ParquetFile(file.path).iter_batches()

        reader = pa.RecordBatchReader.from_batches(schema, batches())
        partitions = self._attempt.run.partitions
        return self._part(folder, write_staged(reader, folder, self._contract, partitions))

    def _publish(self, audited: AuditedBatch) -> Replayed:
        versions = publish(audited)
        self._quarantine.mark_replayed(self._entry.id, versions[0].number)
        return Replayed(audited.report, versions, next(iter(audited.quarantined), None))

    def _refuse(self, audited: AuditedBatch) -> Replayed:
        self._store.discard(self._contract, self._attempt.batch_id)
        return Replayed(audited.report)

    def _part(self, folder: Path, files: tuple[StagedFile, ...]) -> StagedBatch:
        return StagedBatch(
            self._contract.key,
            self._attempt.batch_id,
            folder,
            files,
            self._attempt.run.partitions,
        )


def _stream(files: tuple[Path, ...]) -> pa.RecordBatchReader:
    """Quarantined Parquet as one stream; `REASONS` is the platform's column, not the product's."""
    opened = [pq.ParquetFile(file) for file in files]
    names = [name for name in opened[0].schema_arrow.names if name != REASONS]
    schema = pa.schema([opened[0].schema_arrow.field(name) for name in names])

    def batches() -> Iterator[pa.RecordBatch]:
        for file in opened:
            yield from file.iter_batches(columns=names)

    return pa.RecordBatchReader.from_batches(schema, batches())
