"""Publishing an audited batch to every store that its contract names, and rolling back.

Belongs here: the order of stores, finishing what a dead process left half known, re-pinning.
Does not belong here: how one store publishes (`stores/`), what may be published (`auditing.py`).
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from shared_resources.arrivals.ingested import objects
from shared_resources.arrivals.ledger.ledger import Ledger
from shared_resources.arrivals.ledger.states import State
from shared_resources.confinement.guard import refuse
from shared_resources.contracts.model import Contract
from shared_resources.data_products.batch import AuditedBatch, current_number
from shared_resources.data_products.compared.refusing import check_promised
from shared_resources.data_products.placement import misplaced
from shared_resources.engines.embedded_views.following import follow
from shared_resources.environment import Environment
from shared_resources.evidence.erasures import kinds_since
from shared_resources.evidence.record import RolledBack
from shared_resources.governance.stopped import why_resting
from shared_resources.registry.contracts import keep_contract
from shared_resources.serving_ports.following import serve_current
from shared_resources.state.last_attempts import LastAttempts
from shared_resources.stores.opening import holding
from shared_resources.stores.pins import pin_of
from shared_resources.stores.protocol import MovedOn, ProductStore, PublishError, Version
from shared_resources.stores.staging.staging_area import keep_only, staged_at

# How far the clocks of two machines may be apart.
CLOCKS = timedelta(seconds=5)


def make_ready(environment: Environment, contract: Contract) -> None:
    """Before an attempt is begun: where the contract names a store that readers look into before the
    one that has the product, that store is given what the other has.

    Raises `PublishError` when readers would not see what is published, or would lose by the contract
    what they were promised.
    """
    _give_what_is_published(environment, contract)
    check_promised(environment, contract)


def _give_what_is_published(environment: Environment, contract: Contract) -> None:
    if why := misplaced(environment, contract):
        raise PublishError(why)
    stores = environment.stores_of(contract)
    if len(stores) > 1 and holding(environment, contract.key)[0] is not stores[0]:
        finish_publishing(environment, contract, stores)


def publish(audited: AuditedBatch, *, served: bool = True) -> tuple[Version, ...]:
    """Publish to each store, the lake first; one version a store. Doing it twice changes nothing. Who
    says that it is not to be `served` by its key has that done himself.

    Raises `MovedOn` when somebody replaced the same rows since the attempt was begun, and
    `PublishError` when a store refuses; what the stores before it published stays, and the next run
    brings the others level.
    """
    refuse("publishes")
    cleared = audited.cleared
    assert cleared is not None, "a refused batch reached publishing"
    environment, contract = audited.attempt.environment, audited.attempt.contract
    if why := why_resting(contract):
        raise PublishError(why)
    keep_contract(environment.published_contracts, contract)
    if audited.terms is not None:
        environment.attestor.keep_terms(audited.terms)
    leading, *others = stores = environment.stores_of(contract)
    # What was set aside is in quarantine by now; beside what readers see it has no business.
    keep_only(cleared.staged.folder, [file.path for file in cleared.staged.files])
    try:
        with product_lock(environment, contract.key):
            # Again: somebody may have published under another contract since it was begun.
            check_promised(environment, contract)
            _check_nobody_was_erased(audited)
            bring_level(contract, stores)
            # What these have to be on top of is what they have now: the leading one decides.
            bases = [current_number(store, contract.key) for store in others]
            append = audited.attempt.appends
            versions = [leading.publish(contract, cleared, append=append)]
            for store, base in zip(others, bases, strict=True):
                theirs = replace(cleared, on_top_of=base)
                versions.append(store.publish(contract, theirs, append=append))
    except MovedOn:
        leading.discard(contract, cleared.batch_id)
        raise
    leading.release(cleared.staged)
    note_objects(audited)
    note_published(audited)
    environment.pins.replace(audited.attempt.run.run_id, pin_of(versions[0]))
    follow(environment, contract.key)
    if served:
        serve_current(environment, contract)
    return tuple(versions)


def _check_nobody_was_erased(audited: AuditedBatch) -> None:
    """Raise `MovedOn` when subjects whose keys the product holds were erased since it was begun: they
    may be in what was read before."""
    contract, cleared = audited.attempt.contract, audited.cleared
    if cleared is None:
        return
    begun = staged_at(cleared.staged.folder)
    if kind := erased_since(audited.attempt.environment, contract, begun):
        raise MovedOn(
            f"{contract.key}: a {kind} was erased since this batch was begun, and may be "
            "in it; nothing was published. Run it again; where `mesh erase --list` says NOT DONE, "
            "`mesh erase` the same again first"
        )


def erased_since(environment: Environment, contract: Contract, moment: datetime) -> str:
    """A kind of subject whose keys the product holds, of which any is being erased, or was since the
    moment; ``""`` for none."""
    held = {column.subject for column in contract.columns} - {""}
    place = environment.attestor.place
    if not held or place is None:
        return ""
    return min(held & kinds_since(place, moment - CLOCKS), default="")


def note_objects(audited: AuditedBatch) -> None:
    """Tell the landing ledger what came of the objects, after it is true.

    Whoever dies before this leaves it to the landing sensor, which finds the batch.
    """
    environment, contract = audited.attempt.environment, audited.attempt.contract
    if contract.landing is None:
        return
    ledger = Ledger(environment.state, contract.key)
    made_of = set(audited.cleared.evidence.objects) if audited.cleared else set()
    refused = {pair for entry in audited.quarantined for pair in entry.objects} - made_of
    if made_of:
        ledger.note(made_of, State.PUBLISHED)
    if refused:
        ledger.note(refused, State.REFUSED)


def note_published(audited: AuditedBatch) -> None:
    """Take back what was said of the parts before: they are published now."""
    attempt, staged = audited.attempt, audited.staged
    assert staged is not None
    attempts = LastAttempts(attempt.environment.state, attempt.contract.key)
    if attempt.replay_of is None:
        attempts.published(attempt.run.run_id, staged.partitions)
    else:
        attempts.replayed(attempt.run.run_id, attempt.replay_of.id)


def already_published(
    environment: Environment, contract: Contract, batch_id: str
) -> tuple[Version, ...] | None:
    """The versions of a batch that every store has: a retried run has nothing left to do."""
    stores = environment.stores_of(contract)
    if stores[0].published_batch(contract.key, batch_id) is None:
        return None
    with product_lock(environment, contract.key):
        bring_level(contract, stores)
    found = [store.published_batch(contract.key, batch_id) for store in stores]
    landed = found[0] if contract.landing is not None else None
    if landed is not None and (made_of := objects(landed)):
        Ledger(environment.state, contract.key).note(made_of, State.PUBLISHED)
    return tuple(version for version in found if version is not None)


def rollback(
    environment: Environment,
    contract: Contract,
    to: int,
    *,
    by: str,
    reason: str = "",
    despite: tuple[str, ...] = (),
) -> tuple[Version, ...]:
    """Make version `to` of the first store the current content again, as a new version everywhere.

    The new version carries the evidence of the one it restores, by whom and why, and `despite` which
    rules of today's contract (`restoring.py` finds them).
    Raises `NotPublished` when there is no such version, `NoEvidence` when it was never audited.
    """
    refuse("rolls a product back")
    _give_what_is_published(environment, contract)
    stores = environment.stores_of(contract)
    batch_id = f"rollback-{datetime.now(UTC):%Y%m%dT%H%M%S%f}-to-{to}"
    with product_lock(environment, contract.key):
        bring_level(contract, stores)
        why = RolledBack(reason, by, despite)
        first = stores[0].rollback(contract, to, why, batch_id=batch_id)
        bring_level(contract, stores)
    follow(environment, contract.key)
    serve_current(environment, contract)
    others = [store.published_batch(contract.key, batch_id) for store in stores[1:]]
    return (first, *(version for version in others if version is not None))


def finish_publishing(
    environment: Environment, contract: Contract, stores: tuple[ProductStore, ...]
) -> list[str]:
    """Do what a process that died between two commits left, and name the stores that were behind."""
    if not behind(contract, stores):
        return []
    with product_lock(environment, contract.key):
        return bring_level(contract, stores)


def bring_level(contract: Contract, stores: tuple[ProductStore, ...]) -> list[str]:
    """Give the other stores what the first that has the product has and they lack: a process died
    between two commits, or the contract names a further store now.

    That store's current version is the truth; it was audited. Its rows become the other store's next
    version under the same batch id, so doing this twice changes nothing. Names the stores that
    lacked it.
    """
    lacking = behind(contract, stores)
    if lacking:
        from shared_resources.stores.levelling import follow  # hardly ever, and with Arrow

        source = next(store for store in stores if store.versions(contract.key))
        truth = source.versions(contract.key)[-1]
        for store in lacking:
            follow(contract, source, store, truth)
    return [store.name for store in lacking]


def behind(contract: Contract, stores: tuple[ProductStore, ...]) -> list[ProductStore]:
    """The stores whose current version is not that of the first that has one."""
    if len(stores) < 2:
        return []
    current = [(store, store.versions(contract.key)) for store in stores]
    truth = next((versions[-1] for _, versions in current if versions), None)
    if truth is None or truth.evidence_or_none is None:
        return []  # nobody may read it: it is no truth to follow
    return [
        store for store, theirs in current if not theirs or theirs[-1].batch_id != truth.batch_id
    ]


def product_lock(environment: Environment, product: str) -> AbstractContextManager[None]:
    """One publisher of a product at a time, so that two stores keep the same order.

    Each store is correct without it; it is held for the commits only and freed when a process dies.
    """
    return environment.state.lock(f"publish/{product}")
