"""What housekeeping does about one product: four tasks, each on its own, each safe to repeat.

Belongs here: the tasks over all stores of a product, what each did, and what it would do.
Does not belong here: how a store does it (`stores/`), when (`locations/housekeeping_jobs.py`), how
long things are kept (`retention.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any, Protocol, runtime_checkable

from shared_resources.contracts.model import Contract
from shared_resources.contracts.streams.model import Stream
from shared_resources.data_products.compared.standing import entries_of, note_replacements
from shared_resources.data_products.publishing import behind, finish_publishing, product_lock
from shared_resources.engines.embedded_views.following import follow
from shared_resources.environment import Environment
from shared_resources.governance.earlier_majors import why_over
from shared_resources.governance.quarantine.quarantine import QuarantineEntry
from shared_resources.housekeeping.retention import (
    expired_entries,
    quarantine_kept_since,
    versions_kept_since,
)
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.following import bring_level, is_served
from shared_resources.serving_ports.lagging import lags
from shared_resources.stores.pins import GRACE
from shared_resources.stores.protocol import (
    ORPHAN_AGE,
    Compaction,
    Overtaken,
    ProductStore,
    Version,
)
from shared_resources.stores.versions import expirable, number_ranges
from shared_resources.streams.upkeep.thinning import thin

NOTHING = "nothing to do"


class Task(StrEnum):
    """In the order in which they are best done: what one leaves over, a later one removes."""

    COMPACT = "compact"
    EXPIRE = "expire"
    ORPHANS = "orphans"
    QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Done:
    """What a task did about a product in one place: a store, or the quarantine.

    `details` are its numbers and names, JSON values; `summary` says the same to a person.
    """

    product: str
    task: Task
    place: str
    changed: bool
    summary: str
    details: Mapping[str, Any]


@runtime_checkable
class Measurable(Protocol):
    """A store that tells how much it holds."""

    def stored_bytes(self, product: str) -> int: ...


def perform(
    environment: Environment,
    contract: Contract,
    task: Task,
    *,
    now: datetime | None = None,
    dry_run: bool = False,
) -> list[Done]:
    """Do the task for the product, in every store of its contract; one `Done` a place.

    With `dry_run` nothing is changed, and the answer is what would be. Raises `Unfinished` when it
    failed in some place, after it was done in the others.
    """
    made_at = now or datetime.now(UTC)
    places: list[Callable[[], Done]] = [
        partial(_IN_STORES[task], environment, contract, store, made_at, dry_run)
        for store in (environment.stores_of(contract) if task in _IN_STORES else ())
    ]
    if task is Task.QUARANTINE:
        places = [partial(_expire_quarantine, environment, contract, made_at, dry_run)]
    if task is Task.EXPIRE and contract.stream is not None:
        places.append(partial(_expire_messages, environment, contract, contract.stream, dry_run))
    if task is Task.ORPHANS and is_served(environment, contract):
        places.append(partial(_serve, environment, contract, made_at, dry_run))
    done, problems = [], []
    for do in places:
        try:
            done.append(do())
        except Exception as problem:  # noqa: BLE001 - one store's trouble is not the other's
            problems.append(problem)
    if problems:
        raise Unfinished(contract.key, task, done, problems) from problems[0]
    return done


class Unfinished(MeshProblem):
    """A task failed in some place; `done` is what it did in the others."""

    def __init__(
        self, product: str, task: Task, done: Sequence[Done], problems: Sequence[Exception]
    ) -> None:
        said = "; ".join(f"{type(one).__name__}: {one}" for one in problems)
        super().__init__(f"{product}: {task} failed, and is tried again the next time: {said}")
        self.product = product
        self.task = task
        self.done = tuple(done)


_InStore = Callable[[Environment, Contract, ProductStore, datetime, bool], Done]


def _compact(
    environment: Environment, contract: Contract, store: ProductStore, now: datetime, dry_run: bool
) -> Done:
    def done(summary: str, files: Compaction | None = None) -> Done:
        numbers = {} if files is None else vars(files)
        return Done(contract.key, Task.COMPACT, store.name, bool(numbers), summary, numbers)

    try:
        files = store.would_compact(contract) if dry_run else store.compact(contract)
    except Overtaken as overtaken:
        return done(f"{overtaken}; the next run looks again")
    if files is None:
        return done(NOTHING)
    if not dry_run:
        follow(environment, contract.key)  # the files that were merged go some time
    return done(f"{files.files_before:,} files → {files.files_after:,}", files)


def _expire(
    environment: Environment, contract: Contract, store: ProductStore, now: datetime, dry_run: bool
) -> Done:
    thinned = thin(environment, contract, store, now, dry_run=dry_run) if contract.stream else []
    with product_lock(environment, contract.key):
        kept = store.versions(contract.key)
        pins = environment.pins.since(contract.key, now - GRACE)
        pinned = {pin.number for pin in pins if pin.store == store.name}
        over = why_over(environment, contract)
        # Who read it has gone: what is current stays for whoever looks back, and nothing else.
        lasting = replace(contract, retention=GRACE) if over else contract
        since = versions_kept_since(lasting, kept, pinned, now)
        gone: list[Version] = []
        if since is not None:
            if not dry_run and store is environment.stores_of(contract)[0]:
                note_replacements(environment, contract, kept, expirable(kept, since))
            gone = expirable(kept, since) if dry_run else store.expire(contract, since)
    if thinned and dry_run:  # the store has them still
        numbers = {version.number for version in thinned}
        kept = [version for version in kept if version.number not in numbers]
        gone = [version for version in gone if version.number not in numbers]
    gone = sorted((*thinned, *gone), key=lambda version: version.number)
    details = {
        "versions_removed": [version.number for version in gone],
        "versions_kept": len(kept) + len(thinned) - len(gone),
    }
    summary = NOTHING
    if gone:
        summary = f"versions {number_ranges(gone)} of {len(kept) + len(thinned):,}"
    elif over:
        summary = over
    elif contract.retention is None:
        summary = "its contract states no retention: every version is kept"
    return Done(contract.key, Task.EXPIRE, store.name, bool(gone), summary, details)


def _remove_orphans(
    environment: Environment, contract: Contract, store: ProductStore, now: datetime, dry_run: bool
) -> Done:
    """Also what a dead process left undone: this store may lack what the first one has."""
    measurable = store if isinstance(store, Measurable) and not dry_run else None
    before = measurable.stored_bytes(contract.key) if measurable else 0
    key = contract.key
    removed = store.orphans(key) if dry_run else store.remove_orphans(key, ORPHAN_AGE)
    details: dict[str, Any] = {"leftovers_removed": removed}
    summary = f"{len(removed):,} leftovers" if removed else NOTHING
    if measurable is not None:
        freed = max(0, before - measurable.stored_bytes(key))
        details["bytes_freed"] = freed
        summary += f", {freed:,} bytes" if removed else ""
    # Last: that the first store cannot be reached keeps this one from nothing else.
    stores = (environment.stores_of(contract)[0], store)
    late: Sequence[object] = (
        behind(contract, stores) if dry_run else finish_publishing(environment, contract, stores)
    )
    if late:
        level = f"brought level with the {stores[0].name}"
        summary = f"{level}, {summary}" if removed else level
    return Done(key, Task.ORPHANS, store.name, bool(removed or late), summary, details)


def _expire_quarantine(
    environment: Environment, contract: Contract, now: datetime, dry_run: bool
) -> Done:
    quarantine, since = environment.quarantine, quarantine_kept_since(contract, now)
    gone: list[QuarantineEntry] = []
    if since is not None:
        entries = entries_of(environment, contract)
        chosen = {entry.id for entry in expired_entries(entries, since)}
        ids = chosen if dry_run else set(quarantine.expire(contract.key, since))
        gone = [entry for entry in entries if entry.id in ids]
    undecided = [entry.id for entry in gone if entry.open]
    details = {"entries_removed": [entry.id for entry in gone], "undecided_removed": undecided}
    summary = NOTHING
    if gone:
        summary = f"{len(gone):,} removed, {len(undecided):,} of them never decided on"
    return Done(contract.key, Task.QUARANTINE, "quarantine", bool(gone), summary, details)


def _expire_messages(
    environment: Environment, contract: Contract, stream: Stream, dry_run: bool
) -> Done:
    """What its topic keeps no longer, in a log that does not see to that by itself. What a dry run would
    remove is not counted: messages grow old by the second."""
    changed = not dry_run and environment.log.keep_house(stream.topic)
    summary = f"what {stream.topic} keeps no longer" if changed else NOTHING
    return Done(contract.key, Task.EXPIRE, "log", changed, summary, {"topic": stream.topic})


def _serve(environment: Environment, contract: Contract, now: datetime, dry_run: bool) -> Done:
    """The serving port: brought level, and generations dropped that nobody reads any more."""
    if dry_run:
        late = lags(environment, contract)
        done = [f"{late}: brought level"] if late else []
    else:
        done = bring_level(environment, contract, now=now)
    summary = ", ".join(done) or NOTHING
    return Done(contract.key, Task.ORPHANS, "serving port", bool(done), summary, {"done": done})


_IN_STORES: Mapping[Task, _InStore] = {
    Task.COMPACT: _compact,
    Task.EXPIRE: _expire,
    Task.ORPHANS: _remove_orphans,
}
