"""A batch on its way: from its parts as staged to what the audit decided about them.

Belongs here: the types that pass between making, auditing and publishing.
Does not belong here: doing any of these (`making.py`, `auditing.py`, `publishing.py`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from shared_resources.data_products.definition import ProductDefinition
from shared_resources.governance.quarantine import QuarantineEntry
from shared_resources.governance.report import AuditReport, RuleResult
from shared_resources.io_managers.pins import Pin
from shared_resources.io_managers.protocol import UNPARTITIONED, StagedBatch, Version


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


@dataclass(frozen=True)
class Made:
    """What a maker staged: one part a partition. `objects` are the landing objects it read."""

    parts: tuple[StagedBatch, ...]
    unreadable: tuple[Unreadable, ...] = ()
    objects: tuple[tuple[str, str], ...] = ()
    objects_of: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra_results: tuple[RuleResult, ...] = ()  # checks that the maker ran itself: dbt's tests
    column_lineage: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditedBatch:
    """The audit's decision. `staged` is what may be published, None when nothing may.

    `report` is of what is published, and of the refused parts as they came; `refused` are the
    partitions that stay as they were.
    """

    definition: ProductDefinition
    run: Run
    batch_id: str
    staged: StagedBatch | None
    report: AuditReport
    refused: tuple[str, ...]
    quarantined: tuple[QuarantineEntry, ...]
    properties: Mapping[str, str]
    inputs: tuple[Pin, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    column_lineage: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)
    partition_rows: Mapping[str, int] = field(default_factory=dict)
    append: bool = False

    @property
    def passed(self) -> bool:
        return self.staged is not None and not self.refused


@dataclass(frozen=True)
class PublishedBefore:
    """A retried run's batch that was published already, the leading store's version first."""

    versions: tuple[Version, ...]
