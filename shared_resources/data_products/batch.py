"""A batch on its way: from its parts as staged to what the audit decided about them.

Belongs here: the types that pass between making, auditing and publishing.
Does not belong here: doing any of these (`data_products/makers/making.py`, `auditing.py`,
`publishing.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from shared_resources.contracts.model import Contract
from shared_resources.contracts.numbers import Number
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.pinned_inputs import PinnedInput
from shared_resources.environment import Environment
from shared_resources.evidence.lineage import ColumnLineage
from shared_resources.evidence.stream_position import StreamPosition
from shared_resources.evidence.terms import HeldAgreement, Terms
from shared_resources.governance.audit.report import AuditReport, RuleResult
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.stores.pins import Pin
from shared_resources.stores.protocol import (
    UNPARTITIONED,
    Cleared,
    ProductStore,
    Snapshot,
    StagedBatch,
    Version,
)


@dataclass(frozen=True)
class Run:
    """Who makes the batch. The same run (or its automatic retry) making it again is the same batch."""

    run_id: str
    partitions: tuple[str, ...] = (UNPARTITIONED,)

    def batch_id(self, product: str) -> str:
        """A name for the attempt that is safe in paths: run, product and partitions decide it."""
        scope = "\n".join((product, *self.partitions))
        return f"{self.run_id}-{hashlib.sha256(scope.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Unreadable:
    """A part of which nothing could be staged: the object cannot be read at all."""

    partition: str
    object_key: str
    etag: str
    problem: str
    copy: Path


class MessagesOfBatch(Protocol):
    """The messages that a batch's one part was made of, as they came."""

    def keep(self, to: Path, rejected: Path | None = None, *, whole: bool = False) -> Path:
        """Write those to keep to the file `to`: with `whole` all of them, else those that are no row and
        those whose rows `rejected` has, with the place of each in its column `_place`."""
        ...


@dataclass(frozen=True)
class Made:
    """What a maker staged: one part a partition. `objects` are the landing objects it read."""

    parts: tuple[StagedBatch, ...]
    unreadable: tuple[Unreadable, ...] = ()
    objects: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra_results: tuple[RuleResult, ...] = ()  # checks that the maker ran itself: dbt's tests
    column_lineage: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    agreements: tuple[
        HeldAgreement, ...
    ] = ()  # by which inputs were read that it does not see whole
    stream: StreamPosition | None = None  # how far the batch goes into the product's topic
    messages: MessagesOfBatch | None = None  # which its rows were: they are kept, and not the rows
    set_aside: tuple[QuarantineEntry, ...] = ()  # what was kept of it before
    position_only: bool = False  # it has no row, and what is published stays, whatever the mode

    @property
    def grants(self) -> dict[str, str]:
        """What each agreement showed, by product: `access/grants.py`."""
        return {one.product: f"{one.id}:{one.digest}" for one in self.agreements}


@dataclass(frozen=True)
class Attempt:
    """One batch in the making: who makes what from which inputs.

    `inputs` are all products that the product reads or refers to, by key, at their pinned versions.
    `loss_budget_percent` is the contract's, but for a replay. `replay_of` is the quarantined batch
    that is tried again. `on_top_of` is the leading store's current version when the attempt was
    begun, 0 for none. `adds_nothing`: it moves a stream's position, and no row.
    """

    environment: Environment
    definition: ProductDefinition
    run: Run
    batch_id: str
    inputs: Mapping[str, PinnedInput] = field(default_factory=dict)
    loss_budget_percent: Number = 0
    replay_of: QuarantineEntry | None = None
    on_top_of: int | None = None
    adds_nothing: bool = False

    @property
    def contract(self) -> Contract:
        return self.definition.contract

    @property
    def appends(self) -> bool:
        """Whether its rows are added to what is published, and replace nothing."""
        stream = self.contract.stream
        return stream is not None and (stream.appends or self.adds_nothing)

    @property
    def pins(self) -> tuple[Pin, ...]:
        return tuple(item.pin for item in self.inputs.values())

    @property
    def snapshots(self) -> dict[str, Snapshot]:
        return {key: item.snapshot for key, item in self.inputs.items()}


def attempt(
    environment: Environment,
    definition: ProductDefinition,
    run: Run,
    inputs: Mapping[str, PinnedInput],
) -> Attempt:
    """The attempt that a run makes at its product's next batch."""
    contract = definition.contract
    return Attempt(
        environment,
        definition,
        run,
        run.batch_id(definition.key),
        inputs,
        contract.loss_budget_percent,
        on_top_of=current_number(environment.stores_of(contract)[0], contract.key),
    )


def current_number(store: ProductStore, product: str) -> int:
    """The number of the store's current version, 0 when there is none."""
    versions = store.versions(product)
    return versions[-1].number if versions else 0


@dataclass(frozen=True)
class AuditedBatch:
    """The audit's decision. `cleared` is what may be published, None when nothing may.

    `report` is of what is published, and of the refused parts as they came; `refused` are the
    partitions that stay as they were.
    """

    attempt: Attempt
    cleared: Cleared | None
    report: AuditReport
    refused: tuple[str, ...]
    quarantined: tuple[QuarantineEntry, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    lineage: ColumnLineage | None = None
    terms: Terms | None = None  # under which it was checked: what `cleared` names by its digest

    @property
    def staged(self) -> StagedBatch | None:
        return self.cleared.staged if self.cleared else None

    @property
    def passed(self) -> bool:
        return self.staged is not None and not self.refused


@dataclass(frozen=True)
class PublishedBefore:
    """What was published before it is handed over: a retried run's batch, or the last window of a stream.
    The leading store's version is the first; `metadata` are what is shown beside it."""

    versions: tuple[Version, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict)
