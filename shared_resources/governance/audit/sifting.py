"""The rows of a refused batch that broke no rule, and whether they may be published without the others.

Belongs here: the one answer that runs, replays and `mesh audit` give.
Does not belong here: writing both sides (`loss.py`), keeping what was set aside
(`governance/quarantine/quarantine.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from shared_resources.contracts.model import Contract
from shared_resources.contracts.numbers import percent
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.loss import Split, split
from shared_resources.governance.audit.report import AuditReport
from shared_resources.stores.protocol import Snapshot, StagedBatch


@dataclass(frozen=True)
class Sifted:
    """`good` are the rows that stay, with their `report`; `lost` those that were set aside."""

    good: StagedBatch
    lost: Split
    report: AuditReport
    lost_percent: Fraction


def sift(
    part: StagedBatch,
    contract: Contract,
    report: AuditReport,
    audit: Callable[[StagedBatch], AuditReport],
    *,
    aside: Path,
    references: Mapping[str, Snapshot] | None = None,
    places: bool = False,
) -> Sifted | None:
    """The rows that broke no rule, if they can be told and pass every rule by themselves.

    `report` is of the part as it came, `audit` makes one of what stays; files go below `aside`. With
    `places` those that were set aside say where in the part's one file they stood.
    """
    if not all(kind_of(result.rule).row_level for result in report.refusals):
        return None
    lost = split(
        StagedData(part),
        contract,
        report,
        references=references,
        kept=aside / "kept",
        rejected=aside / "rejected.parquet",
        places=places,
    )
    good = replace(part, files=lost.files, rejects=None, rejected_rows=0)
    again = audit(good)
    if not again.passed:
        return None
    return Sifted(good, lost, again, percent(lost.rejected_rows, part.rows + part.rejected_rows))
