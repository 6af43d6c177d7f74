"""Keeping the serving port of a product on its current version.

Belongs here: the way of a version into the port, what is cleared away, how far the port is behind.
Does not belong here: how a port does it (`port.py`), reading from it (`reading.py`).

One follower a product works at a time, by a lock. What holds without it, too, stands in the port: a
generation becomes current in place of the one that its writer has seen, and only if it is newer.
"""

from __future__ import annotations

import itertools
import logging
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared_resources.contracts.model import Contract
from shared_resources.contracts.promise import aliases
from shared_resources.contracts.roles.model import columns_of
from shared_resources.contracts.serving.model import Serving
from shared_resources.contracts.types import arrow_schema
from shared_resources.contracts.values.comparing import column_type
from shared_resources.environment import Environment
from shared_resources.problems import MeshProblem
from shared_resources.serving_ports.port import (
    Counted,
    Generation,
    Held,
    Row,
    ServingPort,
    State,
    Superseded,
)
from shared_resources.serving_ports.rows import CannotBeServed, Digest, rows_of
from shared_resources.stores.opening import holding, open_product
from shared_resources.stores.protocol import NotPublished, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

_log = logging.getLogger(__name__)
# Who waits for a port that others write to gives way after so many of them, and says so.
ATTEMPTS = 20


def serve_current(environment: Environment, contract: Contract) -> bool:
    """Serve the version that is current now; whether that was done.

    It is published whatever comes of this: the port serves the version before, as whole as it was, the
    product's health says so, and whoever follows next brings it level.
    """
    try:
        bring_level(environment, contract)
        return True
    except (MeshProblem, OSError) as problem:
        said = str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__
        _log.warning(
            "%s is served by its key as it was before (%s): `mesh housekeeping %s` brings it level",
            contract.key,
            said,
            contract.key,
        )
        return False


def bring_level(
    environment: Environment, contract: Contract, *, anew: bool = False, now: datetime | None = None
) -> list[str]:
    """Serve the current version, clear up what dead writers left and what nobody reads any more; what
    was done, in words. `anew`: write the version again although it is served, as rows were taken from it.

    Raises `CannotBeServed` for a version that has no row a key, `PortUnreachable`.
    """
    port = environment.serving_port
    if port is None or not is_served(environment, contract):
        return []
    with environment.state.lock(f"serving/{contract.key}"):
        if contract.serving is None:
            port.forget(contract.key)
            return ["it is served by its key no more"]
        done = [f"left by a dead writer: {name}" for name in _clear_unfinished(port, contract.key)]
        wanted = _wanted(environment, contract, contract.serving)
        if wanted is None:
            return done
        snapshot, generation = wanted
        before = port.current(contract.key)
        anew = anew or _began_again(environment, contract, before)
        if _to_be_written(generation, before, anew) and _write(port, snapshot, generation, anew):
            done.append(f"version {generation.version} is served")
        dropped = _clear_replaced(port, contract, contract.serving, now or datetime.now(UTC), anew)
        return done + [f"dropped version {one.generation.version}" for one in dropped]


def is_served(environment: Environment, contract: Contract) -> bool:
    """Whether the port has to do with the product: it is to be served, or was once."""
    port = environment.serving_port
    return port is not None and (contract.serving is not None or bool(port.held(contract.key)))


def renew(environment: Environment, contract: Contract) -> Iterator[tuple[str, str]]:
    """Serve what is left after rows were erased, and leave nothing of what was served before. Yields the
    port that could not be, and why."""
    port = environment.serving_port
    if port is None:
        return
    try:
        if not port.held(contract.key):
            return
        if contract.serving is None:
            bring_level(environment, contract)
        else:
            _renew(environment, contract, port)
        port.scrub(contract.key)
    except (MeshProblem, OSError) as problem:
        said = str(problem) if isinstance(problem, MeshProblem) else type(problem).__name__
        yield port.name, said


def _renew(environment: Environment, contract: Contract, port: ServingPort) -> None:
    bring_level(environment, contract, anew=True)
    if left := [one for one in port.held(contract.key) if one.state is not State.CURRENT]:
        raise CannotBeServed(f"{len(left)} generations from before are still there")


def _wanted(
    environment: Environment, contract: Contract, serving: Serving
) -> tuple[Snapshot, Generation] | None:
    """The current version, and the generation that it is to become; None while there is none."""
    try:
        snapshot = open_product(environment, contract.key, served=True)
    except NotPublished:
        return None
    types = {field.name: column_type(field.type) for field in snapshot.schema}
    missing = [name for name in contract.primary_key if types.get(name) is None]
    if missing:
        raise CannotBeServed(
            f"{contract.key} version {snapshot.version.number} has no column {', '.join(missing)} of the "
            "key; publish it again"
        )
    shown = _shown(contract, serving, tuple(types))
    looked_at = {
        name for role in contract.roles if role.rows for name in columns_of(role.rows.condition)
    }
    kept = {*shown, *looked_at}
    version, evidence = snapshot.version, snapshot.version.evidence_or_none
    return snapshot, Generation(
        id=uuid.uuid4().hex,
        product=contract.key,
        store=version.store,
        version=version.number,
        batch_id=version.batch_id,
        published_at=version.published_at,
        columns=tuple((n, t.duckdb) for n, t in types.items() if t is not None and n in kept),
        key=contract.primary_key,
        shown=shown,
        contract_version=evidence.contract_version if evidence else "",
    )


def _shown(contract: Contract, serving: Serving, there: tuple[str, ...]) -> tuple[str, ...]:
    """In the version's order; a former name that readers are given goes with its column."""
    if serving.columns is None:
        return there
    named = {*serving.columns, *contract.primary_key}
    former = aliases(contract)
    return tuple(name for name in there if former.get(name, name) in named)


def _began_again(environment: Environment, contract: Contract, before: Held | None) -> bool:
    """Whether the port serves a version that its store has not come to yet: everything that is served
    was published before, so the store was emptied, and counts from one again."""
    if before is None:
        return False
    store, versions = holding(environment, contract.key)
    same = store is not None and store.name == before.generation.store
    return same and bool(versions) and versions[-1].number < before.generation.version


def _to_be_written(generation: Generation, before: Held | None, anew: bool) -> bool:
    if before is None or anew:
        return True
    served = before.generation
    if generation.batch_id == served.batch_id and generation.store == served.store:
        return not generation.same_as(served)  # the contract serves other columns of it now
    return generation.newer_than(served)


def _write(port: ServingPort, snapshot: Snapshot, generation: Generation, anew: bool) -> bool:
    """Whether it became the current one: another writer may have been faster, with a newer one."""
    port.begin(generation)
    try:
        meant = Digest()
        port.load(generation, meant.through(_rows(snapshot, generation)))
        _compare(port, snapshot, generation, meant)
        port.written(generation, Counted(meant.rows, meant.text))
        for _ in range(ATTEMPTS):
            before = port.current(generation.product)
            if not _to_be_written(generation, before, anew):
                break
            if port.switch(generation, before.generation.id if before else None):
                return True
    except Superseded:
        return False  # a follower took this one for dead: what it serves is as new
    except BaseException:
        port.drop(generation.product, generation.id)
        raise
    port.drop(generation.product, generation.id)
    return False


def _compare(port: ServingPort, snapshot: Snapshot, generation: Generation, meant: Digest) -> None:
    """Raises `CannotBeServed` unless what lies in the port is the version, row by row."""
    key, number = generation.product, generation.version
    if meant.rows != snapshot.version.rows:
        raise CannotBeServed(
            f"{key} version {number} has {snapshot.version.rows:,} rows, and {meant.rows:,} were read"
        )
    there = Digest()
    for _ in there.through(port.stored(generation)):
        pass
    if there.rows < meant.rows:
        raise CannotBeServed(
            f"{key} version {number} has {meant.rows:,} rows, and {there.rows:,} different keys: let the "
            "check of its primary key be blocking"
        )
    if (there.rows, there.text) != (meant.rows, meant.text):
        raise CannotBeServed(
            f"{key} version {number}: what lies in the {port.name} port is not what was written; it is "
            "not served"
        )


def _rows(snapshot: Snapshot, generation: Generation) -> Iterator[Row]:
    names = list(generation.types)
    schema = arrow_schema(tuple(generation.types.items()))
    reader: pa.RecordBatchReader = snapshot.batches(names)
    batches = (one if one.schema == schema else one.cast(schema) for one in reader)
    yield from itertools.chain.from_iterable(rows_of(one, generation) for one in batches)


def _clear_unfinished(port: ServingPort, product: str) -> list[str]:
    """Under the lock no other follower is at work: what is not whole was left by a dead one."""
    cleared = []
    for held in port.held(product):
        if held.state in (State.WRITING, State.WRITTEN, State.DROPPING) and port.drop(
            product, held.generation.id
        ):
            cleared.append(f"version {held.generation.version}")
    return cleared


def _clear_replaced(
    port: ServingPort, contract: Contract, serving: Serving, now: datetime, at_once: bool
) -> list[Held]:
    replaced = sorted(
        (one for one in port.held(contract.key) if one.state is State.REPLACED),
        key=lambda one: one.since,
        reverse=True,
    )
    gone = [
        one
        for place, one in enumerate(replaced, start=1)
        if at_once or one.since + serving.grace <= now or place >= serving.kept
    ]
    return [one for one in gone if port.drop(contract.key, one.generation.id)]
