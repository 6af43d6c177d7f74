"""Rows in quarantine, fit to be shown: `mesh quarantine show`.

Belongs here: masking and shortening of kept rows.
Does not belong here: keeping them. (`quarantine.py`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.contracts.moments import as_text, first_outside, is_moment
from shared_resources.governance.quarantine import Quarantine, QuarantineEntry
from shared_resources.governance.samples import masked, reject_sample
from shared_resources.governance.split import REASONS


def shown_rows(
    quarantine: Quarantine, entry: QuarantineEntry, contract: Contract, limit: int = 20
) -> list[Mapping[str, Any]]:
    """Up to `limit` kept rows, then rows that could not be read; classified columns are `***`.

    Columns that the contract does not know are masked too: nobody has said what they hold. The
    bytes of an unreadable object are never shown.
    """
    shown = list(islice(_typed(quarantine, entry, contract), limit))
    if len(shown) < limit:
        rejects = quarantine.rejects(entry)
        shown.extend(reject_sample(rejects, contract, limit - len(shown)))
    return shown


def _typed(
    quarantine: Quarantine, entry: QuarantineEntry, contract: Contract
) -> Iterator[Mapping[str, Any]]:
    for batch in map(_readable, quarantine.rows(entry)):
        columns = [name for name in batch.schema.names if name != REASONS]
        for row in batch.to_pylist():
            (plain,) = masked(columns, [[row[name] for name in columns]], contract)
            reasons = row.get(REASONS)
            yield {**plain, REASONS: ", ".join(reasons)} if reasons else plain


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its days and points in time as text, where Python has no such value."""
    columns = [
        as_text(values) if is_moment(values.type) and first_outside(values) is not None else values
        for values in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
