"""Messages that an upsert goes without: those that break a rule by themselves.

Belongs here: finding them before anything is merged, and keeping them.
Does not belong here: merging (`merging.py`), products to which rows are added: the audit does it.

A row that is replaced by one which breaks a rule would be lost to readers; so the new one is set aside
first, and the published row of the key stays.
"""

from __future__ import annotations

from pathlib import Path

from shared_resources.contracts.model import Rule, Severity
from shared_resources.contracts.rules.batch.parse import KIND as PARSE
from shared_resources.contracts.rules.kind import ReferenceKind, RowKind
from shared_resources.contracts.rules.registry import kind_of
from shared_resources.data_products.batch import Attempt, Made
from shared_resources.governance.audit.engine.staged_data import StagedData
from shared_resources.governance.audit.loss import PLACE, REASONS, bad_rows
from shared_resources.governance.quarantine.quarantine import QuarantineEntry, Rejection
from shared_resources.landing.rejects import Reason
from shared_resources.parquet import write_parquet
from shared_resources.stores.protocol import UNPARTITIONED, StagedBatch, StagedFile
from shared_resources.streams.window_rows import WindowRows


def breaks_alone(rule: Rule) -> bool:
    """Whether a row breaks it whatever the others are."""
    return rule.severity is Severity.BLOCKING and isinstance(kind_of(rule), RowKind | ReferenceKind)


def whole_rows(attempt: Attempt, decoded: WindowRows, folder: Path) -> WindowRows:
    """Without the rows that break a rule by themselves."""
    contract = attempt.contract
    path = folder / "alone.parquet"
    rows = write_parquet(path, decoded.rows.schema, decoded.rows.to_batches())
    if not rows:
        return decoded
    file = StagedFile(path, UNPARTITIONED, rows)
    data = StagedData(StagedBatch(contract.key, attempt.batch_id, folder, (file,)))
    rules = [rule for rule in attempt.definition.rules if breaks_alone(rule)]
    broken = bad_rows(data, contract, rules, attempt.snapshots, rows, places=True)
    path.unlink()
    return decoded.without(
        {
            row[PLACE]: Reason(None, None, f"breaks {', '.join(row[REASONS])}")
            for batch in broken
            for row in batch.to_pylist()
        }
    )


def keep_broken(attempt: Attempt, made: Made, *, whole: bool) -> QuarantineEntry:
    """Keep the messages that are no row of the part; with `whole` all of the window's."""
    [part] = made.parts
    assert made.messages is not None and made.stream is not None
    contract = attempt.contract
    parse = next(rule for rule in contract.rules if rule.kind == PARSE.name)
    rows = made.stream.messages - made.stream.tombstones if whole else part.rejected_rows
    said = f"{part.rejected_rows} of {made.stream.messages} messages are set aside"
    if whole:
        said += ", which is more than the loss budget: with them all that came in the window"
    rejection = Rejection(
        product=contract.key,
        kind="window" if whole else "messages",
        batch_id=attempt.batch_id,
        run_id=attempt.run.run_id,
        rows=rows,
        reasons=((parse.name, parse.clause, part.rejected_rows, said),),
        contract_version=contract.version,
        contract_digest=contract.digest,
        inputs={pin.product: str(pin) for pin in attempt.pins},
        objects=made.objects[UNPARTITIONED],
        parent=attempt.replay_of.id if attempt.replay_of else None,
        on_top_of=attempt.on_top_of,
    )
    kept = made.messages.keep(part.folder / "messages.parquet", whole=whole)
    return attempt.environment.quarantine.put(rejection, files=[kept], rejects=part.rejects)
