"""Rows in quarantine, fit to be shown: `mesh quarantine show`.

Belongs here: masking and shortening of kept rows.
Does not belong here: keeping them. (`quarantine.py`)
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import duckdb
import pyarrow as pa

from shared_resources.contracts.model import MASK, Contract, Rule
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.contracts.values.moments import as_text, first_outside, is_moment
from shared_resources.environment import EnvironmentProblem
from shared_resources.governance.audit.engine.columns import check_columns
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.loss import REASONS, bad_rows, separates
from shared_resources.governance.audit.samples import masked, public_problem, reject_sample
from shared_resources.governance.audit.samples import shown as as_shown
from shared_resources.governance.quarantine.quarantine import Quarantine, QuarantineEntry
from shared_resources.governance.quarantine.rejection import OF_MESSAGES
from shared_resources.stores.protocol import Snapshot, StagedBatch, StagedFile


def shown_rows(
    quarantine: Quarantine,
    entry: QuarantineEntry,
    contract: Contract,
    limit: int = 20,
    *,
    rules: Sequence[Rule] = (),
    references: Mapping[str, Snapshot] | None = None,
) -> list[Mapping[str, Any]]:
    """Up to `limit` kept rows, then rows that could not be read; classified columns are `***`.

    Of a batch that was refused whole these are the rows that break those of `rules` for which it was:
    `references` are the versions that its relationships look into. The first rows are shown when
    no row can be blamed. Columns that the contract does not know are masked too: nobody has said
    what they hold; so is text in which personal data was found. The bytes of an unreadable object
    are never shown, nor what a message says, whatever the contract's columns are called.
    """
    broken = [rule for rule in rules if any(rule.name == name for name, *_ in entry.reasons)]
    personal = {column for rule in broken if kind_of(rule).conceals for column in rule.columns}
    failing = _failing(quarantine, entry, contract, broken, references or {}, limit)
    kept = iter(failing) if failing else quarantine.rows(entry)
    plain = (
        _messages(kept, contract) if entry.kind in OF_MESSAGES else _plain(kept, contract, personal)
    )
    shown = list(islice(plain, limit))
    if len(shown) < limit:
        rejects = quarantine.rejects(entry)
        shown.extend(reject_sample(rejects, contract, limit - len(shown)))
    return shown


def _failing(
    quarantine: Quarantine,
    entry: QuarantineEntry,
    contract: Contract,
    broken: Sequence[Rule],
    references: Mapping[str, Snapshot],
    limit: int,
) -> list[pa.RecordBatch]:
    """The rows of a batch refused whole that break one of the rules; none if none can be told."""
    blamed = [
        rule
        for rule in broken
        if separates(rule) and kind_of(rule).product(rule) in (None, *references)
    ]
    if entry.kind != "batch" or not blamed or not limit:
        return []
    files = quarantine.files(entry)
    staged = tuple(StagedFile(path, "", 0) for path in files)
    if not files:
        return []
    data = StagedData(StagedBatch(entry.product, entry.batch_id, files[0].parent, staged))
    found = check_columns(contract, data.paths(), data.schemas, data.footers)
    usable = [rule for rule in blamed if found.obstacle(kind_of(rule), rule.columns) is None]
    try:
        return bad_rows(data, contract, usable, references, limit) if usable else []
    except (duckdb.Error, ValueError, pa.ArrowException, EnvironmentProblem, OSError):
        return []  # its rules do not fit these rows any more, or nothing can be written here


def _plain(
    batches: Iterator[pa.RecordBatch] | pa.RecordBatchReader,
    contract: Contract,
    personal: Collection[str],
) -> Iterator[Mapping[str, Any]]:
    for batch in map(_readable, batches):
        columns = [name for name in batch.schema.names if name != REASONS]
        for row in batch.to_pylist():
            (plain,) = masked(columns, [[row[name] for name in columns]], contract, personal)
            reasons = row.get(REASONS)
            yield {**plain, REASONS: ", ".join(reasons)} if reasons else plain


def _messages(
    batches: Iterator[pa.RecordBatch] | pa.RecordBatchReader, contract: Contract
) -> Iterator[Mapping[str, Any]]:
    """Where each message was in its topic, when it came, and what is wrong with it."""
    for batch in batches:
        for row in batch.to_pylist():
            said = {name: None if row[name] is None else MASK for name in ("key", "value")}
            came = {name: row[name] for name in ("partition", "offset")}
            yield (
                came
                | {"timestamp": as_shown(row["timestamp"])}
                | said
                | {REASONS: ", ".join(public_problem(None, one, contract) for one in row[REASONS])}
            )


def _readable(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its days and points in time as text, where Python has no such value."""
    columns = [
        as_text(values) if is_moment(values.type) and first_outside(values) is not None else values
        for values in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)
