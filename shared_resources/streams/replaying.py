"""Messages in quarantine tried again: what keeps the contract now is published, once.

Belongs here: reading kept messages by today's contract, and their commit beside the stream's own.
Does not belong here: entries of other products (`data_products/replaying.py`).

The product's position stays: the messages were passed when they were kept. Of a product that keeps the
last row of each key, an older message would take the place of a newer row: that is for a person to
decide (`force`).
"""

from __future__ import annotations

import hashlib

import pyarrow as pa

from shared_resources.contracts.model import Contract
from shared_resources.data_products.auditing import audit_batch
from shared_resources.data_products.batch import Attempt, Run
from shared_resources.data_products.definition import ProductDefinition
from shared_resources.data_products.publishing import already_published, publish
from shared_resources.data_products.replaying import NotReplayable, Replayed
from shared_resources.environment import Environment
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.governance.quarantine.settlement import with_replacements
from shared_resources.stores.protocol import MovedOn, Version
from shared_resources.stores.versions import lineage
from shared_resources.streams.kept_messages import WindowMessages, kept_messages
from shared_resources.streams.standing import standing
from shared_resources.streams.tidying import comes_again, withdraw_uncommitted
from shared_resources.streams.window import Window, inputs_now, make_window

BY = "mesh quarantine replay"
_ATTEMPTS = 20  # a stream that commits each second overtakes a replay of a minute now and then


def replay_messages(
    environment: Environment,
    definition: ProductDefinition,
    entry: QuarantineEntry,
    run_id: str,
    *,
    force: bool = False,
) -> Replayed:
    """Publish the messages that keep the contract now; the others stay as an entry of their own.

    Raises `NotReplayable`, and `MovedOn` when the stream commits faster than this can.
    """
    quarantine = environment.quarantine
    messages = pa.concat_tables([kept_messages(file) for file in quarantine.files(entry)])
    for attempt in range(_ATTEMPTS):
        entry = _still_there(environment, definition, entry, force=force)
        try:
            return _try(environment, definition, entry, Run(run_id), messages)
        except MovedOn:
            if attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt raises")


def _still_there(
    environment: Environment, definition: ProductDefinition, entry: QuarantineEntry, *, force: bool
) -> QuarantineEntry:
    """The entry as it is now. Raises `NotReplayable` when it was replayed, or has lost its place."""
    contract = definition.contract
    at, versions = standing(environment, contract), _versions(environment, contract)
    for version in lineage(versions):
        evidence = version.evidence_or_none
        if evidence and evidence.replay_of and evidence.replay_of.entry == entry.id:
            # A replay that died between publishing and noting it is brought to its end here.
            already_published(environment, contract, version.batch_id)
            environment.quarantine.mark_replayed(entry.id, version.number)
            raise NotReplayable(
                f"{entry.id} was replayed before, as version {version.number} of {contract.key}"
            )
    withdraw_uncommitted(environment, contract, at)
    [entry] = with_replacements([environment.quarantine.get(entry.id)], versions)
    why = _why_not(definition, entry, comes_again=comes_again(entry, versions, at))
    if why and not force:
        raise NotReplayable(why)
    return entry


def _versions(environment: Environment, contract: Contract) -> list[Version]:
    return environment.stores_of(contract)[0].versions(contract.key)


def _try(
    environment: Environment,
    definition: ProductDefinition,
    entry: QuarantineEntry,
    run: Run,
    messages: pa.Table,
) -> Replayed:
    contract = definition.contract
    at = standing(environment, contract)
    if at.position is None:
        raise NotReplayable(f"{contract.key} has no version yet; run its stream first")
    attempt = Attempt(
        environment,
        definition,
        run,
        # Of two at once neither clears away what the other has staged.
        f"replay-{entry.id}-{hashlib.sha256(run.run_id.encode()).hexdigest()[:8]}",
        inputs_now(environment, definition),
        100,  # whatever fails stays in quarantine
        replay_of=entry,
        on_top_of=at.number,
    )
    window = Window(at.position.topic, at.position.topic_id, messages, {}, {})
    made = make_window(attempt, window, at)
    audited = audit_batch(attempt, made)
    rows = audited.staged.rows if audited.staged else 0
    assert isinstance(made.messages, WindowMessages)
    grown = rows if attempt.appends else len(made.messages.decoded.places)
    if not grown:
        environment.stores_of(contract)[0].discard(contract, attempt.batch_id)
        for again in audited.quarantined:
            if again.id != entry.id:  # the same messages, which `entry` keeps and goes on keeping
                environment.quarantine.close(again.id, by=BY, reason=f"refused again: {entry.id}")
        return Replayed(audited.report)
    versions = publish(audited)
    environment.quarantine.mark_replayed(entry.id, versions[0].number)
    rest = next((one for one in audited.quarantined if one.id != entry.id), None)
    return Replayed(audited.report, versions, rest)


def _why_not(
    definition: ProductDefinition, entry: QuarantineEntry, *, comes_again: bool
) -> str | None:
    if comes_again:
        return (
            f"the messages of {entry.id} are read again: their window was not committed, or the product "
            f"went back to before it. Run `mesh stream {definition.key}` first; with --force they would "
            "be rows twice"
        )
    if entry.superseded_by is not None or entry.replaced_by is not None:
        return f"{entry.id} was {entry.settled}; use --force to publish it all the same"
    if entry.closed is not None:
        closed = entry.closed
        return (
            f"{entry.id} was closed by {closed.by} on {closed.at:%Y-%m-%d} ({closed.reason}); use "
            "--force to publish it all the same"
        )
    stream = definition.contract.stream
    if stream is not None and not stream.appends:
        return (
            f"{definition.key} keeps the last row of each key, and newer messages of these keys may have "
            f"come since {entry.id} was set aside; send the messages again, or use --force"
        )
    return None
