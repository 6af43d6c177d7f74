"""A window of messages as a batch: made, audited and published like any other.

Belongs here: from messages to staged rows, and the commit that moves the product's position.
Does not belong here: reading the log (`process.py`), decoding (`window_rows.py`), the audit, the stores.

    messages -> rows staged -> (audit) -> quarantine of what is broken -> one commit with the position
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from shared_resources.contracts.numbers import percent
from shared_resources.contracts.types import arrow_schema
from shared_resources.data_products.auditing import audit_batch
from shared_resources.data_products.batch import Attempt, Made, Run
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.pinned_inputs import PinnedInput, open_at
from shared_resources.data_products.publishing import already_published, publish
from shared_resources.environment import Environment
from shared_resources.evidence.stream_position import LeftOut, Skipped, StreamPosition
from shared_resources.governance.audit.report import AuditReport
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.parquet import write_parquet
from shared_resources.problems import MeshProblem
from shared_resources.stores.opening import open_product
from shared_resources.stores.pins import pin_of
from shared_resources.stores.protocol import (
    UNPARTITIONED,
    StagedBatch,
    StagedFile,
    Version,
)
from shared_resources.streams.broken_alone import keep_broken, whole_rows
from shared_resources.streams.kept_messages import WindowMessages
from shared_resources.streams.late import set_late_apart
from shared_resources.streams.merging import last_of_each_key, merge
from shared_resources.streams.standing import Standing
from shared_resources.streams.taken_keys import set_taken_apart
from shared_resources.streams.window_rows import WindowRows, read_rows


@dataclass(frozen=True)
class Window:
    """Messages of some partitions, and what is around them: `begins` and `ends` are, by partition, the
    first offset that it is about and the one after its last. `rows` are there when another engine than
    the platform has decoded them, each of its messages compared with the log's."""

    topic: str
    topic_id: str
    messages: pa.Table
    begins: Mapping[int, int]
    ends: Mapping[int, int]
    skipped: tuple[Skipped, ...] = ()
    rows: WindowRows | None = None

    @property
    def ranges(self) -> tuple[tuple[str, str], ...]:
        """By partition, for the evidence."""
        return tuple(
            (f"{self.topic}[{one}]", f"{self.begins[one]}..{self.ends[one]}")
            for one in sorted(self.ends)
        )

    def batch_id(self, at: Standing, run_id: str) -> str:
        """The same messages taken again by a process are the same batch, but after a rollback to before
        them. Another process's is another: neither clears away what the other has staged."""
        where = [(p, self.begins[p], self.ends[p]) for p in sorted(self.ends)]
        of = repr((self.topic_id, where, at.restored, run_id))
        return f"stream-{hashlib.sha256(of.encode()).hexdigest()[:24]}"


class StuckStream(MeshProblem):
    """What is published breaks a rule by itself, so that nothing can go on top of it: somebody has to
    mend it (`exit_code` 2)."""

    exit_code = 2


@dataclass(frozen=True)
class Committed:
    """What became of a window. `report` is None of one that had been published before; `refused` is that
    of the window as it came, where all of it is in quarantine."""

    versions: tuple[Version, ...]
    report: AuditReport | None = None
    refused: AuditReport | None = None

    @property
    def rejected(self) -> int:
        position = self.versions[0].evidence.stream
        return position.rejected if position is not None else 0


def commit_window(
    environment: Environment,
    definition: ProductDefinition,
    window: Window,
    at: Standing,
    run_id: str,
) -> Committed:
    """Publish what keeps the contract, keep what does not, and move the position: in one commit on top
    of the version `at`. Raises `MovedOn` when that is not the current one any more, and `StuckStream`.
    """
    contract, stream = definition.contract, definition.contract.stream
    assert stream is not None
    batch_id = window.batch_id(at, run_id)
    if published := already_published(environment, contract, batch_id):
        return Committed(published)
    attempt = Attempt(
        environment,
        definition,
        Run(run_id),
        batch_id,
        inputs_now(environment, definition),
        # What an upsert sets aside is set aside before: what then fails is among what is published.
        contract.loss_budget_percent if stream.appends else 0,
        on_top_of=at.number,
    )
    made = make_window(attempt, window, at)
    audited = audit_batch(attempt, made)
    refused = audited.report if audited.cleared is None else None
    if audited.cleared is None:
        audited = audit_batch(attempt, _without_rows(attempt, made, audited.quarantined))
    if audited.cleared is None:
        raise StuckStream(
            f"{contract.key}: no window can be published, not even one without any row, as "
            f"{audited.report.refusals[0].rule.clause}: {audited.report.refusals[0].message}. The window "
            f"is in quarantine and its messages are read again; correct {contract.path}, or what is "
            "published, and start the stream again"
        )
    return Committed(publish(audited, served=False), audited.report, refused)


def inputs_now(environment: Environment, definition: ProductDefinition) -> dict[str, PinnedInput]:
    """What the rules refer to, at its current version. Raises `NotPublished`."""
    opened: dict[str, PinnedInput] = {}
    for product in definition.referenced_products:
        if product != definition.key:
            opened[product] = open_at(
                environment, pin_of(open_product(environment, product).version)
            )
    return opened


def make_window(attempt: Attempt, window: Window, at: Standing) -> Made:
    """Stage the window's rows in message order; what is no row is among its rejects."""
    contract, environment = attempt.contract, attempt.environment
    store = environment.stores_of(contract)[0]
    store.discard(contract, attempt.batch_id)
    folder = store.staging_folder(contract, attempt.batch_id)
    decoded = set_late_apart(
        contract, window.rows or read_rows(contract, window.messages), window.messages
    )
    path = folder / "part-00000.parquet"
    if attempt.appends:
        if at.number:
            decoded = set_taken_apart(attempt, decoded, at.number)
        rows = write_parquet(path, decoded.rows.schema, decoded.rows.to_batches())
    else:
        decoded = last_of_each_key(contract, whole_rows(attempt, decoded, folder), window.messages)
        rows = merge(attempt, decoded, window.messages, at.number, path)
    part = StagedBatch(
        contract.key,
        attempt.batch_id,
        folder,
        (StagedFile(path, UNPARTITIONED, rows),),
        rejects=decoded.write_faults(window.topic, window.messages, folder / "rejects.parquet"),
        rejected_rows=len(decoded.faults),
    )
    position = StreamPosition(
        window.topic,
        window.topic_id,
        {**window.ends},
        messages=window.messages.num_rows,
        tombstones=len(decoded.tombstones),
        skipped=window.skipped,
        engine=contract.stream.engine if window.rows is not None and contract.stream else "",
        left_out=LeftOut.of(decoded.ignored),
    )
    made = Made(
        (part,),
        objects={UNPARTITIONED: window.ranges},
        stream=position.on(at.position),
        messages=WindowMessages(window.messages, decoded),
    )
    if attempt.appends or not decoded.faults:
        return made
    taken = window.messages.num_rows - len(decoded.tombstones)
    within = percent(part.rejected_rows, taken) <= contract.loss_budget_percent
    entry = keep_broken(attempt, made, whole=not within)
    if not within:
        return _without_rows(attempt, made, (entry,))
    return replace(made, parts=(replace(part, rejects=None, rejected_rows=0),), set_aside=(entry,))


def _without_rows(attempt: Attempt, made: Made, kept: tuple[QuarantineEntry, ...]) -> Made:
    """The window's position alone, when all of it is in quarantine."""
    contract = attempt.contract
    folder = attempt.environment.stores_of(contract)[0].staging_folder(contract, attempt.batch_id)
    path = folder / "part-00000.parquet"
    write_parquet(path, arrow_schema(tuple((c.name, c.type) for c in contract.columns)), ())
    file = StagedFile(path, UNPARTITIONED, 0)
    empty = StagedBatch(contract.key, attempt.batch_id, folder, (file,))
    return Made(
        (empty,), objects=made.objects, stream=made.stream, set_aside=kept, position_only=True
    )
